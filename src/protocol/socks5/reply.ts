/**
 * The reply to a request (RFC 1928 §6).
 *
 * ```txt
 * +----+-----+-------+------+----------+----------+
 * |VER | REP |  RSV  | ATYP | BND.ADDR | BND.PORT |
 * +----+-----+-------+------+----------+----------+
 * | 1  |  1  | X'00' |  1   | Variable |    2     |
 * +----+-----+-------+------+----------+----------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { type Address, decodeAddress, encodeIpAddress, sizeOfIpAddress } from "./address.ts";
import { Atyp, type FailureRep, Rep, VERSION } from "./constants.ts";
import type { SocksFault } from "./fault.ts";

const HEADER_BYTES = 3;

/** A success with the bound address, 4 or 16 bytes, never mapped. */
export function encodeSuccess(bndAddr: Uint8Array, bndPort: number): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + sizeOfIpAddress(bndAddr));
  //= rfc1928#6/reply
  //= rfc1928#6/reserved-zero
  // RSV keeps the zero of a fresh array.
  out[0] = VERSION;
  out[1] = Rep.Succeeded;
  encodeIpAddress(bndAddr, bndPort, out, HEADER_BYTES);
  return out;
}

/**
 * A failure. It carries 0.0.0.0:0 whatever the request's ATYP was: nothing is bound, and clients that wait for the ten
 * bytes of the shortest reply (curl does) must get them at once.
 */
export function encodeFailure(rep: FailureRep): Uint8Array {
  return Uint8Array.of(VERSION, rep, 0, Atyp.Ipv4, 0, 0, 0, 0, 0, 0);
}

export interface Reply {
  /** Any byte: a server may send a REP that no RFC names. */
  readonly rep: number;
  readonly bnd: Address;
}

/** Decodes a reply (the client's side). */
export function decodeReply(bytes: Uint8Array): Decoded<Reply, SocksFault> {
  if (bytes.length < 1) return INCOMPLETE;
  if (readU8(bytes, 0) !== VERSION) return invalid("bad-version");
  if (bytes.length < HEADER_BYTES + 1) return INCOMPLETE;
  const bnd = decodeAddress(bytes, HEADER_BYTES);
  if (bnd.kind !== "done") return bnd;
  return done({ rep: readU8(bytes, 1), bnd: bnd.value }, HEADER_BYTES + bnd.bytesRead);
}
