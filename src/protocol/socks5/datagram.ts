/**
 * The header of a datagram between a client and the UDP relay (RFC 1928 §7).
 *
 * ```txt
 * +-------+------+------+----------+----------+----------+
 * |  RSV  | FRAG | ATYP | DST.ADDR | DST.PORT |   DATA   |
 * +-------+------+------+----------+----------+----------+
 * |   2   |  1   |  1   | Variable |    2     | Variable |
 * +-------+------+------+----------+----------+----------+
 * ```
 *
 * The relay looks at every datagram, so nothing here allocates: a header is measured, not taken apart. Who has seen the
 * same bytes before knows what they mean; who has not decodes the address that starts at {@link ADDRESS_AT}.
 */

import { encodeIpAddress, sizeOfIpAddress } from "./address.ts";
import { Atyp } from "./constants.ts";

/** Where ATYP stands, and with it the address as `decodeAddress` reads it. */
export const ADDRESS_AT = 3;

/** Why a datagram is dropped. The value is the word that the log shows. */
export type DatagramFault = "malformed" | "fragment";

/** How many bytes precede DATA, or why the datagram is to be dropped. DATA may be empty. */
//= rfc1928#7/header
export function measureDatagramHeader(bytes: Uint8Array): number | DatagramFault {
  if (bytes.length < 5 || bytes[0] !== 0 || bytes[1] !== 0) return "malformed";
  //= rfc1928#7/no-fragments
  if (bytes[2] !== 0) return "fragment";
  const size = headerSize(bytes[ADDRESS_AT] as number, bytes[4] as number);
  //= rfc1928#7/drop-silently
  return size === 0 || size > bytes.length ? "malformed" : size;
}

/** The size that ATYP and the byte after it ask for; 0 when there is no such address. */
function headerSize(atyp: number, first: number): number {
  switch (atyp) {
    case Atyp.Ipv4:
      return 10;
    case Atyp.Ipv6:
      return 22;
    case Atyp.DomainName:
      return first === 0 ? 0 : 7 + first;
    default:
      return 0;
  }
}

/** A whole header for an IP address of 4 or 16 bytes, never mapped: clients look for ATYP 1. */
export function encodeDatagramHeader(ip: Uint8Array, port: number): Uint8Array {
  const out = new Uint8Array(ADDRESS_AT + sizeOfIpAddress(ip));
  encodeIpAddress(ip, port, out, ADDRESS_AT);
  return out;
}
