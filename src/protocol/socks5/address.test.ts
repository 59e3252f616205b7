import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodesEveryWay, refusesFromByte, survivesRandomBytes } from "../../../test/support/every-way.ts";
import { type Address, decodeAddress, encodeDomainAddress, encodeIpAddress, sizeOfIpAddress } from "./address.ts";
import { Atyp } from "./constants.ts";

const decode = (bytes: Uint8Array) => decodeAddress(bytes, 0);
const name = (text: string, port: number): Uint8Array =>
  Uint8Array.of(3, text.length, ...[...text].map((char) => char.charCodeAt(0)), port >> 8, port & 0xff);

describe("decodeAddress", () => {
  test("IPv4: 4 octets [rfc1928#5/ipv4]", () => {
    decodesEveryWay(decode, Uint8Array.of(1, 192, 0, 2, 7, 0, 80), {
      atyp: Atyp.Ipv4,
      host: "192.0.2.7",
      isIp: true,
      port: 80,
    });
  });

  test("IPv6: 16 octets [rfc1928#5/ipv6]", () => {
    const ip = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    decodesEveryWay(decode, Uint8Array.of(4, ...ip, 255, 255), {
      atyp: Atyp.Ipv6,
      host: "2001:db8::1",
      isIp: true,
      port: 65535,
    });
  });

  test("a mapped IPv4 address is the IPv4 address", () => {
    const ip = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
    decodesEveryWay(decode, Uint8Array.of(4, ...ip, 0, 80), {
      atyp: Atyp.Ipv6,
      host: "127.0.0.1",
      isIp: true,
      port: 80,
    });
  });

  const NAMES: readonly [what: string, text: string, host: string, isIp: boolean][] = [
    ["a name", "example.org", "example.org", false],
    ["a name with a dot at its end", "example.org.", "example.org.", false],
    ["one octet", "a", "a", false],
    ["255 octets", "x".repeat(255), "x".repeat(255), false],
    ["octets that are no text, NUL and space included", "\0 \xff", "\0 \xff", false],
    ["an IPv4 literal", "127.0.0.1", "127.0.0.1", true],
    ["an IPv6 literal", "::1", "::1", true],
    ["an IPv6 literal in brackets", "[::1]", "::1", true],
    ["a mapped literal", "::ffff:10.0.0.1", "10.0.0.1", true],
    ["what looks like an address to inet_aton alone", "0x7f.1", "0x7f.1", false],
  ];
  for (const [what, text, host, isIp] of NAMES) {
    test(`ATYP 3 with ${what} [rfc1928#5/domain-name]`, () => {
      decodesEveryWay(decode, name(text, 443), { atyp: Atyp.DomainName, host, isIp, port: 443 });
    });
  }

  test("a name of no octets is refused at its length", () => {
    refusesFromByte(decode, Uint8Array.of(3, 0, 0, 80), 1, "empty-name");
  });

  test("an unknown ATYP is refused at once [rfc1928#6/rep-address-type-not-supported]", () => {
    for (const atyp of [0, 2, 5, 255]) {
      refusesFromByte(decode, Uint8Array.of(atyp, 1, 2, 3, 4, 5), 0, "bad-address-type");
    }
  });

  test("random bytes never throw", () => survivesRandomBytes(decode, [[1], [3], [4], [3, 255]]));

  test("starts where it is told, and counts from there", () => {
    const decoded = decodeAddress(Uint8Array.of(9, 9, 9, 1, 192, 0, 2, 7, 0, 80), 3);
    expect(decoded).toMatchObject({ kind: "done", bytesRead: 7 });
  });
});

test("what is encoded is decoded", () => {
  const ip = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    // Global unicast: no mapped address, which must not be encoded.
    fc.uint8Array({ minLength: 15, maxLength: 15 }).map((rest) => Uint8Array.of(0x20, ...rest)),
  );
  const port = fc.integer({ min: 0, max: 65535 });
  fc.assert(
    fc.property(ip, port, (bytes, number) => {
      const out = new Uint8Array(sizeOfIpAddress(bytes) + 2);
      expect(encodeIpAddress(bytes, number, out, 1)).toBe(out.length - 1);
      const decoded = decodeAddress(out, 1) as { value: Address };
      expect(decoded).toMatchObject({ kind: "done", bytesRead: out.length - 2, value: { port: number, isIp: true } });
      expect(decoded.value.atyp).toBe(bytes.length === 4 ? Atyp.Ipv4 : Atyp.Ipv6);
    }),
  );
  expect(encodeDomainAddress("ab", 258)).toEqual(Uint8Array.of(3, 2, 0x61, 0x62, 1, 2));
  expect(() => encodeDomainAddress("", 1)).toThrow(RangeError);
  expect(() => encodeDomainAddress("x".repeat(256), 1)).toThrow(RangeError);
});
