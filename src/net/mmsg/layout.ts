/**
 * `struct mmsghdr`, `struct iovec` and socket addresses in memory of our own, as 32-bit words. The same on x64 and arm64:
 * 64 bits, little-endian.
 *
 * ```txt
 * mmsghdr, 64 bytes:  name *  |  namelen, -  |  iov *  |  iovlen  |  control *  |  controllen  |  flags, -  |  len, -
 * iovec, 16 bytes:    base *  |  len
 * ```
 */

import { type Pointer, ptr } from "bun:ffi";

export const MESSAGE_WORDS = 16;
export const NAME = 0;
export const NAME_SIZE = 2;
export const IOV = 4;
export const IOV_COUNT = 6;
export const FLAGS = 12;
export const LENGTH = 14;

export const IOVEC_WORDS = 4;
export const IOVEC_SIZE = 2;

/** Room for either family's address: 28 bytes, rounded up. */
export const ADDRESS_WORDS = 8;

const LOW = 0x1_0000_0000;

/**
 * Where `memory` lies. Kept although that is against the rule of `libc.ts`, because the messages must hold it: the memory is
 * never freed, and every call gets the memory itself, too.
 */
export function addressOf(memory: Uint8Array | Uint32Array): number {
  return ptr(memory) as Pointer as unknown as number;
}

/** Writes a pointer into two words. */
export function writePointer(words: Uint32Array, at: number, address: number): void {
  words[at] = address % LOW;
  words[at + 1] = address / LOW;
}
