/**
 * The parameters of INIT and INIT ACK (RFC 9260 §3.3.2.1, §3.3.3.1), read for what we need of them. A single-homed
 * endpoint needs the state cookie and the reports; the addresses that a peer lists are passed over.
 */

import type { PacketDecoded } from "../../bytes/decoded.ts";
import { ParameterType } from "./constants.ts";
import { decodeTlvs, encodeTlv } from "./tlv.ts";

/** What the parameters of an INIT or INIT ACK came to. All bytes are views of the packet. */
export interface Parameters {
  readonly stateCookie: Uint8Array | undefined;
  /** An address by name: RFC 9260 §3.3.2.1.4 wants it answered with ABORT. */
  readonly hostName: Uint8Array | undefined;
  /** Unknown parameters that ask to be reported, whole and in order. */
  readonly unrecognized: readonly Uint8Array[];
}

/** Known to us, and of no use to a single-homed endpoint that does not prolong cookies. */
const PASSED_OVER: ReadonlySet<number> = new Set([
  ParameterType.Ipv4Address,
  ParameterType.Ipv6Address,
  ParameterType.UnrecognizedParameter,
  ParameterType.CookiePreservative,
  ParameterType.SupportedAddressTypes,
]);

/** In the type of an unknown parameter: go on with the next one (RFC 9260 §3.2.1). */
const SKIP_BIT = 0x8000;
/** In the type of an unknown parameter: report it (RFC 9260 §3.2.1). */
const REPORT_BIT = 0x4000;

/** The bytes of unknown parameters that we report at most (RFC 9260 §12.4): an INIT is answered before its sender is known. */
export const REPORT_BYTES_MAX = 64;

/** Reads the variable part of an INIT or INIT ACK. */
export function decodeParameters(bytes: Uint8Array): PacketDecoded<Parameters, "malformed-chunk"> {
  const tlvs = decodeTlvs(bytes);
  if (tlvs.kind === "invalid") return tlvs;
  let stateCookie: Uint8Array | undefined;
  let hostName: Uint8Array | undefined;
  const unrecognized: Uint8Array[] = [];
  let reportBytes = 0;
  for (const { type, value, bytes: whole } of tlvs.value) {
    if (type === ParameterType.StateCookie) stateCookie ??= value;
    else if (type === ParameterType.HostNameAddress) hostName ??= whole;
    else if (!PASSED_OVER.has(type)) {
      //= rfc9260#3.2.1/report
      if ((type & REPORT_BIT) !== 0 && reportBytes + whole.length <= REPORT_BYTES_MAX) {
        unrecognized.push(whole);
        reportBytes += whole.length;
      }
      //= rfc9260#3.2.1/stop
      if ((type & SKIP_BIT) === 0) break;
    }
  }
  return { kind: "done", value: { stateCookie, hostName, unrecognized } };
}

/** A State Cookie parameter (§3.3.3.1). */
export function stateCookieParameter(cookie: Uint8Array): Uint8Array {
  return encodeTlv(ParameterType.StateCookie, cookie);
}

/** An Unrecognized Parameter parameter (§3.3.3.1), around a whole parameter of the peer's. */
export function unrecognizedParameter(parameter: Uint8Array): Uint8Array {
  return encodeTlv(ParameterType.UnrecognizedParameter, parameter);
}
