/**
 * Initiation (INIT), RFC 9260 §3.3.2, and its acknowledgement (INIT ACK), §3.3.3, which have the same fields.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * | Type = 1 or 2 |  Chunk Flags  |            Length             |
 * +---------------+---------------+-------------------------------+
 * |                         Initiate Tag                          |
 * +---------------------------------------------------------------+
 * |           Advertised Receiver Window Credit (a_rwnd)          |
 * +-------------------------------+-------------------------------+
 * |  Number of Outbound Streams   |   Number of Inbound Streams   |
 * +-------------------------------+-------------------------------+
 * |                          Initial TSN                          |
 * +---------------------------------------------------------------+
 * \              Optional/Variable-Length Parameters              \
 * +---------------------------------------------------------------+
 * ```
 */

import { readU16, readU32 } from "../../../bytes/read.ts";
import { writeBytes, writeU16, writeU32 } from "../../../bytes/write.ts";
import { A_RWND_MIN, type ChunkType } from "../constants.ts";
import { decodeParameters, type Parameters } from "../parameters.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk, joinTlvs, type RawChunk } from "../tlv.ts";
import { type ChunkDecoded, MALFORMED } from "./decoded.ts";

/** The fixed fields of INIT and INIT ACK. */
export interface InitFields {
  readonly initiateTag: number;
  /** The sender's receive window, in bytes. */
  readonly aRwnd: number;
  readonly outboundStreams: number;
  readonly inboundStreams: number;
  readonly initialTsn: Tsn;
}

/** An INIT or INIT ACK as it came. */
export interface InitChunk extends InitFields {
  readonly parameters: Parameters;
}

const FIELDS_BYTES = 16;

/** Decodes INIT or INIT ACK. Whether its numbers can be is for {@link isAcceptable}. */
export function decodeInit({ value }: RawChunk): ChunkDecoded<InitChunk> {
  if (value.length < FIELDS_BYTES) return MALFORMED;
  const parameters = decodeParameters(value.subarray(FIELDS_BYTES));
  if (parameters.kind === "invalid") return parameters;
  return {
    kind: "done",
    value: {
      initiateTag: readU32(value, 0),
      aRwnd: readU32(value, 4),
      outboundStreams: readU16(value, 8),
      inboundStreams: readU16(value, 10),
      initialTsn: readU32(value, 12) as Tsn,
      parameters: parameters.value,
    },
  };
}

/** Whether the numbers of an INIT or INIT ACK can be; the initiate tag is judged apart. */
export function isAcceptable(init: InitFields): boolean {
  //= rfc9260#3.3.2/zero-streams
  //= rfc9260#3.3.2/small-window
  return init.outboundStreams > 0 && init.inboundStreams > 0 && init.aRwnd >= A_RWND_MIN;
}

/** INIT or INIT ACK in fresh bytes. */
export function encodeInit(
  type: typeof ChunkType.Init | typeof ChunkType.InitAck,
  fields: InitFields,
  parameters: readonly Uint8Array[],
): Uint8Array {
  const tail = joinTlvs(parameters);
  const value = new Uint8Array(FIELDS_BYTES + tail.length);
  let at = writeU32(value, 0, fields.initiateTag);
  at = writeU32(value, at, fields.aRwnd);
  at = writeU16(value, at, fields.outboundStreams);
  at = writeU16(value, at, fields.inboundStreams);
  at = writeU32(value, at, fields.initialTsn);
  writeBytes(value, at, tail);
  return encodeChunk(type, 0, value);
}
