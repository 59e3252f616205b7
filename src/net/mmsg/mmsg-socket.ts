import type { DatagramListener, DatagramSocket } from "../../ports/datagram-socket.ts";
import type { Polled } from "../epoll/poller.ts";
import { EPOLLIN, EPOLLOUT } from "../libc.ts";
import type { MmsgSockets } from "./mmsg-sockets.ts";
import type { KeptDatagram } from "./send-batch.ts";

/** What waits for room in the kernel, at most. What comes on top is lost, as it is on a network that is too slow. */
const KEPT_DATAGRAMS_MAX = 256;
const KEPT_BYTES_MAX = 1_048_576;

/** One socket of {@link MmsgSockets}. */
export class MmsgSocket implements DatagramSocket, Polled {
  generation = 0;
  readonly port: number;
  readonly fd: number;
  readonly listener: DatagramListener;
  readonly #all: MmsgSockets;
  /** BOUNDED by the two constants above, and one batch. */
  #kept: KeptDatagram[] = [];
  #keptBytes = 0;
  isClosed = false;

  constructor(all: MmsgSockets, fd: number, port: number, listener: DatagramListener) {
    this.#all = all;
    this.fd = fd;
    this.port = port;
    this.listener = listener;
  }

  handleEvents(events: number): void {
    this.#all.serve(this, events);
  }

  /** A bug of ours: what peers do never throws. */
  handleFault(): void {
    this.close();
  }

  send(payload: Uint8Array, port: number, address: string, header?: Uint8Array): void {
    if (this.isClosed) return;
    if (this.#kept.length === 0) this.#all.send(this, payload, port, address, header, payload.length);
    else if (this.#kept.length >= KEPT_DATAGRAMS_MAX || this.#keptBytes >= KEPT_BYTES_MAX) this.listener.onLost(1);
    else this.keep({ bytes: joined(header, payload), payloadSize: payload.length, port, address });
  }

  /** Keeps a datagram until the kernel has room. */
  keep(datagram: KeptDatagram): void {
    if (this.#kept.length === 0) this.#all.poller.change(this.fd, EPOLLIN | EPOLLOUT, this);
    this.#kept.push(datagram);
    this.#keptBytes += datagram.bytes.length;
  }

  /** The kernel has room for what was kept; what it still does not take comes back by `keep`. */
  handleRoom(): void {
    const kept = this.#kept;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#all.poller.change(this.fd, EPOLLIN, this);
    for (const { bytes, payloadSize, port, address } of kept) {
      this.#all.send(this, bytes, port, address, undefined, payloadSize);
    }
    this.#all.flush();
  }

  /** Tells what became of a batch. */
  report(sent: number, payloadBytes: number, lost: number): void {
    if (sent > 0) this.listener.onSent(sent, payloadBytes);
    if (lost > 0) this.listener.onLost(lost);
  }

  close(): void {
    if (this.isClosed) return;
    this.#all.flush();
    this.isClosed = true;
    if (this.#kept.length > 0) this.listener.onLost(this.#kept.length);
    this.#kept = [];
    this.#all.poller.forget(this.fd);
    this.#all.libc.close(this.fd);
  }
}

function joined(header: Uint8Array | undefined, payload: Uint8Array): Uint8Array {
  const headerSize = header?.length ?? 0;
  const bytes = new Uint8Array(headerSize + payload.length);
  if (header !== undefined) bytes.set(header);
  bytes.set(payload, headerSize);
  return bytes;
}
