/**
 * UDP sockets by recvmmsg(2) and sendmmsg(2), in Bun's event loop, for a quarter less than Bun's own. docs/adr/0050-datagrams.md
 * says why and how. Where the event loop cannot be had, `isReady` stays false.
 */

import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../../ports/datagram-socket.ts";
import { boundSocket } from "../bound-udp.ts";
import { Epoll } from "../epoll/epoll.ts";
import { LoopWake, PROBE_ID } from "../epoll/loop-wake.ts";
import { EAGAIN } from "../errno.ts";
import { EPOLLIN, EPOLLOUT, type Libc, libc } from "../libc.ts";
import { inTurn } from "../system-clock.ts";
import { MmsgSocket } from "./mmsg-socket.ts";
import { ReceiveBatch } from "./receive-batch.ts";
import { SendBatch } from "./send-batch.ts";

export class MmsgSockets implements DatagramSockets {
  readonly libc: Libc;
  readonly epoll: Epoll;
  readonly #wake: LoopWake;
  readonly #received = new ReceiveBatch();
  readonly #batch = new SendBatch(this.#received.memory);
  /** Whose datagrams are in the batch. */
  #batchOwner: MmsgSocket | undefined;
  /** Datagrams are being handed out; what they cause is sent when all have been. */
  #isServing = false;
  /** BOUNDED by the open sockets. */
  readonly #sockets = new Map<number, MmsgSocket>();
  #nextId = PROBE_ID + 1;
  /** Settles when the way into the event loop is proven. For tests: nobody else needs to wait. */
  readonly ready: Promise<void>;

  private constructor(c: Libc, epoll: Epoll) {
    this.libc = c;
    this.epoll = epoll;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#wake = new LoopWake(c, epoll, () => inTurn(() => epoll.poll(this.#handleEvent)), resolve);
  }

  /** Such sockets, where the system has what they need. They can be had some turns of the event loop later. */
  static open(c: Libc | undefined = libc): MmsgSockets | undefined {
    const epoll = c === undefined ? undefined : Epoll.open(c);
    return c === undefined || epoll === undefined ? undefined : new MmsgSockets(c, epoll);
  }

  get isReady(): boolean {
    return this.#wake.isReady;
  }

  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    const bound = boundSocket(this.libc, options);
    if (typeof bound === "string") return bound;
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? PROBE_ID + 1 : id + 1;
    if (!this.epoll.add(bound.fd, EPOLLIN, id)) {
      this.libc.close(bound.fd);
      return "ENOMEM";
    }
    const socket = new MmsgSocket(this, bound.fd, bound.port, id, listener);
    this.#sockets.set(id, socket);
    this.#wake.keepsAlive = true;
    return socket;
  }

  /** Frees everything. No socket may be open. */
  close(): void {
    this.#wake.close();
    this.epoll.close();
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

  forget(id: number): void {
    this.#sockets.delete(id);
    if (this.#sockets.size === 0) this.#wake.keepsAlive = false;
  }

  readonly #handleEvent = (events: number, id: number): void => {
    const socket = this.#sockets.get(id);
    // Closed by an earlier event of the same look.
    if (socket === undefined) return;
    this.#isServing = true;
    try {
      if ((events & EPOLLOUT) !== 0) socket.handleRoom();
      // An error of the socket, too, is taken away by a read; left where it is, it would be an event for ever.
      if (events !== EPOLLOUT) this.#receive(socket);
    } catch (fault) {
      // A bug of ours: what peers do never throws. The one socket ends, the others live on, and the program hears of it.
      socket.close();
      reportError(fault);
    } finally {
      this.#isServing = false;
      this.flush();
    }
  };

  #receive(socket: MmsgSocket): void {
    const received = this.#received;
    const count = received.receive(this.libc, socket.fd);
    for (let i = 0; i < count && !socket.isClosed; i++) {
      if (received.isCut(i)) socket.listener.onLost(1);
      else socket.listener.onDatagram(received.payload(i), received.senderAddress(i), received.senderPort(i));
    }
  }
}
