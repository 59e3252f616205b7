/**
 * Sends many datagrams of one socket by one system call. A payload that was just received is sent from where it lies; any
 * other one is copied once. A header costs no copy of the payload: the two lie apart, and the kernel joins them.
 */

import { parseIp } from "../../bytes/ip.ts";
import { AF_INET, type Libc, MSG_DONTWAIT, MSG_NOSIGNAL } from "../libc.ts";
import { SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES, writeSockaddr } from "../sockaddr.ts";
import {
  ADDRESS_WORDS,
  addressOf,
  IOV,
  IOV_COUNT,
  IOVEC_SIZE,
  IOVEC_WORDS,
  MESSAGE_WORDS,
  NAME,
  NAME_SIZE,
  writePointer,
} from "./layout.ts";

/** Datagrams that one call sends. */
const COUNT = 64;
/** A header of RFC 1928 for IPv6 has 22 bytes. */
const HEADER_WORDS = 8;
const HEADER_BYTES_MAX = 4 * HEADER_WORDS;
/** Payloads from elsewhere: several of the largest. */
const STAGING_BYTES = 262_144;
/** Addresses that are kept as the kernel wants them. Then all are forgotten and made anew. */
const ADDRESSES_MAX = 4096;

const MESSAGES = 0;
const IOVECS = MESSAGES + COUNT * MESSAGE_WORDS;
const ADDRESSES = IOVECS + COUNT * 2 * IOVEC_WORDS;
const HEADERS = ADDRESSES + COUNT * ADDRESS_WORDS;
const WORDS = HEADERS + COUNT * HEADER_WORDS;

/** A datagram that waits for room in the kernel, its header joined. */
export interface KeptDatagram {
  readonly bytes: Uint8Array;
  readonly payloadSize: number;
  readonly port: number;
  readonly address: string;
}

export class SendBatch {
  readonly #memory: Uint8Array;
  readonly #memoryAt: number;
  readonly #words: Uint32Array = new Uint32Array(WORDS);
  readonly #bytes: Uint8Array = new Uint8Array(this.#words.buffer);
  readonly #staging: Uint8Array = new Uint8Array(STAGING_BYTES);
  readonly #stagingAt: number;
  #staged = 0;
  /** Of each datagram: what was given, and its bytes without a header that is part of it. BOUNDED by {@link COUNT}. */
  readonly #payloads: Uint8Array[] = [];
  readonly #ports: number[] = [];
  readonly #texts: string[] = [];
  readonly #payloadSizes: number[] = [];
  /** By text: a socket address without its port. BOUNDED by {@link ADDRESSES_MAX}. */
  readonly #addresses = new Map<string, Uint32Array>();
  #lastText = "";
  #last: Uint32Array = new Uint32Array(ADDRESS_WORDS);
  #count = 0;

  /** @param memory - Of the receiving side: payloads that lie there need no copy. */
  constructor(memory: Uint8Array) {
    this.#memory = memory;
    this.#memoryAt = addressOf(memory);
    this.#stagingAt = addressOf(this.#staging);
    const wordsAt = addressOf(this.#words);
    for (let i = 0; i < COUNT; i++) {
      const message = MESSAGES + i * MESSAGE_WORDS;
      writePointer(this.#words, message + NAME, wordsAt + 4 * (ADDRESSES + i * ADDRESS_WORDS));
      const iovecs = IOVECS + i * 2 * IOVEC_WORDS;
      writePointer(this.#words, message + IOV, wordsAt + 4 * iovecs);
      writePointer(this.#words, iovecs, wordsAt + 4 * (HEADERS + i * HEADER_WORDS));
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Whether there is no place for one more such payload before a `clear`. */
  isFullFor(payload: Uint8Array): boolean {
    return this.#count === COUNT || this.#staged + payload.length > STAGING_BYTES;
  }

  /**
   * Adds a datagram. There is place for it.
   *
   * @param address - An IP literal.
   * @param header - At most 32 bytes.
   * @param payloadSize - How much of it counts as payload.
   */
  add(payload: Uint8Array, port: number, address: string, header: Uint8Array | undefined, payloadSize: number): void {
    const i = this.#count++;
    const words = this.#words;
    const message = MESSAGES + i * MESSAGE_WORDS;
    const known = address === this.#lastText ? this.#last : this.#find(address);
    const at = ADDRESSES + i * ADDRESS_WORDS;
    for (let word = 0; word < ADDRESS_WORDS; word++) words[at + word] = known[word] as number;
    this.#bytes[4 * at + 2] = port >> 8;
    this.#bytes[4 * at + 3] = port;
    words[message + NAME_SIZE] = ((known[0] as number) & 0xff) === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
    const headerSize = header === undefined ? 0 : header.length;
    if (header !== undefined) {
      if (headerSize > HEADER_BYTES_MAX) throw new RangeError(`a header of ${headerSize} bytes`);
      this.#bytes.set(header, 4 * (HEADERS + i * HEADER_WORDS));
    }
    // The header's place comes first, and may be empty.
    const iovecs = IOVECS + i * 2 * IOVEC_WORDS;
    words[iovecs + IOVEC_SIZE] = headerSize;
    writePointer(words, iovecs + IOVEC_WORDS, this.#place(payload));
    words[iovecs + IOVEC_WORDS + IOVEC_SIZE] = payload.length;
    words[message + IOV_COUNT] = 2;
    this.#payloads[i] = payload;
    this.#ports[i] = port;
    this.#texts[i] = address;
    this.#payloadSizes[i] = payloadSize;
  }

  /** A copy of a datagram that was added, for later. */
  copy(index: number): KeptDatagram {
    const payload = this.#payloads[index] as Uint8Array;
    const headerSize = this.#words[IOVECS + index * 2 * IOVEC_WORDS + IOVEC_SIZE] as number;
    const headerAt = 4 * (HEADERS + index * HEADER_WORDS);
    const bytes = new Uint8Array(headerSize + payload.length);
    bytes.set(this.#bytes.subarray(headerAt, headerAt + headerSize));
    bytes.set(payload, headerSize);
    return {
      bytes,
      payloadSize: this.#payloadSizes[index] as number,
      port: this.#ports[index] as number,
      address: this.#texts[index] as string,
    };
  }

  /**
   * Hands the datagrams from number `from` on to the kernel.
   *
   * @returns How many it took; -1 with an errno when it did not take the first.
   */
  send(c: Libc, fd: number, from: number): number {
    const messages = from === 0 ? this.#words : this.#words.subarray(from * MESSAGE_WORDS);
    return c.sendmmsg(fd, messages, this.#count - from, MSG_DONTWAIT | MSG_NOSIGNAL, this.#memory, this.#staging);
  }

  /** Payload bytes of `count` datagrams from number `from` on. */
  payloadBytes(from: number, count: number): number {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += this.#payloadSizes[i] as number;
    return sum;
  }

  clear(): void {
    this.#count = 0;
    this.#staged = 0;
  }

  /** Where the payload lies for the kernel. */
  #place(payload: Uint8Array): number {
    if (payload.buffer === this.#memory.buffer) return this.#memoryAt + payload.byteOffset;
    this.#staging.set(payload, this.#staged);
    const at = this.#stagingAt + this.#staged;
    this.#staged += payload.length;
    return at;
  }

  #find(text: string): Uint32Array {
    let found = this.#addresses.get(text);
    if (found === undefined) {
      const ip = parseIp(text);
      if (ip === undefined) throw new TypeError(`${text} is no IP address`);
      found = new Uint32Array(ADDRESS_WORDS);
      writeSockaddr(ip, 0, new Uint8Array(found.buffer, 0, SOCKADDR_IN6_BYTES));
      if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
      this.#addresses.set(text, found);
    }
    this.#lastText = text;
    this.#last = found;
    return found;
  }
}
