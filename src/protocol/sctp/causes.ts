/**
 * Error causes (RFC 9260 §3.3.10), which ABORT and ERROR carry.
 *
 * ```txt
 * +-------------------------------+-------------------------------+
 * |          Cause Code           |         Cause Length          |
 * +-------------------------------+-------------------------------+
 * \                  Cause-Specific Information                   \
 * +---------------------------------------------------------------+
 * ```
 */

import { writeU16, writeU32 } from "../../bytes/write.ts";
import { CauseCode, COMMON_HEADER_BYTES, PATH_MTU_BYTES, TLV_HEADER_BYTES } from "./constants.ts";
import type { Tsn } from "./serial.ts";
import { encodeTlv } from "./tlv.ts";

const EMPTY = new Uint8Array(0);

/** What we echo of a peer's bytes in a cause at most: what fits into a packet. */
const ECHO_BYTES_MAX = PATH_MTU_BYTES - COMMON_HEADER_BYTES - 2 * TLV_HEADER_BYTES;

/** §3.3.10.1: DATA for a stream that does not exist. */
export function invalidStreamIdentifier(streamId: number): Uint8Array {
  const value = new Uint8Array(4);
  writeU16(value, 0, streamId);
  return encodeTlv(CauseCode.InvalidStreamIdentifier, value);
}

/** §3.3.10.2: an INIT ACK without its state cookie. */
export function missingMandatoryParameter(types: readonly number[]): Uint8Array {
  const value = new Uint8Array(4 + 2 * types.length);
  let at = writeU32(value, 0, types.length);
  for (const type of types) at = writeU16(value, at, type);
  return encodeTlv(CauseCode.MissingMandatoryParameter, value);
}

/** §3.3.10.3: a cookie that came this many microseconds too late. */
export function staleCookie(stalenessMicros: number): Uint8Array {
  const value = new Uint8Array(4);
  writeU32(value, 0, Math.min(Math.max(0, Math.round(stalenessMicros)), 0xffff_ffff));
  return encodeTlv(CauseCode.StaleCookie, value);
}

/** §3.3.10.4: we have no room for one more association. */
export function outOfResource(): Uint8Array {
  return encodeTlv(CauseCode.OutOfResource, EMPTY);
}

/** §3.3.10.5: an address given by name, which nobody resolves any more. */
export function unresolvableAddress(parameter: Uint8Array): Uint8Array {
  return encodeTlv(CauseCode.UnresolvableAddress, parameter.slice(0, ECHO_BYTES_MAX));
}

/** §3.3.10.6: a chunk of a type that we do not know, and that asks to be reported. */
export function unrecognizedChunkType(chunk: Uint8Array): Uint8Array {
  return encodeTlv(CauseCode.UnrecognizedChunkType, chunk.slice(0, ECHO_BYTES_MAX));
}

/** §3.3.10.7: a field or parameter of INIT or INIT ACK that cannot be. */
export function invalidMandatoryParameter(): Uint8Array {
  return encodeTlv(CauseCode.InvalidMandatoryParameter, EMPTY);
}

/** §3.3.10.8: parameters of an INIT ACK that we do not know, and that ask to be reported. */
export function unrecognizedParameters(parameters: Uint8Array): Uint8Array {
  return encodeTlv(CauseCode.UnrecognizedParameters, parameters);
}

/** §3.3.10.9: a DATA chunk without data. */
export function noUserData(tsn: Tsn): Uint8Array {
  const value = new Uint8Array(4);
  writeU32(value, 0, tsn);
  return encodeTlv(CauseCode.NoUserData, value);
}

/** §3.3.10.10: a restart while we wait for SHUTDOWN COMPLETE. */
export function cookieReceivedWhileShuttingDown(): Uint8Array {
  return encodeTlv(CauseCode.CookieReceivedWhileShuttingDown, EMPTY);
}

/** §3.3.10.12: whoever uses us wants no more. */
export function userInitiatedAbort(): Uint8Array {
  return encodeTlv(CauseCode.UserInitiatedAbort, EMPTY);
}

/** §3.3.10.13: the peer did what the protocol forbids. `what` is for whoever reads the packet. */
export function protocolViolation(what: string): Uint8Array {
  return encodeTlv(CauseCode.ProtocolViolation, new TextEncoder().encode(what));
}

/** An INIT for a live association from another UDP port. */
export function restartWithNewEncapsulationPort(oldPort: number, newPort: number): Uint8Array {
  const value = new Uint8Array(4);
  writeU16(value, writeU16(value, 0, oldPort), newPort);
  return encodeTlv(CauseCode.RestartWithNewEncapsulationPort, value);
}

const NAMES: Readonly<Record<number, string>> = {
  [CauseCode.InvalidStreamIdentifier]: "Invalid Stream Identifier",
  [CauseCode.MissingMandatoryParameter]: "Missing Mandatory Parameter",
  [CauseCode.StaleCookie]: "Stale Cookie",
  [CauseCode.OutOfResource]: "Out of Resource",
  [CauseCode.UnresolvableAddress]: "Unresolvable Address",
  [CauseCode.UnrecognizedChunkType]: "Unrecognized Chunk Type",
  [CauseCode.InvalidMandatoryParameter]: "Invalid Mandatory Parameter",
  [CauseCode.UnrecognizedParameters]: "Unrecognized Parameters",
  [CauseCode.NoUserData]: "No User Data",
  [CauseCode.CookieReceivedWhileShuttingDown]: "Cookie Received While Shutting Down",
  [CauseCode.RestartWithNewAddresses]: "Restart of an Association with New Addresses",
  [CauseCode.UserInitiatedAbort]: "User-Initiated Abort",
  [CauseCode.ProtocolViolation]: "Protocol Violation",
  [CauseCode.RestartWithNewEncapsulationPort]: "Restart of an Association with New Encapsulation Port",
};

/** The name of a cause, for a log. */
export function causeName(code: number): string {
  return NAMES[code] ?? `cause ${code}`;
}
