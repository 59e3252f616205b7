/**
 * What a UDP socket is about to send. Datagrams are collected during a turn of the event loop and handed to the kernel
 * together, by one system call for many.
 */

import type { udp } from "bun";

/** A datagram as `sendMany` wants it: three elements. */
type Batch = (Uint8Array | number | string)[];

/** What of Bun's sockets is needed here. */
export type BatchSender = Pick<udp.Socket<"uint8array">, "sendMany">;

export interface OutboxListener {
  onSent(datagrams: number, payloadBytes: number): void;
  onLost(datagrams: number): void;
}

/** A batch goes out when it has so many datagrams, and a slow network may make us keep no more than that. */
const BATCH_DATAGRAMS_MAX = 256;
/** The same in bytes: 1 MiB. */
const BATCH_BYTES_MAX = 1_048_576;

/**
 * Where datagrams with headers are put together. One for all sockets: it is empty again after every turn. It is larger
 * than the largest datagram by far.
 */
const arena = new Uint8Array(BATCH_BYTES_MAX);
let arenaUsed = 0;

/** The outboxes that have something to send. BOUNDED by the open sockets. */
let waiting: DatagramOutbox[] = [];

function flushAll(): void {
  const boxes = waiting;
  waiting = [];
  for (const box of boxes) box.flush();
  arenaUsed = 0;
}

export class DatagramOutbox {
  readonly #sender: BatchSender;
  readonly #listener: OutboxListener;
  /** BOUNDED by the two constants above, and one datagram. */
  #batch: Batch = [];
  /** Of each datagram, its bytes without the header. */
  #payloadSizes: number[] = [];
  #bytes = 0;
  #isWaiting = false;
  /** The kernel has no room: everything stays until `handleDrain`. */
  #isBlocked = false;

  constructor(sender: BatchSender, listener: OutboxListener) {
    this.#sender = sender;
    this.#listener = listener;
  }

  /** See `DatagramSocket.send`. */
  add(payload: Uint8Array, port: number, address: string, header: Uint8Array | undefined): void {
    if (this.#isFull()) {
      if (!this.#isBlocked) this.flush();
      if (this.#isBlocked) {
        // As a router does whose link is slower than what comes in.
        this.#listener.onLost(1);
        return;
      }
    }
    const datagram = header === undefined ? payload : this.#join(header, payload);
    this.#batch.push(datagram, port, address);
    this.#payloadSizes.push(payload.length);
    this.#bytes += datagram.length;
    if (!this.#isWaiting && !this.#isBlocked) this.#wait();
  }

  handleDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.flush();
  }

  /** Hands everything to the kernel now, as far as it takes it. */
  flush(): void {
    this.#isWaiting = false;
    const count = this.#payloadSizes.length;
    if (count === 0 || this.#isBlocked) return;
    let from = 0;
    let lost = 0;
    let payloadBytes = 0;
    while (from < count) {
      const taken = this.#send(from);
      if (taken === 0) break;
      if (taken < 0) {
        lost++;
        from++;
        continue;
      }
      for (let i = from; i < from + taken; i++) payloadBytes += this.#payloadSizes[i] as number;
      from += taken;
    }
    if (from < count) this.#keep(from);
    else this.#clear();
    if (from > lost) this.#listener.onSent(from - lost, payloadBytes);
    if (lost > 0) this.#listener.onLost(lost);
  }

  /** How many datagrams the kernel took, 0 when it has no room, -1 when it refuses the one at `from`. */
  #send(from: number): number {
    try {
      return this.#sender.sendMany(from === 0 ? this.#batch : this.#batch.slice(from * 3));
    } catch (fault) {
      if (fault instanceof TypeError) throw fault;
      // Too long, no route, forbidden: which of them makes no difference to a datagram, it is counted and gone.
      return -1;
    }
  }

  /** The kernel has no room. What is left leaves the arena, which others will use. */
  #keep(from: number): void {
    this.#isBlocked = true;
    this.#batch = this.#batch.slice(from * 3);
    this.#payloadSizes = this.#payloadSizes.slice(from);
    this.#bytes = 0;
    for (let i = 0; i < this.#batch.length; i += 3) {
      const datagram = this.#batch[i] as Uint8Array;
      this.#bytes += datagram.length;
      if (datagram.buffer === arena.buffer) this.#batch[i] = datagram.slice();
    }
  }

  #clear(): void {
    this.#batch.length = 0;
    this.#payloadSizes.length = 0;
    this.#bytes = 0;
  }

  #isFull(): boolean {
    return this.#payloadSizes.length >= BATCH_DATAGRAMS_MAX || this.#bytes >= BATCH_BYTES_MAX;
  }

  #wait(): void {
    this.#isWaiting = true;
    // The end of this turn: all datagrams that came together have been read by then.
    if (waiting.push(this) === 1) setImmediate(flushAll);
  }

  #join(header: Uint8Array, payload: Uint8Array): Uint8Array {
    const size = header.length + payload.length;
    if (!this.#isBlocked && arenaUsed + size > arena.length) flushAll();
    if (this.#isBlocked) {
      const copy = new Uint8Array(size);
      copy.set(header);
      copy.set(payload, header.length);
      return copy;
    }
    arena.set(header, arenaUsed);
    arena.set(payload, arenaUsed + header.length);
    const datagram = arena.subarray(arenaUsed, arenaUsed + size);
    arenaUsed += size;
    return datagram;
  }
}
