/**
 * Receives many datagrams by one system call, each into a place of its own that the next call uses again. Nothing is
 * allocated for a datagram but the view by which it is handed on.
 */

import { formatIp } from "../../bytes/ip.ts";
import { AF_INET, type Libc, MSG_DONTWAIT, MSG_TRUNC } from "../libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES } from "../sockaddr.ts";
import {
  ADDRESS_WORDS,
  addressOf,
  FLAGS,
  IOV,
  IOV_COUNT,
  IOVEC_SIZE,
  IOVEC_WORDS,
  LENGTH,
  MESSAGE_WORDS,
  NAME,
  NAME_SIZE,
  writePointer,
} from "./layout.ts";

/** Datagrams that one call takes. What is left comes with the next look, after everybody else's. */
const COUNT = 32;
/** The largest datagram that there is, and a few bytes more. */
const PLACE_BYTES = 65_536;
/** IPv4 addresses whose text is kept. Then all are forgotten and written anew. */
const TEXTS_MAX = 4096;

const MESSAGES = 0;
const IOVECS = MESSAGES + COUNT * MESSAGE_WORDS;
const ADDRESSES = IOVECS + COUNT * IOVEC_WORDS;
const WORDS = ADDRESSES + COUNT * ADDRESS_WORDS;

export class ReceiveBatch {
  /** Where the datagrams lie until the next `receive`. */
  readonly memory: Uint8Array = new Uint8Array(COUNT * PLACE_BYTES);
  readonly #words: Uint32Array = new Uint32Array(WORDS);
  readonly #bytes: Uint8Array = new Uint8Array(this.#words.buffer);
  /** BOUNDED by {@link TEXTS_MAX}. */
  readonly #texts = new Map<number, string>();
  #lastAddress = -1;
  #lastText = "";

  constructor() {
    const words = this.#words;
    const wordsAt = addressOf(words);
    const memoryAt = addressOf(this.memory);
    for (let i = 0; i < COUNT; i++) {
      const message = MESSAGES + i * MESSAGE_WORDS;
      const iovec = IOVECS + i * IOVEC_WORDS;
      writePointer(words, message + NAME, wordsAt + 4 * (ADDRESSES + i * ADDRESS_WORDS));
      words[message + NAME_SIZE] = SOCKADDR_IN6_BYTES;
      writePointer(words, message + IOV, wordsAt + 4 * iovec);
      words[message + IOV_COUNT] = 1;
      writePointer(words, iovec, memoryAt + i * PLACE_BYTES);
      words[iovec + IOVEC_SIZE] = PLACE_BYTES;
    }
  }

  /** Receives what is there; returns how many datagrams that are, 0 when there are none. */
  receive(c: Libc, fd: number): number {
    const words = this.#words;
    const count = c.recvmmsg(fd, words, COUNT, MSG_DONTWAIT, null, this.memory);
    // The kernel has written how long each address really is.
    for (let i = 0; i < count; i++) words[MESSAGES + i * MESSAGE_WORDS + NAME_SIZE] = SOCKADDR_IN6_BYTES;
    return Math.max(0, count);
  }

  /** Whether the datagram was longer than its place. */
  isCut(index: number): boolean {
    return ((this.#words[MESSAGES + index * MESSAGE_WORDS + FLAGS] as number) & MSG_TRUNC) !== 0;
  }

  /** The datagram: a view that is valid until the next `receive`. */
  payload(index: number): Uint8Array {
    const start = index * PLACE_BYTES;
    return this.memory.subarray(start, start + (this.#words[MESSAGES + index * MESSAGE_WORDS + LENGTH] as number));
  }

  senderPort(index: number): number {
    const at = 4 * (ADDRESSES + index * ADDRESS_WORDS);
    return ((this.#bytes[at + 2] as number) << 8) | (this.#bytes[at + 3] as number);
  }

  /** The sender's address as text; the same string for the same IPv4 address, as long as it is remembered. */
  senderAddress(index: number): string {
    const at = ADDRESSES + index * ADDRESS_WORDS;
    const isIpv4 = ((this.#words[at] as number) & 0xffff) === AF_INET;
    if (!isIpv4) return formatIp(readSockaddr(this.#bytes.subarray(4 * at, 4 * at + SOCKADDR_IN6_BYTES)).ip);
    const address = this.#words[at + 1] as number;
    if (address !== this.#lastAddress) {
      this.#lastText = this.#texts.get(address) ?? this.#remember(address, 4 * at + 4);
      this.#lastAddress = address;
    }
    return this.#lastText;
  }

  #remember(address: number, at: number): string {
    if (this.#texts.size >= TEXTS_MAX) this.#texts.clear();
    const text = formatIp(this.#bytes, at, 4);
    this.#texts.set(address, text);
    return text;
  }
}
