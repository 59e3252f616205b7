/** One association of the kernel's SCTP, on a socket of Bun's. */

import type { Socket } from "bun";
import { readU8 } from "../bytes/read.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Libc } from "./libc.ts";
import { type Association, type AssociationHandler, MESSAGE_BYTES_MAX, type SctpAddress } from "./sctp-listener.ts";
import { IPPROTO_SCTP } from "./sctp-probe.ts";

/** How long a graceful shutdown may take before it becomes an ABORT. The kernel's own limits come to minutes. */
const SHUTDOWN_MS_MAX = 20_000;

/** Socket option (RFC 6458 §6.2.1): which notifications come as data. */
const SCTP_EVENTS = 11;
/** `struct sctp_event_subscribe` with nothing but `sctp_association_event`. */
const ASSOCIATION_EVENTS = Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0);
/** `struct sctp_assoc_change` (RFC 6458 §6.1.1): type(2) flags(2) length(4) state(2) error(2) streams(2+2) id(4). */
const ASSOC_CHANGE_BYTES = 20;
const SCTP_ASSOC_CHANGE = 0x8001;
/** The states that mean the end: SCTP_COMM_LOST and SCTP_SHUTDOWN_COMP. */
const COMM_LOST = 1;
const SHUTDOWN_COMP = 3;

type State = "open" | "closing" | "shut" | "gone";

export class KernelAssociation implements Association {
  readonly peer: SctpAddress;
  readonly #socket: Socket<KernelAssociation>;
  readonly #fd: number;
  readonly #libc: Libc;
  readonly #clock: Clock;
  #handler: AssociationHandler | undefined;
  #state: State = "open";
  /** Messages that the kernel had no room for. BOUNDED by the user: an admin session writes twice. */
  readonly #unsent: Uint8Array[] = [];
  #guard: Timer | undefined;

  constructor(socket: Socket<KernelAssociation>, peer: SctpAddress, library: Libc, clock: Clock) {
    this.#socket = socket;
    // Missing in Bun's types.
    this.#fd = (socket as unknown as { readonly fd: number }).fd;
    this.peer = peer;
    this.#libc = library;
    this.#clock = clock;
  }

  /** Says who is to be told. */
  attach(handler: AssociationHandler): void {
    this.#handler = handler;
  }

  write(message: Uint8Array): void {
    if (message.length < 1 || message.length > MESSAGE_BYTES_MAX) throw new RangeError(`${message.length} bytes`);
    if (this.#state !== "open") return;
    // Not `slice`, which gives no copy where the message is a Buffer.
    this.#unsent.push(new Uint8Array(message));
    this.#flush();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#guard = this.#clock.setTimer(SHUTDOWN_MS_MAX, () => this.#terminate());
    this.#flush();
  }

  abort(): void {
    if (this.#state !== "gone") this.#terminate();
  }

  /** Bun's `data`. */
  handleData(bytes: Uint8Array): void {
    if (this.#state === "open") this.#handler?.data(bytes);
    // What a peer sends while we close is read, since closing with unread data would abort, and dropped.
    else if (this.#state === "shut" && endsWithTheEnd(bytes)) this.#socket.end();
  }

  /** Bun's `drain`. */
  handleDrain(): void {
    this.#flush();
  }

  /** Bun's `end`: the peer has shut the association down. SCTP knows no half-closed one. */
  handleEnd(): void {
    this.#socket.end();
  }

  /** Bun's `close`: the descriptor is gone. */
  handleClose(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#guard?.cancel();
    this.#handler?.end();
  }

  #flush(): void {
    for (let message = this.#unsent[0]; message !== undefined; message = this.#unsent[0]) {
      // The kernel takes a message whole or not at all; below 0 the socket is closed, and `close` tells.
      if (this.#socket.write(message) < message.length) return;
      this.#unsent.shift();
    }
    if (this.#state === "closing") this.#shutDown();
  }

  /**
   * Sends SHUTDOWN and keeps reading. Linux gives the side that shuts down first no end of file: without the notification
   * that is asked for here, the descriptor would stay for ever.
   */
  #shutDown(): void {
    this.#state = "shut";
    const size = ASSOCIATION_EVENTS.length;
    const told = this.#libc.setsockopt(this.#fd, IPPROTO_SCTP, SCTP_EVENTS, ASSOCIATION_EVENTS, size);
    this.#socket.shutdown();
    // Where the kernel cannot tell, closing now is the next best: graceful too, as long as nothing is unread.
    if (told !== 0) this.#socket.end();
  }

  #terminate(): void {
    this.#socket.terminate();
    this.handleClose();
  }
}

/** Whether the last thing in `bytes` is the notification that the association is over. A peer that feigns it hastens its end. */
function endsWithTheEnd(bytes: Uint8Array): boolean {
  const at = bytes.length - ASSOC_CHANGE_BYTES;
  if (at < 0) return false;
  // Host order, which is little-endian wherever Bun runs.
  const type = readU8(bytes, at) | (readU8(bytes, at + 1) << 8);
  const state = readU8(bytes, at + 8) | (readU8(bytes, at + 9) << 8);
  return type === SCTP_ASSOC_CHANGE && (state === COMM_LOST || state === SHUTDOWN_COMP);
}
