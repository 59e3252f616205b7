import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseIpv4, parseIpv6 } from "../bytes/ip.ts";
import type { AddressRange } from "../ports/address-range.ts";
import { type AccessRuleLists, AccessRules, isLoopback } from "./access-rules.ts";

/** The bytes as they are: `parseIp` would unwrap a mapped address. */
function ip(text: string): Uint8Array {
  const bytes = parseIpv4(text) ?? parseIpv6(text);
  if (bytes === undefined) throw new Error(`no address: ${text}`);
  return bytes;
}

function range(text: string): AddressRange {
  const [address = "", prefix] = text.split("/");
  const bytes = ip(address);
  return { family: bytes.length === 4 ? 4 : 6, bytes: [...bytes], prefixLength: Number(prefix) };
}

const rules = (lists: { [Key in keyof AccessRuleLists]?: readonly string[] }): AccessRules =>
  new AccessRules({
    deny: (lists.deny ?? []).map(range),
    denyFromRemote: (lists.denyFromRemote ?? []).map(range),
    allow: (lists.allow ?? []).map(range),
  });

describe("AccessRules", () => {
  test("without rules, everything may be reached", () => {
    expect(rules({}).allows(ip("127.0.0.1"), false)).toBe(true);
    expect(rules({}).allows(ip("::1"), false)).toBe(true);
  });

  const SPELLINGS: readonly [what: string, address: string][] = [
    ["as it is", "127.0.0.1"],
    ["another of the range", "127.255.255.254"],
    ["mapped into IPv6 (RFC 4291)", "::ffff:127.0.0.1"],
    ["through NAT64 (RFC 6052)", "64:ff9b::127.0.0.1"],
    ["through 6to4 (RFC 3056)", "2002:7f00:1::1"],
  ];
  for (const [what, address] of SPELLINGS) {
    test(`a rule for IPv4 holds for ${address}: ${what}`, () => {
      expect(rules({ deny: ["127.0.0.0/8"] }).allows(ip(address), true)).toBe(false);
    });
  }

  test("and leaves alone what only looks like it", () => {
    const { allows } = { allows: (address: string) => rules({ deny: ["127.0.0.0/8"] }).allows(ip(address), true) };
    for (const address of ["128.0.0.1", "126.255.255.255", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:db8::7f00:1"]) {
      expect(allows(address)).toBe(true);
    }
    // Each one bit or group away from the prefixes that count.
    const NEAR = ["64:ff9b:0:1::7f00:1", "164:ff9b::7f00:1", "65:ff9b::7f00:1", "64:fe9b::7f00:1", "64:ff9c::7f00:1"];
    for (const address of [...NEAR, "2001:7f00:1::1", "2102:7f00:1::1"]) expect(allows(address)).toBe(true);
  });

  test("a rule for IPv6 holds for the IPv6 address, embedded IPv4 or not", () => {
    const denied = rules({ deny: ["64:ff9b::/96", "2002::/16", "fe80::/10"] });
    for (const address of ["64:ff9b::8.8.8.8", "2002:808:808::1", "fe80::1", "febf:ffff::1"]) {
      expect(denied.allows(ip(address), true)).toBe(false);
    }
    expect(denied.allows(ip("fec0::1"), true)).toBe(true);
    expect(denied.allows(ip("8.8.8.8"), true)).toBe(true);
  });

  test("the rules for remote clients do not bind local ones", () => {
    const lists = rules({ denyFromRemote: ["127.0.0.0/8", "::1/128"] });
    expect(lists.allows(ip("127.0.0.1"), true)).toBe(true);
    expect(lists.allows(ip("::1"), true)).toBe(true);
    expect(lists.allows(ip("127.0.0.1"), false)).toBe(false);
    expect(lists.allows(ip("::1"), false)).toBe(false);
    expect(lists.allows(ip("::ffff:127.0.0.1"), false)).toBe(false);
  });

  test("exceptions are stronger than both lists", () => {
    const lists = rules({
      deny: ["10.0.0.0/8"],
      denyFromRemote: ["192.168.0.0/16"],
      allow: ["10.1.0.0/16", "192.168.7.7/32"],
    });
    expect(lists.allows(ip("10.1.2.3"), false)).toBe(true);
    expect(lists.allows(ip("10.2.2.3"), false)).toBe(false);
    expect(lists.allows(ip("192.168.7.7"), false)).toBe(true);
    expect(lists.allows(ip("192.168.7.8"), false)).toBe(false);
  });

  test("a prefix of any length agrees with plain arithmetic", () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(word, word, fc.integer({ min: 0, max: 32 }), (network, address, prefixLength) => {
        const bytesOf = (value: number) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
        const mask = prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0;
        const bytes = bytesOf((network & mask) >>> 0);
        const denied = new AccessRules({ deny: [{ family: 4, bytes, prefixLength }], denyFromRemote: [], allow: [] });
        const isInside = (network & mask) >>> 0 === (address & mask) >>> 0;
        expect(denied.allows(Uint8Array.from(bytesOf(address)), true)).toBe(!isInside);
      }),
    );
  });
});

test("isLoopback", () => {
  for (const address of ["127.0.0.1", "127.1.2.3", "::1"]) expect(isLoopback(ip(address))).toBe(true);
  for (const address of ["128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "fe80::1"]) {
    expect(isLoopback(ip(address))).toBe(false);
  }
});
