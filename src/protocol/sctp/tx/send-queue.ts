/** Messages that wait to be sent, and their cutting into fragments (RFC 9260 §6.9). */

import { DataFlag, USER_DATA_BYTES_MAX } from "../chunks/data.ts";
import { ssnNext } from "../serial.ts";

/** A piece of a message, as a DATA chunk will carry it. */
export interface OutgoingFragment {
  readonly streamSeq: number;
  readonly flags: number;
  /** A view of the queue's own copy of the message; nobody changes it. */
  readonly userData: Uint8Array;
}

/** First in, first out. */
export class SendQueue {
  /** BOUNDED by sendBufferBytes: the caller asks before he adds. */
  readonly #messages: Uint8Array[] = [];
  /** What of the first message is already on its way. */
  #offset = 0;
  #nextSeq = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Takes a copy of a message of at least one byte. */
  add(message: Uint8Array): void {
    this.#messages.push(message.slice());
  }

  /** The size of the user data that {@link take} would give; 0 when there is nothing. */
  get nextBytes(): number {
    const message = this.#messages[0];
    return message === undefined ? 0 : Math.min(USER_DATA_BYTES_MAX, message.length - this.#offset);
  }

  /** The next fragment: as much as one packet holds. */
  take(): OutgoingFragment | undefined {
    const message = this.#messages[0];
    if (message === undefined) return undefined;
    //= rfc9260#6.9/fragment
    const userData = message.subarray(this.#offset, this.#offset + USER_DATA_BYTES_MAX);
    const begins = this.#offset === 0;
    this.#offset += userData.length;
    const ends = this.#offset === message.length;
    //= rfc9260#6.9/flags
    const flags = (begins ? DataFlag.Beginning : 0) | (ends ? DataFlag.End : 0);
    const streamSeq = this.#nextSeq;
    if (ends) {
      this.#messages.shift();
      this.#offset = 0;
      //= rfc9260#6.5/ssn
      this.#nextSeq = ssnNext(this.#nextSeq);
    }
    return { streamSeq, flags, userData };
  }
}
