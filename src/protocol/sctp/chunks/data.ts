/**
 * Payload Data (DATA), RFC 9260 §3.3.1. Wire fields only: whether a chunk was sent, acknowledged or lost is the business
 * of `tx/outstanding.ts`.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+-------+-+-+-+-+-------------------------------+
 * |   Type = 0    |  Res  |I|U|B|E|            Length             |
 * +---------------+-------+-+-+-+-+-------------------------------+
 * |                              TSN                              |
 * +-------------------------------+-------------------------------+
 * |      Stream Identifier S      |   Stream Sequence Number n    |
 * +-------------------------------+-------------------------------+
 * |                  Payload Protocol Identifier                  |
 * +---------------------------------------------------------------+
 * \                 User Data (seq n of Stream S)                 \
 * +---------------------------------------------------------------+
 * ```
 */

import { readU16, readU32 } from "../../../bytes/read.ts";
import { writeBytes, writeU16, writeU32 } from "../../../bytes/write.ts";
import { ChunkType, DATA_CHUNK_BYTES_MAX, TLV_HEADER_BYTES } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk, type RawChunk } from "../tlv.ts";
import { type ChunkDecoded, MALFORMED } from "./decoded.ts";

/** The flags of a DATA chunk. */
export const DataFlag = { End: 1, Beginning: 2, Unordered: 4, Immediate: 8 } as const;

/** A DATA chunk, one fragment of a message or the whole. */
export interface DataChunk {
  readonly tsn: Tsn;
  readonly streamId: number;
  readonly streamSeq: number;
  readonly ppid: number;
  /** Any of {@link DataFlag}. */
  readonly flags: number;
  /** At least one byte when sent. From the decoder: a view of the packet, and empty when the peer sent none. */
  readonly userData: Uint8Array;
}

const FIELDS_BYTES = 12;
/** A DATA chunk before its user data. */
export const DATA_HEADER_BYTES: number = TLV_HEADER_BYTES + FIELDS_BYTES;
/** The user data that we put into one chunk at most. */
export const USER_DATA_BYTES_MAX: number = DATA_CHUNK_BYTES_MAX - DATA_HEADER_BYTES;

//= rfc9260#3.2/reserved-flags
/** Decodes DATA. Flags that mean nothing are ignored. A chunk without user data is decoded: its answer needs the TSN (RFC 9260 §6.2). */
export function decodeData({ value, flags }: RawChunk): ChunkDecoded<DataChunk> {
  if (value.length < FIELDS_BYTES) return MALFORMED;
  return {
    kind: "done",
    value: {
      tsn: readU32(value, 0) as Tsn,
      streamId: readU16(value, 4),
      streamSeq: readU16(value, 6),
      ppid: readU32(value, 8),
      flags,
      userData: value.subarray(FIELDS_BYTES),
    },
  };
}

/** DATA in fresh bytes. */
export function encodeData(chunk: DataChunk): Uint8Array {
  const value = new Uint8Array(FIELDS_BYTES + chunk.userData.length);
  let at = writeU32(value, 0, chunk.tsn);
  at = writeU16(value, at, chunk.streamId);
  at = writeU16(value, at, chunk.streamSeq);
  at = writeU32(value, at, chunk.ppid);
  writeBytes(value, at, chunk.userData);
  return encodeChunk(ChunkType.Data, chunk.flags, value);
}
