/**
 * Cookie Echo (COOKIE ECHO), RFC 9260 §3.3.11: the cookie of the INIT ACK, bare, without the parameter's header.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * |   Type = 10   |  Chunk Flags  |            Length             |
 * +---------------+---------------+-------------------------------+
 * \                            Cookie                             \
 * +---------------------------------------------------------------+
 * ```
 */

import { ChunkType } from "../constants.ts";
import { encodeChunk } from "../tlv.ts";

/** COOKIE ECHO in fresh bytes. There is nothing to decode: the value of the raw chunk is the cookie. */
export function encodeCookieEcho(cookie: Uint8Array): Uint8Array {
  return encodeChunk(ChunkType.CookieEcho, 0, cookie);
}
