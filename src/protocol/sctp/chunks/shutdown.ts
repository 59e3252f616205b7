/**
 * Shutdown Association (SHUTDOWN), RFC 9260 §3.3.8.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * |   Type = 7    |  Chunk Flags  |          Length = 8           |
 * +---------------+---------------+-------------------------------+
 * |                      Cumulative TSN Ack                       |
 * +---------------------------------------------------------------+
 * ```
 */

import { readU32 } from "../../../bytes/read.ts";
import { writeU32 } from "../../../bytes/write.ts";
import { ChunkType } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk, type RawChunk } from "../tlv.ts";
import { type ChunkDecoded, MALFORMED } from "./decoded.ts";

/** A SHUTDOWN. */
export interface ShutdownChunk {
  readonly cumulativeTsnAck: Tsn;
}

const FIELDS_BYTES = 4;

/** Decodes SHUTDOWN. */
export function decodeShutdown({ value }: RawChunk): ChunkDecoded<ShutdownChunk> {
  if (value.length !== FIELDS_BYTES) return MALFORMED;
  return { kind: "done", value: { cumulativeTsnAck: readU32(value, 0) as Tsn } };
}

/** SHUTDOWN in fresh bytes. */
export function encodeShutdown(cumulativeTsnAck: Tsn): Uint8Array {
  const value = new Uint8Array(FIELDS_BYTES);
  writeU32(value, 0, cumulativeTsnAck);
  return encodeChunk(ChunkType.Shutdown, 0, value);
}
