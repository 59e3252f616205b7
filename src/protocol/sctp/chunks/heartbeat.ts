/**
 * Heartbeat Request (HEARTBEAT), RFC 9260 §3.3.5, and its acknowledgement (HEARTBEAT ACK), §3.3.6, which carries the same
 * parameter back.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+---------------+-------------------------------+
 * | Type = 4 or 5 |  Chunk Flags  |            Length             |
 * +---------------+---------------+-------------------------------+
 * |     Heartbeat Info Type = 1   |         HB Info Length        |
 * +-------------------------------+-------------------------------+
 * \                Sender-Specific Heartbeat Info                 \
 * +---------------------------------------------------------------+
 * ```
 */

import { ChunkType, ParameterType } from "../constants.ts";
import { decodeTlvs, encodeChunk, encodeTlv, type RawChunk } from "../tlv.ts";
import { type ChunkDecoded, MALFORMED } from "./decoded.ts";

/** A HEARTBEAT or HEARTBEAT ACK. */
export interface HeartbeatChunk {
  /** What its sender put in. A view of the packet. */
  readonly info: Uint8Array;
  /** The variable part as it stands, for the answer. A view of the packet. */
  readonly value: Uint8Array;
}

/** Decodes HEARTBEAT or HEARTBEAT ACK. */
export function decodeHeartbeat({ value }: RawChunk): ChunkDecoded<HeartbeatChunk> {
  const tlvs = decodeTlvs(value);
  if (tlvs.kind === "invalid") return tlvs;
  const info = tlvs.value.find((tlv) => tlv.type === ParameterType.HeartbeatInfo);
  if (info === undefined) return MALFORMED;
  return { kind: "done", value: { info: info.value, value } };
}

/** HEARTBEAT in fresh bytes. */
export function encodeHeartbeat(info: Uint8Array): Uint8Array {
  return encodeChunk(ChunkType.Heartbeat, 0, encodeTlv(ParameterType.HeartbeatInfo, info));
}

/** The answer to `heartbeat`, in fresh bytes. */
export function encodeHeartbeatAck(heartbeat: HeartbeatChunk): Uint8Array {
  //= rfc9260#8.3/echo
  return encodeChunk(ChunkType.HeartbeatAck, 0, heartbeat.value);
}
