/**
 * The chunks that are nothing but a header: COOKIE ACK (RFC 9260 §3.3.12), SHUTDOWN ACK (§3.3.9) and SHUTDOWN COMPLETE
 * (§3.3.13).
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+-------------+-+-------------------------------+
 * | Type 11, 8, 14|  Reserved   |T|          Length = 4           |
 * +---------------+-------------+-+-------------------------------+
 * ```
 *
 * Only SHUTDOWN COMPLETE has the T bit, with the meaning that it has in ABORT.
 */

import { ChunkType } from "../constants.ts";
import { encodeChunk, type RawChunk } from "../tlv.ts";
import { T_BIT } from "./abort.ts";

const EMPTY = new Uint8Array(0);

/** Whether a chunk of one of these types is well formed. */
export function isBare({ value }: RawChunk): boolean {
  return value.length === 0;
}

/** COOKIE ACK in fresh bytes. */
export function encodeCookieAck(): Uint8Array {
  return encodeChunk(ChunkType.CookieAck, 0, EMPTY);
}

/** SHUTDOWN ACK in fresh bytes. */
export function encodeShutdownAck(): Uint8Array {
  return encodeChunk(ChunkType.ShutdownAck, 0, EMPTY);
}

/** SHUTDOWN COMPLETE in fresh bytes. */
export function encodeShutdownComplete(reflected: boolean): Uint8Array {
  return encodeChunk(ChunkType.ShutdownComplete, reflected ? T_BIT : 0, EMPTY);
}
