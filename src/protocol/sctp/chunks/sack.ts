/**
 * Selective Acknowledgement (SACK), RFC 9260 §3.3.4.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * |   Type = 3    |  Chunk Flags  |            Length             |
 * +---------------+---------------+-------------------------------+
 * |                      Cumulative TSN Ack                       |
 * +---------------------------------------------------------------+
 * |           Advertised Receiver Window Credit (a_rwnd)          |
 * +-------------------------------+-------------------------------+
 * |  Number of Gap Ack Blocks = N |  Number of Duplicate TSNs = M |
 * +-------------------------------+-------------------------------+
 * |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |  N times
 * +-------------------------------+-------------------------------+
 * |                        Duplicate TSN 1                        |  M times
 * +---------------------------------------------------------------+
 * ```
 */

import { readU16, readU32 } from "../../../bytes/read.ts";
import { writeU16, writeU32 } from "../../../bytes/write.ts";
import { ChunkType } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk, type RawChunk } from "../tlv.ts";
import { type ChunkDecoded, MALFORMED } from "./decoded.ts";

/** TSNs received beyond a gap, as distances from the cumulative TSN: 1 to 65,535, both ends included. */
export interface GapAckBlock {
  readonly start: number;
  readonly end: number;
}

/** A SACK. */
export interface SackChunk {
  readonly cumulativeTsnAck: Tsn;
  /** The sender's free receive window, in bytes. */
  readonly aRwnd: number;
  readonly gapAckBlocks: readonly GapAckBlock[];
  readonly duplicateTsns: readonly Tsn[];
}

const FIELDS_BYTES = 12;
/** One gap ack block, or one duplicate TSN. */
const ENTRY_BYTES = 4;

/** Decodes SACK. The counts must fill the chunk exactly, and no block may end before it starts. */
export function decodeSack({ value }: RawChunk): ChunkDecoded<SackChunk> {
  if (value.length < FIELDS_BYTES) return MALFORMED;
  const gapCount = readU16(value, 8);
  const duplicateCount = readU16(value, 10);
  if (value.length !== FIELDS_BYTES + (gapCount + duplicateCount) * ENTRY_BYTES) return MALFORMED;
  const gapAckBlocks: GapAckBlock[] = [];
  const duplicateTsns: Tsn[] = [];
  let at = FIELDS_BYTES;
  for (let index = 0; index < gapCount; index++, at += ENTRY_BYTES) {
    const block = { start: readU16(value, at), end: readU16(value, at + 2) };
    if (block.start === 0 || block.start > block.end) return MALFORMED;
    gapAckBlocks.push(block);
  }
  for (let index = 0; index < duplicateCount; index++, at += ENTRY_BYTES) duplicateTsns.push(readU32(value, at) as Tsn);
  return {
    kind: "done",
    value: { cumulativeTsnAck: readU32(value, 0) as Tsn, aRwnd: readU32(value, 4), gapAckBlocks, duplicateTsns },
  };
}

/** SACK in fresh bytes. */
export function encodeSack(sack: SackChunk): Uint8Array {
  const entryCount = sack.gapAckBlocks.length + sack.duplicateTsns.length;
  const value = new Uint8Array(FIELDS_BYTES + entryCount * ENTRY_BYTES);
  let at = writeU32(value, 0, sack.cumulativeTsnAck);
  at = writeU32(value, at, sack.aRwnd);
  at = writeU16(value, at, sack.gapAckBlocks.length);
  at = writeU16(value, at, sack.duplicateTsns.length);
  for (const { start, end } of sack.gapAckBlocks) at = writeU16(value, writeU16(value, at, start), end);
  for (const tsn of sack.duplicateTsns) at = writeU32(value, at, tsn);
  return encodeChunk(ChunkType.Sack, 0, value);
}
