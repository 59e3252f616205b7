/**
 * UDP sockets by recvmmsg(2) and sendmmsg(2), in Bun's event loop, for a quarter less than Bun's own. docs/adr/0050-datagrams.md
 * says why and how.
 */

import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../../ports/datagram-socket.ts";
import { boundSocket } from "../bound-udp.ts";
import type { Poller } from "../epoll/poller.ts";
import { EAGAIN } from "../errno.ts";
import { EPOLLIN, EPOLLOUT, type Libc } from "../libc.ts";
import { MmsgSocket } from "./mmsg-socket.ts";
import { ReceiveBatch } from "./receive-batch.ts";
import { SendBatch } from "./send-batch.ts";

export class MmsgSockets implements DatagramSockets {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly #received = new ReceiveBatch();
  readonly #batch = new SendBatch(this.#received.memory);
  /** Whose datagrams are in the batch. */
  #batchOwner: MmsgSocket | undefined;
  /** Datagrams are being handed out; what they cause is sent when all have been. */
  #isServing = false;

  /** @param poller - Ready before the first socket is opened. */
  constructor(c: Libc, poller: Poller) {
    this.libc = c;
    this.poller = poller;
  }

  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    const bound = boundSocket(this.libc, options);
    if (typeof bound === "string") return bound;
    const socket = new MmsgSocket(this, bound.fd, bound.port, listener);
    if (this.poller.add(bound.fd, EPOLLIN, socket)) return socket;
    this.libc.close(bound.fd);
    return "ENOMEM";
  }

  /** Puts a datagram of `socket` into the batch, which goes out at the end of what is going on now. */
  send(
    socket: MmsgSocket,
    payload: Uint8Array,
    port: number,
    address: string,
    header: Uint8Array | undefined,
    payloadSize: number,
  ): void {
    if (this.#batchOwner !== socket || this.#batch.isFullFor(payload)) {
      this.flush();
      this.#batchOwner = socket;
    }
    this.#batch.add(payload, port, address, header, payloadSize);
    if (!this.#isServing) this.flush();
  }

  /** Hands the batch to the kernel. */
  flush(): void {
    const owner = this.#batchOwner;
    if (owner === undefined) return;
    this.#batchOwner = undefined;
    const batch = this.#batch;
    const { count } = batch;
    let from = 0;
    let lost = 0;
    let payloadBytes = 0;
    while (from < count) {
      const taken = batch.send(this.libc, owner.fd, from);
      if (taken > 0) {
        payloadBytes += batch.payloadBytes(from, taken);
        from += taken;
      } else if (this.libc.errno() === EAGAIN) {
        for (let i = from; i < count; i++) owner.keep(batch.copy(i));
        break;
      } else {
        // Too long, no route, forbidden: it is counted and gone, and the others go on.
        lost++;
        from++;
      }
    }
    batch.clear();
    owner.report(from - lost, payloadBytes, lost);
  }

  /** Does what the events of a socket call for. */
  serve(socket: MmsgSocket, events: number): void {
    this.#isServing = true;
    try {
      if ((events & EPOLLOUT) !== 0) socket.handleRoom();
      // An error of the socket, too, is taken away by a read; left where it is, it would be an event for ever.
      if (events !== EPOLLOUT) this.#receive(socket);
    } finally {
      this.#isServing = false;
      this.flush();
    }
  }

  #receive(socket: MmsgSocket): void {
    const received = this.#received;
    const count = received.receive(this.libc, socket.fd);
    for (let i = 0; i < count && !socket.isClosed; i++) {
      if (received.isCut(i)) socket.listener.onLost(1);
      else socket.listener.onDatagram(received.payload(i), received.senderAddress(i), received.senderPort(i));
    }
  }
}
