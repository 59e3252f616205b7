/**
 * Puts fragments together (RFC 9260 §6.9) and messages in order (§6.6), for one stream.
 *
 * Chunks are handed in strictly by TSN, so the fragments of a message follow one another. An unordered message is handed
 * on as soon as it is whole; only it does not overtake a missing TSN, as §6.6 would have it.
 */

import { DataFlag } from "../chunks/data.ts";
import { ssnBefore, ssnNext } from "../serial.ts";

/** What a message is made from: a DATA chunk without its TSN. */
export interface Fragment {
  readonly streamSeq: number;
  readonly ppid: number;
  readonly flags: number;
  readonly userData: Uint8Array;
}

/** A whole message. */
export interface Message {
  readonly ppid: number;
  /** A copy. */
  readonly bytes: Uint8Array;
}

/** What became of a fragment. */
export type Assembled =
  | "taken"
  /** The fragments do not follow one another as §6.9 says, or a sequence number came twice. */
  | "violation"
  /** The message is longer than we accept. */
  | "too-long";

/** A message of which the end is still missing. */
interface Partial {
  readonly streamSeq: number;
  readonly ppid: number;
  readonly unordered: boolean;
  /** Grows by doubling. BOUNDED by messageBytesMax. */
  buffer: Uint8Array;
  size: number;
}

/** A small first buffer: most messages are one fragment and never need it. */
const FIRST_BUFFER_BYTES = 4_096;

/** The fragments and messages of one stream. */
export class Reassembly {
  readonly #messageBytesMax: number;
  #partial: Partial | undefined;
  #nextSeq = 0;
  /** Ordered messages whose predecessor is missing, by sequence number. BOUNDED by the receive window. */
  readonly #waiting = new Map<number, Message>();
  #waitingBytes = 0;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** The bytes held: of the unfinished message, and of those that wait for their turn. */
  get bytes(): number {
    return (this.#partial?.size ?? 0) + this.#waitingBytes;
  }

  /** The number of messages that wait for their turn. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes the fragment that follows the one before by TSN, and gives what it completed to `deliver`. */
  add(fragment: Fragment, deliver: (message: Message) => void): Assembled {
    const begins = (fragment.flags & DataFlag.Beginning) !== 0;
    const ends = (fragment.flags & DataFlag.End) !== 0;
    const unordered = (fragment.flags & DataFlag.Unordered) !== 0;
    if (begins !== (this.#partial === undefined)) return "violation";
    if (begins && ends) {
      if (fragment.userData.length > this.#messageBytesMax) return "too-long";
      return this.#complete(fragment, unordered, fragment.userData.slice(), deliver);
    }
    this.#partial ??= {
      streamSeq: fragment.streamSeq,
      ppid: fragment.ppid,
      unordered,
      buffer: new Uint8Array(FIRST_BUFFER_BYTES),
      size: 0,
    };
    const partial = this.#partial;
    //= rfc9260#6.9/reassemble
    if (partial.unordered !== unordered || (!unordered && partial.streamSeq !== fragment.streamSeq)) return "violation";
    if (partial.size + fragment.userData.length > this.#messageBytesMax) return "too-long";
    append(partial, fragment.userData);
    if (!ends) return "taken";
    this.#partial = undefined;
    return this.#complete(partial, unordered, partial.buffer.slice(0, partial.size), deliver);
  }

  #complete(
    { streamSeq, ppid }: { readonly streamSeq: number; readonly ppid: number },
    unordered: boolean,
    bytes: Uint8Array,
    deliver: (message: Message) => void,
  ): Assembled {
    const message = { ppid, bytes };
    //= rfc9260#6.6/unordered
    if (unordered) {
      deliver(message);
      return "taken";
    }
    //= rfc9260#6.6/ordered
    if (streamSeq !== this.#nextSeq) {
      if (ssnBefore(streamSeq, this.#nextSeq) || this.#waiting.has(streamSeq)) return "violation";
      this.#waiting.set(streamSeq, message);
      this.#waitingBytes += bytes.length;
      return "taken";
    }
    deliver(message);
    this.#nextSeq = ssnNext(this.#nextSeq);
    for (let next = this.#waiting.get(this.#nextSeq); next !== undefined; next = this.#waiting.get(this.#nextSeq)) {
      this.#waiting.delete(this.#nextSeq);
      this.#waitingBytes -= next.bytes.length;
      deliver(next);
      this.#nextSeq = ssnNext(this.#nextSeq);
    }
    return "taken";
  }
}

function append(partial: Partial, bytes: Uint8Array): void {
  const size = partial.size + bytes.length;
  if (size > partial.buffer.length) {
    const larger = new Uint8Array(Math.max(size, 2 * partial.buffer.length));
    larger.set(partial.buffer.subarray(0, partial.size));
    partial.buffer = larger;
  }
  partial.buffer.set(bytes, partial.size);
  partial.size = size;
}
