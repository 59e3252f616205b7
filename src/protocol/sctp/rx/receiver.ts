/**
 * The receiving half of an association: keeps what fits into the receive window, acknowledges only what it keeps, and
 * hands on whole messages in order (RFC 9260 §6.2).
 */

import type { DataChunk } from "../chunks/data.ts";
import type { SackChunk } from "../chunks/sack.ts";
import { A_RWND_MIN, MESSAGE_OVERHEAD_BYTES, STREAMS } from "../constants.ts";
import { type Tsn, tsnAdd, tsnBefore } from "../serial.ts";
import { DataTracker } from "./data-tracker.ts";
import { type Assembled, type Fragment, type Message, Reassembly } from "./reassembly.ts";

/** What became of a DATA chunk. All but "violation" and "too-long" are harmless. */
export type Received =
  | "kept"
  /** Acknowledged like any other, and thrown away: we have no such stream (RFC 9260 §6.5). */
  | "bad-stream"
  | "duplicate"
  | "no-room"
  | "violation"
  | "too-long";

/** The sizes that bound a receiver. */
export interface ReceiverLimits {
  readonly receiveWindowBytes: number;
  readonly messageBytesMax: number;
}

/** Stands for a chunk of a stream that we do not have: its TSN counts, its data does not. */
const UNWANTED: unique symbol = Symbol("unwanted");

/** The receiving half of an association. */
export class Receiver {
  readonly #windowBytes: number;
  readonly #tracker: DataTracker;
  readonly #reassembly: Reassembly;
  /** Copies of chunks beyond a gap, by TSN. BOUNDED by the receive window, in which each counts with an overhead. */
  readonly #early = new Map<Tsn, Fragment | typeof UNWANTED>();
  #earlyBytes = 0;
  /** Whole messages that nobody has taken yet. BOUNDED by the receive window likewise. */
  readonly #ready: Message[] = [];
  #readyBytes = 0;

  constructor(initialTsn: Tsn, limits: ReceiverLimits) {
    this.#windowBytes = limits.receiveWindowBytes;
    this.#tracker = new DataTracker(initialTsn);
    this.#reassembly = new Reassembly(limits.messageBytesMax);
  }

  /** The last TSN up to which nothing is missing. */
  get cumulativeTsn(): Tsn {
    return this.#tracker.cumulativeTsn;
  }

  /** Whether something is missing below the highest TSN. */
  get hasGaps(): boolean {
    return this.#tracker.hasGaps;
  }

  /** The bytes held, with 64 for each chunk or message that is held apart. */
  get bytes(): number {
    const apart = this.#early.size + this.#ready.length + this.#reassembly.waitingCount;
    return this.#earlyBytes + this.#readyBytes + this.#reassembly.bytes + apart * MESSAGE_OVERHEAD_BYTES;
  }

  get #free(): number {
    return this.#windowBytes - this.bytes;
  }

  /** The window to advertise. Less than a good packet counts as nothing, against silly windows (RFC 9260 §6.2). */
  get aRwnd(): number {
    //= rfc9260#6.2/sws
    return this.#free < A_RWND_MIN ? 0 : this.#free;
  }

  /** Takes a chunk with user data. What is kept is copied. */
  receive(chunk: DataChunk): Received {
    const { tsn } = chunk;
    const standing = this.#tracker.standing(tsn);
    if (standing === "duplicate") {
      this.#tracker.addDuplicate(tsn);
      return "duplicate";
    }
    if (standing === "out-of-reach" || !this.#makeRoom(chunk)) return "no-room";
    this.#tracker.add(tsn);
    //= rfc9260#6.5/invalid-stream
    const wanted = chunk.streamId < STREAMS;
    if (standing === "ahead") this.#keepEarly(chunk, wanted);
    else {
      const assembled = this.#assemble(tsn, wanted ? chunk : UNWANTED);
      if (assembled !== "taken") return assembled;
    }
    return wanted ? "kept" : "bad-stream";
  }

  #keepEarly(chunk: DataChunk, wanted: boolean): void {
    if (!wanted) {
      this.#early.set(chunk.tsn, UNWANTED);
      return;
    }
    const userData = chunk.userData.slice();
    this.#early.set(chunk.tsn, { streamSeq: chunk.streamSeq, ppid: chunk.ppid, flags: chunk.flags, userData });
    this.#earlyBytes += userData.length;
  }

  /** Takes the early chunk with this TSN out. */
  #takeEarly(tsn: Tsn): Fragment | typeof UNWANTED | undefined {
    const fragment = this.#early.get(tsn);
    if (fragment === undefined) return undefined;
    this.#early.delete(tsn);
    if (fragment !== UNWANTED) this.#earlyBytes -= fragment.userData.length;
    return fragment;
  }

  /**
   * Whether there is room for the chunk, if need be by dropping the highest TSNs beyond the gaps, which have not been
   * acknowledged for good.
   */
  #makeRoom({ tsn, userData }: DataChunk): boolean {
    //= rfc9260#6.2/zero-window-drop
    //= rfc9260#6.2/no-room-drop
    if (!tsnBefore(tsn, this.#tracker.highestTsn)) return this.aRwnd > 0 && userData.length <= this.#free;
    while (this.#free < userData.length && tsnBefore(tsn, this.#tracker.highestTsn)) this.#dropHighest();
    return userData.length <= this.#free;
  }

  #dropHighest(): void {
    this.#takeEarly(this.#tracker.highestTsn);
    this.#tracker.removeHighest();
  }

  /** Hands on the chunk that closes the gap, and those held behind it. */
  #assemble(first: Tsn, chunk: Fragment | typeof UNWANTED): Assembled {
    const deliver = (message: Message): void => {
      this.#ready.push(message);
      this.#readyBytes += message.bytes.length;
    };
    let tsn = first;
    let fragment: Fragment | typeof UNWANTED | undefined = chunk;
    while (fragment !== undefined) {
      const assembled = fragment === UNWANTED ? "taken" : this.#reassembly.add(fragment, deliver);
      if (assembled !== "taken") return assembled;
      tsn = tsnAdd(tsn, 1);
      fragment = this.#takeEarly(tsn);
    }
    return "taken";
  }

  /** The next whole message, if there is one. */
  takeMessage(): Message | undefined {
    const message = this.#ready.shift();
    if (message !== undefined) this.#readyBytes -= message.bytes.length;
    return message;
  }

  /** What to acknowledge now, with at most `entriesMax` gap ack blocks and duplicates together. */
  sack(entriesMax: number): SackChunk {
    //= rfc9260#6.2/ack-only-kept
    //= rfc9260#6.2/all-gaps
    const gapAckBlocks = this.#tracker.gapAckBlocks(entriesMax);
    const duplicateTsns = this.#tracker.takeDuplicates().slice(0, entriesMax - gapAckBlocks.length);
    return { cumulativeTsnAck: this.cumulativeTsn, aRwnd: this.aRwnd, gapAckBlocks, duplicateTsns };
  }
}
