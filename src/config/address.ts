/** IP addresses and ranges of them, from text to data. */

import ipaddr from "ipaddr.js";
import type { AddressRange } from "../ports/address-range.ts";

/** Ranges with a name, each with the text of its parts. */
const NAMED_RANGES = {
  /** RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3. */
  loopback: ["127.0.0.0/8", "::1/128"],
  /** "This host on this network", RFC 1122 section 3.2.1.3; the unspecified address, RFC 4291 section 2.5.2. */
  unspecified: ["0.0.0.0/8", "::/128"],
  /** RFC 3927, RFC 4291 section 2.5.6. Holds the metadata services of most clouds. */
  "link-local": ["169.254.0.0/16", "fe80::/10"],
  /** RFC 1918, the shared space of RFC 6598, unique local addresses of RFC 4193, site-local ones of RFC 3879. */
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"],
  /** RFC 5771, RFC 4291 section 2.7, and limited broadcast, RFC 919. */
  multicast: ["224.0.0.0/4", "255.255.255.255/32", "ff00::/8"],
  any: ["0.0.0.0/0", "::/0"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** The bits of ::ffff:0:0/96, below which an IPv6 address is an IPv4 one. */
const MAPPED_PREFIX_LENGTH = 96;

/** Strict: four decimal numbers, or IPv6. Other spellings of IPv4 (0x7f.1, 017.0.0.1) mean different things to different readers. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  return bare.includes(":") && ipaddr.IPv6.isValid(bare) ? ipaddr.IPv6.parse(bare) : undefined;
}

/**
 * The usual spelling of an IP address: brackets removed, IPv6 shortened, IPv4-mapped unwrapped.
 *
 * @returns `undefined` when `text` is no IP address.
 */
export function normalAddress(text: string): string | undefined {
  const address = parse(text);
  if (address === undefined) return undefined;
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return address.toString();
}

/** Whether a normal address is one that only this machine can reach. */
export function isLoopback(address: string): boolean {
  return parse(address)?.range() === "loopback";
}

/**
 * Reads an entry of a list of ranges: a name of {@link NAMED_RANGES}, an address, or a CIDR.
 *
 * @returns Its ranges; or, as text, what is wanted instead.
 */
export function parseRanges(text: string): readonly AddressRange[] | string {
  if (Object.hasOwn(NAMED_RANGES, text)) {
    return NAMED_RANGES[text as keyof typeof NAMED_RANGES].flatMap((part) => {
      const ranges = parseRanges(part);
      return typeof ranges === "string" ? [] : ranges;
    });
  }
  const slash = text.indexOf("/");
  const address = parse(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return RANGE_WANTED;
  const width = address.kind() === "ipv4" ? 32 : 128;
  const digits = slash < 0 ? String(width) : text.slice(slash + 1);
  const prefixLength = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || prefixLength > width) return `a prefix length from 0 to ${width} after the "/"`;
  const bytes = address.toByteArray();
  const masked = mask(bytes, prefixLength);
  if (bytes.some((byte, index) => byte !== masked[index])) {
    return `a range whose bits after the prefix are zero: ${ipaddr.fromByteArray(masked)}/${prefixLength}`;
  }
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && prefixLength >= MAPPED_PREFIX_LENGTH) {
    return [{ family: 4, bytes: bytes.slice(12), prefixLength: prefixLength - MAPPED_PREFIX_LENGTH }];
  }
  return [{ family: width === 32 ? 4 : 6, bytes, prefixLength }];
}

/** What an entry of a list of ranges may be. */
export const RANGE_WANTED: string = `an address (192.0.2.7), a range (10.0.0.0/8, fc00::/7) or one of ${Object.keys(NAMED_RANGES).join(", ")}`;

function mask(bytes: readonly number[], prefixLength: number): number[] {
  return bytes.map((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
}
