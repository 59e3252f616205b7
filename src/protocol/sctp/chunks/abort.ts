/**
 * Abort Association (ABORT), RFC 9260 §3.3.7, and Operation Error (ERROR), §3.3.10: both carry causes.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------+-------------+-+-------------------------------+
 * | Type = 6 or 9 |  Reserved   |T|            Length             |
 * +---------------+-------------+-+-------------------------------+
 * \                 zero or more Error Causes                     \
 * +---------------------------------------------------------------+
 * ```
 *
 * ERROR has no T bit and at least one cause. The T bit says that the packet carries the tag of its receiver's peer, because
 * its sender had no association and reflected the tag that it saw.
 */

import { ChunkType } from "../constants.ts";
import { decodeTlvs, encodeChunk, joinTlvs, type RawChunk, type RawTlv } from "../tlv.ts";
import type { ChunkDecoded } from "./decoded.ts";

/** In the flags of ABORT and SHUTDOWN COMPLETE: the tag is reflected. */
export const T_BIT = 1;

/** An ABORT or ERROR. */
export interface CausesChunk {
  /** The first is the reason for an ABORT. The values are views of the packet. */
  readonly causes: readonly RawTlv[];
}

/** Decodes ABORT or ERROR. */
export function decodeCauses({ value }: RawChunk): ChunkDecoded<CausesChunk> {
  const causes = decodeTlvs(value);
  return causes.kind === "done" ? { kind: "done", value: { causes: causes.value } } : causes;
}

/** ABORT in fresh bytes. */
export function encodeAbort(reflected: boolean, causes: readonly Uint8Array[]): Uint8Array {
  return encodeChunk(ChunkType.Abort, reflected ? T_BIT : 0, joinTlvs(causes));
}

/** ERROR in fresh bytes, with at least one cause. */
export function encodeError(causes: readonly [Uint8Array, ...Uint8Array[]]): Uint8Array {
  return encodeChunk(ChunkType.Error, 0, joinTlvs(causes));
}
