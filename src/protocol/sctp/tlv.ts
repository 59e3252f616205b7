/**
 * The two shapes that all of SCTP is made of, both of them type, length, value, and zeros up to a multiple of four:
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * |     Type      |     Flags     |            Length             |  a chunk (RFC 9260 §3.2)
 * +---------------+---------------+-------------------------------+
 * |             Type              |            Length             |  a parameter (§3.2.1), a cause (§3.3.10)
 * +-------------------------------+-------------------------------+
 * \                             Value                             \
 * +---------------------------------------------------------------+
 * ```
 *
 * The length counts the header and the value, not the zeros.
 */

import type { PacketDecoded } from "../../bytes/decoded.ts";
import { readU8, readU16 } from "../../bytes/read.ts";
import { writeBytes, writeU8, writeU16 } from "../../bytes/write.ts";
import { TLV_HEADER_BYTES } from "./constants.ts";

/** A chunk with its value still in bytes. */
export interface RawChunk {
  readonly type: number;
  readonly flags: number;
  /** What follows the header, without padding. A view of the packet. */
  readonly value: Uint8Array;
  /** The whole chunk, without padding. A view of the packet. */
  readonly bytes: Uint8Array;
}

/** A parameter or an error cause with its value still in bytes. */
export interface RawTlv {
  readonly type: number;
  /** What follows the header, without padding. A view of the packet. */
  readonly value: Uint8Array;
  /** The whole of it, without padding. A view of the packet. */
  readonly bytes: Uint8Array;
}

/** `size` rounded up to a multiple of four. */
export function padded(size: number): number {
  return (size + 3) & ~3;
}

/**
 * Cuts `bytes` into the pieces whose lengths they state; `undefined` when a length is below that of a header or beyond
 * the end. The padding of the last piece may be missing.
 */
function cut(bytes: Uint8Array): Uint8Array[] | undefined {
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < TLV_HEADER_BYTES) return undefined;
    const length = readU16(bytes, at + 2);
    if (length < TLV_HEADER_BYTES || length > bytes.length - at) return undefined;
    pieces.push(bytes.subarray(at, at + length));
    at += padded(length);
  }
  return pieces;
}

/** Cuts what follows the common header into chunks. */
export function decodeChunks(bytes: Uint8Array): PacketDecoded<RawChunk[], "malformed-chunk"> {
  const pieces = cut(bytes);
  if (pieces === undefined) return { kind: "invalid", fault: "malformed-chunk" };
  const value = pieces.map((piece) => ({
    type: readU8(piece, 0),
    flags: readU8(piece, 1),
    value: piece.subarray(TLV_HEADER_BYTES),
    bytes: piece,
  }));
  return { kind: "done", value };
}

/** Cuts the variable part of a chunk into parameters or causes. */
export function decodeTlvs(bytes: Uint8Array): PacketDecoded<RawTlv[], "malformed-chunk"> {
  const pieces = cut(bytes);
  if (pieces === undefined) return { kind: "invalid", fault: "malformed-chunk" };
  const value = pieces.map((piece) => ({
    type: readU16(piece, 0),
    value: piece.subarray(TLV_HEADER_BYTES),
    bytes: piece,
  }));
  return { kind: "done", value };
}

/** A chunk in fresh bytes, padded with zeros. The last parameter in `value` needs no padding of its own. */
export function encodeChunk(type: number, flags: number, value: Uint8Array): Uint8Array {
  const length = TLV_HEADER_BYTES + value.length;
  //= rfc9260#3.2/padding
  // Fresh bytes are zeros, so the padding is, too.
  const out = new Uint8Array(padded(length));
  let at = writeU8(out, 0, type);
  at = writeU8(out, at, flags);
  at = writeU16(out, at, length);
  writeBytes(out, at, value);
  return out;
}

/** A parameter or a cause in fresh bytes, not padded: what ends a chunk is padded by the chunk. */
export function encodeTlv(type: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(TLV_HEADER_BYTES + value.length);
  let at = writeU16(out, 0, type);
  at = writeU16(out, at, out.length);
  writeBytes(out, at, value);
  return out;
}

/** The pieces behind one another, each but the last padded with zeros. */
export function joinTlvs(pieces: readonly Uint8Array[]): Uint8Array {
  const last = pieces.at(-1);
  if (last === undefined) return new Uint8Array(0);
  const size = pieces.slice(0, -1).reduce((sum, piece) => sum + padded(piece.length), last.length);
  const out = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += padded(piece.length);
  }
  return out;
}
