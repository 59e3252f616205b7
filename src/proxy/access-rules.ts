/**
 * Where clients may go. Rules judge addresses, never names: the address that was judged is the one that is connected to,
 * so that a name which changes its mind between the two gains nothing.
 */

import { unwrapMapped } from "../bytes/ip.ts";
import type { AddressRange } from "../ports/address-range.ts";

export interface AccessRuleLists {
  readonly deny: readonly AddressRange[];
  /** Holds for clients that do not come from loopback: who does can reach all of it without us. */
  readonly denyFromRemote: readonly AddressRange[];
  /** Exceptions from both. */
  readonly allow: readonly AddressRange[];
}

export class AccessRules {
  readonly #lists: AccessRuleLists;

  constructor(lists: AccessRuleLists) {
    this.#lists = lists;
  }

  /** Whether a client may reach `ip` (4 or 16 bytes). */
  allows(ip: Uint8Array, clientIsLocal: boolean): boolean {
    const { deny, denyFromRemote, allow } = this.#lists;
    const address = embeddedIpv4(unwrapMapped(ip));
    const isDenied = matches(deny, ip, address) || (!clientIsLocal && matches(denyFromRemote, ip, address));
    return !isDenied || matches(allow, ip, address);
  }
}

function matches(ranges: readonly AddressRange[], ip: Uint8Array, embedded: Uint8Array): boolean {
  for (const range of ranges) {
    if (contains(range, embedded) || (embedded !== ip && contains(range, ip))) return true;
  }
  return false;
}

/** Whether the first `prefixLength` bits agree. */
function contains({ bytes, prefixLength }: AddressRange, ip: Uint8Array): boolean {
  if (bytes.length !== ip.length) return false;
  const whole = prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== ip[i]) return false;
  const rest = prefixLength & 7;
  if (rest === 0) return true;
  const mask = 0xff << (8 - rest);
  return ((bytes[whole] as number) & mask) === ((ip[whole] as number) & mask);
}

/**
 * The IPv4 address to which an IPv6 address leads by a translator or a tunnel: NAT64 (64:ff9b::/96, RFC 6052) and 6to4
 * (2002::/16, RFC 3056). Rules for IPv4 hold for these, or 64:ff9b::7f00:1 would be a way round them. Any other address
 * as it is.
 */
function embeddedIpv4(ip: Uint8Array): Uint8Array {
  if (ip.length === 4) return ip;
  if (ip[0] === 0x20 && ip[1] === 0x02) return ip.subarray(2, 6);
  const isNat64 = ip[0] === 0 && ip[1] === 0x64 && ip[2] === 0xff && ip[3] === 0x9b;
  return isNat64 && ip.subarray(4, 12).every((byte) => byte === 0) ? ip.subarray(12) : ip;
}

/** Whether a client's address is one of this machine's loopback addresses. */
export function isLoopback(ip: Uint8Array): boolean {
  if (ip.length === 4) return ip[0] === 127;
  return ip[15] === 1 && ip.subarray(0, 15).every((byte) => byte === 0);
}
