/**
 * The order in which the addresses of a name are tried: destination address selection (RFC 6724 §6), as a function of the
 * addresses and of the source address that the system would take for each.
 *
 * Rules 3, 4 and 7 (deprecated addresses, home addresses, encapsulation) need what an application does not know and are
 * left out. Rule 9 (longest matching prefix) is applied to IPv6 only: with IPv4 it says nothing about nearness and undoes
 * the round robin of the name's owner.
 */

import { parseIp } from "../../bytes/ip.ts";

/** The source address that the system would take towards `address`; `undefined` when it has no route. */
export type SourceOf = (address: string) => string | undefined;

/** What the rules ask about one destination. */
interface Destination {
  readonly address: string;
  readonly isUsable: boolean;
  readonly hasScopeOfSource: boolean;
  readonly hasLabelOfSource: boolean;
  readonly precedence: number;
  readonly scope: number;
  readonly isIpv6: boolean;
  readonly commonPrefixBits: number;
}

/** ::ffff:0:0/96, under which the rules see IPv4 addresses. */
const MAPPED: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0);

/** Prefix (16 bytes), its length in bits, precedence, label: the policy table of RFC 6724 §2.1, longest prefix first. */
const POLICY: readonly (readonly [prefix: Uint8Array, bits: number, precedence: number, label: number])[] = [
  [bytesOf("::1"), 128, 50, 0],
  [MAPPED, 96, 35, 4],
  [bytesOf("::"), 96, 1, 3],
  [bytesOf("2001::"), 32, 5, 5],
  [bytesOf("2002::"), 16, 30, 2],
  [bytesOf("3ffe::"), 16, 1, 12],
  [bytesOf("fec0::"), 10, 1, 11],
  [bytesOf("fc00::"), 7, 3, 13],
  [bytesOf("::"), 0, 40, 1],
];

/** Scopes as multicast addresses carry them (RFC 4291 §2.7). */
const Scope = { LinkLocal: 2, SiteLocal: 5, Global: 14 } as const;

/** Bits of a source that count for rule 9: its prefix is not known here, and 64 is what nearly every link has. */
const SOURCE_PREFIX_BITS = 64;

/**
 * Sorts the destinations, the one to try first in front. What the rules do not tell apart keeps its order.
 *
 * @param addresses - IP addresses as text; a text that is none is left out.
 * @returns A new list.
 */
export function sortDestinations(addresses: readonly string[], sourceOf: SourceOf): string[] {
  if (addresses.length < 2) return [...addresses];
  const destinations = addresses.flatMap((address) => describe(address, sourceOf) ?? []);
  return destinations.sort(compare).map((destination) => destination.address);
}

function compare(a: Destination, b: Destination): number {
  return (
    Number(b.isUsable) - Number(a.isUsable) || // rule 1
    Number(b.hasScopeOfSource) - Number(a.hasScopeOfSource) || // rule 2
    Number(b.hasLabelOfSource) - Number(a.hasLabelOfSource) || // rule 5
    b.precedence - a.precedence || // rule 6
    a.scope - b.scope || // rule 8
    (a.isIpv6 && b.isIpv6 ? b.commonPrefixBits - a.commonPrefixBits : 0) // rule 9
  );
}

function describe(address: string, sourceOf: SourceOf): Destination | undefined {
  const ip = parseIp(address);
  if (ip === undefined) return undefined;
  const bytes = mapped(ip);
  const [precedence, label] = policyOf(bytes);
  const scope = scopeOf(bytes);
  const sourceText = sourceOf(address);
  const sourceIp = sourceText === undefined ? undefined : parseIp(sourceText);
  const source = sourceIp === undefined ? undefined : mapped(sourceIp);
  return {
    address,
    isUsable: source !== undefined,
    hasScopeOfSource: source !== undefined && scopeOf(source) === scope,
    hasLabelOfSource: source !== undefined && policyOf(source)[1] === label,
    precedence,
    scope,
    isIpv6: ip.length === 16,
    commonPrefixBits: source === undefined ? 0 : Math.min(commonBits(bytes, source), SOURCE_PREFIX_BITS),
  };
}

function policyOf(bytes: Uint8Array): readonly [precedence: number, label: number] {
  const entry = POLICY.find(([prefix, bits]) => commonBits(prefix, bytes) >= bits);
  // The last entry matches everything.
  return entry === undefined ? [40, 1] : [entry[2], entry[3]];
}

/** RFC 6724 §3.1 and §3.2: IPv4 loopback and link-local addresses have link-local scope, all other IPv4 is global. */
function scopeOf(bytes: Uint8Array): number {
  const [first = 0, second = 0] = bytes;
  if (commonBits(bytes, MAPPED) >= 96) {
    const isLinkLocal = bytes[12] === 127 || (bytes[12] === 169 && bytes[13] === 254);
    return isLinkLocal ? Scope.LinkLocal : Scope.Global;
  }
  if (first === 0xff) return second & 0xf;
  if (first === 0xfe && (second & 0xc0) === 0x80) return Scope.LinkLocal;
  if (first === 0xfe && (second & 0xc0) === 0xc0) return Scope.SiteLocal;
  return bytes.every((byte, index) => byte === (index === 15 ? 1 : 0)) ? Scope.LinkLocal : Scope.Global;
}

/** Sixteen bytes: an IPv4 address as the rules see it (RFC 6724 §3.2). A copy. */
function mapped(ip: Uint8Array): Uint8Array {
  if (ip.length === 16) return ip;
  const bytes = MAPPED.slice();
  bytes.set(ip, 12);
  return bytes;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < 16; index++) {
    const difference = (a[index] ?? 0) ^ (b[index] ?? 0);
    if (difference !== 0) return index * 8 + Math.clz32(difference) - 24;
  }
  return 128;
}

/** A constant of this file, 16 bytes. */
function bytesOf(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (bytes === undefined) throw new TypeError(`${text} is no address`);
  return bytes;
}
