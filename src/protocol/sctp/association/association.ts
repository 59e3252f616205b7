/**
 * One association: its transmission control block (RFC 9260 §14), and the few things that every procedure does with it.
 * The procedures stand beside it, a file for each: connect, restart, transfer, transmit, heartbeat, shutdown.
 */

import { readU16 } from "../../../bytes/read.ts";
import type { AssociationId, CloseReason, Oddity, Path, Role, SctpEvent, SctpLimits, SctpTiming } from "../api.ts";
import { causeName, userInitiatedAbort } from "../causes.ts";
import { encodeAbort } from "../chunks/abort.ts";
import { DATA_CHUNK_BYTES_MAX } from "../constants.ts";
import { encodePacket } from "../packet.ts";
import type { Tsn } from "../serial.ts";
import { RetransmissionTimeout } from "../tx/rto.ts";
import { type State, transferOf } from "./state.ts";
import { Timers } from "./timers.ts";

/** What an association asks of its endpoint. */
export interface Host {
  readonly timing: SctpTiming;
  readonly limits: SctpLimits;
  random(count: number): Uint8Array;
  emit(event: SctpEvent): void;
  count(oddity: Oddity): void;
  /** DATA chunks were sent again. */
  countRetransmitted(): void;
  /** The association came up. */
  countOpened(): void;
  /** The association is gone: forget it. */
  remove(association: Association): void;
}

/** Who the two sides are. */
export interface Identity {
  readonly id: AssociationId;
  readonly role: Role;
  readonly path: Path;
  readonly localPort: number;
  readonly remotePort: number;
  readonly localTag: number;
  /** 0 while the peer has not told its tag: no peer may choose 0. */
  readonly peerTag: number;
  readonly localInitialTsn: Tsn;
  /** Random numbers that stand for the two tags in cookies, which anybody can read (RFC 9260 §5.2.2). */
  readonly localTieTag: number;
  readonly peerTieTag: number;
}

/** How urgently the peer waits for a SACK. */
export type SackDebt = "none" | "delayed" | "now";

/** Answers to one packet: what fits into one beside COOKIE ACK, SHUTDOWN and SHUTDOWN ACK. */
const ANSWER_BYTES_MAX: number = DATA_CHUNK_BYTES_MAX - 16;

/** The transmission control block. */
export class Association {
  readonly host: Host;
  readonly id: AssociationId;
  readonly role: Role;
  readonly localPort: number;
  readonly remotePort: number;
  //= rfc9260#5.3.1/new-tag
  readonly localTag: number;
  readonly localInitialTsn: Tsn;
  readonly localTieTag: number;
  readonly peerTieTag: number;
  readonly timers: Timers = new Timers();
  readonly rto: RetransmissionTimeout;
  /** Follows the peer's UDP port when a packet with the right tag says so (RFC 6951 §5.4). */
  path: Path;
  peerTag: number;
  state: State;
  /** Chunks that go with the next packet, in this order. BOUNDED by {@link answer} for each packet of the peer's. */
  control: Uint8Array[] = [];
  /** Bytes of {@link control} that answer the packet that is being taken. */
  #answerBytes = 0;
  /** A SHUTDOWN is to be sent. It is made at the last moment: it carries what was received until then. */
  shutdownDue = false;
  sackDebt: SackDebt = "none";
  /** DATA has come: the first is acknowledged at once. */
  hasReceivedData = false;
  /** Packets with DATA since the last SACK. */
  packetsUnacknowledged = 0;
  /** The window in the last SACK, in bytes. */
  advertisedWindow: number;
  /** Transmissions in a row that nobody answered (RFC 9260 §8.1). */
  errorCount = 0;
  /** The heartbeat that was not answered yet. */
  heartbeat: { readonly info: Uint8Array; readonly sentAtMs: number } | undefined;
  isPaused = false;
  /** `send` was refused, and `writable` promised. */
  owesWritable = false;

  constructor(host: Host, identity: Identity, state: State) {
    this.host = host;
    this.id = identity.id;
    this.role = identity.role;
    this.path = identity.path;
    this.localPort = identity.localPort;
    this.remotePort = identity.remotePort;
    this.localTag = identity.localTag;
    this.peerTag = identity.peerTag;
    this.localInitialTsn = identity.localInitialTsn;
    this.localTieTag = identity.localTieTag;
    this.peerTieTag = identity.peerTieTag;
    this.state = state;
    this.rto = new RetransmissionTimeout(host.timing);
    this.advertisedWindow = host.limits.receiveWindowBytes;
  }

  /** Sends one packet now. */
  sendPacket(chunks: readonly Uint8Array[], verificationTag: number = this.peerTag): void {
    //= rfc9260#8.5/tag-sent
    const header = { sourcePort: this.localPort, destinationPort: this.remotePort, verificationTag };
    this.host.emit({ kind: "send", to: this.path, packet: encodePacket(header, chunks) });
  }

  /** A packet of the peer's is about to be taken. */
  beginAnswers(): void {
    this.#answerBytes = 0;
  }

  /** Queues a chunk that answers one of the packet that is being taken, unless it would need a second packet. */
  answer(chunk: Uint8Array): void {
    //= rfc9260#12.4/one-answer
    if (this.#answerBytes > 0 && this.#answerBytes + chunk.length > ANSWER_BYTES_MAX) return;
    this.#answerBytes += chunk.length;
    this.control.push(chunk);
  }

  /** Hands on the whole messages that are there, unless whoever reads them asked for a pause. */
  deliver(): void {
    if (!this.isPaused) this.#deliverAll();
  }

  #deliverAll(): void {
    const receiver = transferOf(this.state)?.receiver;
    if (receiver === undefined) return;
    for (let message = receiver.takeMessage(); message !== undefined; message = receiver.takeMessage()) {
      const { ppid, bytes } = message;
      this.host.emit({ kind: "message", association: this.id, streamId: 0, ppid, bytes });
    }
  }

  /** Sends ABORT with this cause, and closes. The detail is the name of the cause when nothing is said. */
  abort(reason: CloseReason, cause: Uint8Array, detail: string = causeName(readU16(cause, 0))): void {
    //= rfc9260#9.1/abort-with-tag
    if (this.state.name !== "CLOSED" && this.peerTag !== 0) this.sendPacket([encodeAbort(false, [cause])]);
    this.close(reason, detail);
  }

  /** Ends the association, without a word to the peer. */
  close(reason: CloseReason, detail: string): void {
    if (this.state.name === "CLOSED") return;
    // What was acknowledged belongs to whoever reads, paused or not; only he who aborts wants nothing any more.
    if (reason !== "aborted") this.#deliverAll();
    this.timers.stopAll();
    this.control = [];
    this.state = { name: "CLOSED" };
    this.host.remove(this);
    this.host.emit({ kind: "closed", association: this.id, reason, detail });
  }

  /** Counts a transmission that nobody answered. Closes, and answers false, when there were too many (§8.1). */
  countError(): boolean {
    this.errorCount++;
    //= rfc9260#8.1/unreachable
    if (this.errorCount <= this.host.timing.associationMaxRetrans) return true;
    // The peer may hear us though we do not hear it: then it need not find out by itself.
    const detail = `${this.errorCount} transmissions in a row were not answered`;
    this.abort("unreachable", userInitiatedAbort(), detail);
    return false;
  }

  /** The peer showed that it is there. */
  clearErrors(): void {
    //= rfc9260#8.1/reset
    this.errorCount = 0;
  }
}
