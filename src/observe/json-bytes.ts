/**
 * JSON made as bytes, piece by piece, in memory that is used again and again: for lines that every request causes, where
 * `JSON.stringify` would need an object and a string that are thrown away at once.
 */

import { escapeControls } from "./escape-controls.ts";

const BYTES_AT_FIRST = 4096;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const POINT = 0x2e;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
/** Up to here integers are written digit by digit. */
const INT32_MAX = 0x7fff_ffff;
/** Below it, a number with three decimal places has no shorter spelling than those. */
const THOUSANDTHS_MAX = 1_000_000;

const WORD_BYTES = 4;

/** JSON that never changes, ready to be appended four bytes at a time. */
export interface Piece {
  /** Its bytes, four in each, the first one lowest, and zeros behind the last one. */
  readonly words: Uint32Array;
  /** In bytes. */
  readonly length: number;
}

/** @param text - ASCII. */
export function piece(text: string): Piece {
  const bytes = new TextEncoder().encode(text);
  const words = new Uint32Array(Math.ceil(bytes.length / WORD_BYTES));
  // Every machine that Bun runs on is little-endian.
  new Uint8Array(words.buffer).set(bytes);
  return { words, length: bytes.length };
}

export class JsonBytes {
  #bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_AT_FIRST);
  /** Of `#bytes`. */
  #view: DataView = viewOf(this.#bytes);
  #length = 0;

  /** What has been made is at its beginning. It stays valid until more is made. BOUNDED by the longest line. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets everything behind the first `length` bytes. */
  cut(length: number): void {
    this.#length = length;
  }

  /** Appends what is JSON already. */
  raw({ words, length }: Piece): void {
    this.#makeRoom(words.length * WORD_BYTES);
    const out = this.#view;
    const at = this.#length;
    for (let i = 0; i < words.length; i++) out.setUint32(at + i * WORD_BYTES, words[i] as number, true);
    this.#length = at + length;
  }

  /** Appends a string: what `JSON.stringify` says of it, control characters escaped (`escapeControls`). */
  string(text: string): void {
    const start = this.#length;
    this.#byte(QUOTE);
    if (this.plain(text)) {
      this.#byte(QUOTE);
      return;
    }
    this.#length = start;
    this.value(text);
  }

  /**
   * Appends characters of a string that need no escape, and no second byte.
   *
   * @returns Whether all of them are such; where not, nothing has been appended.
   */
  plain(text: string): boolean {
    this.#makeRoom(text.length);
    const out = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < FIRST_PRINTABLE || code > LAST_PRINTABLE || code === QUOTE || code === BACKSLASH) return false;
      out[at + i] = code;
    }
    this.#length = at + text.length;
    return true;
  }

  /** Appends a number as `JSON.stringify` writes it. */
  number(value: number): void {
    if (value >= 0 && value <= INT32_MAX && Number.isInteger(value)) {
      this.#integer(value);
      return;
    }
    const thousandths = Math.round(value * 1000);
    if (value > 0 && value < THOUSANDTHS_MAX && thousandths / 1000 === value) this.#decimal(thousandths);
    else this.value(value);
  }

  /** Appends any value, by way of `JSON.stringify`. */
  value(value: unknown): void {
    const text = escapeControls(JSON.stringify(value));
    // A unit of UTF-16 has at most three bytes in UTF-8.
    this.#makeRoom(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** @param value - A whole number, 0 to 2³¹ - 1. */
  #integer(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    this.#makeRoom(digits);
    this.#digits(value, digits);
  }

  /** The last `count` digits of `value`, for which there is room. */
  #digits(value: number, count: number): void {
    const out = this.#bytes;
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const tenth = (rest / 10) | 0;
      out[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += count;
  }

  /** A number of thousandths that is no whole number of ones. */
  #decimal(thousandths: number): void {
    this.#integer(Math.floor(thousandths / 1000));
    let rest = thousandths % 1000;
    let places = 3;
    while (rest % 10 === 0) {
      rest /= 10;
      places--;
    }
    this.#makeRoom(1 + places);
    this.#byte(POINT);
    this.#digits(rest, places);
  }

  #byte(byte: number): void {
    this.#makeRoom(1);
    this.#bytes[this.#length] = byte;
    this.#length++;
  }

  #makeRoom(count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(this.#length + count);
  }

  #grow(bytesMin: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, bytesMin));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
