import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeAddress } from "./address.ts";
import { ADDRESS_AT, type DatagramFault, encodeDatagramHeader, measureDatagramHeader } from "./datagram.ts";

const NAME = [3, 3, 0x61, 0x2e, 0x62];

describe("measureDatagramHeader", () => {
  const CASES: readonly [what: string, bytes: readonly number[], wanted: number | DatagramFault][] = [
    ["IPv4", [0, 0, 0, 1, 127, 0, 0, 1, 0, 53, 0xff], 10],
    ["IPv4 and no DATA", [0, 0, 0, 1, 127, 0, 0, 1, 0, 53], 10],
    ["IPv6", [0, 0, 0, 4, ...Array(16).fill(0), 0, 53, 1, 2], 22],
    ["a name", [0, 0, 0, ...NAME, 0, 53, 1], 10],
    ["a name of 255 bytes", [0, 0, 0, 3, 255, ...Array(255).fill(0x61), 0, 53], 262],
    ["nothing", [], "malformed"],
    ["the reserved bytes alone", [0, 0], "malformed"],
    ["the first reserved byte set", [1, 0, 0, 1, 127, 0, 0, 1, 0, 53], "malformed"],
    ["the second reserved byte set", [0, 1, 0, 1, 127, 0, 0, 1, 0, 53], "malformed"],
    ["a fragment", [0, 0, 1, 1, 127, 0, 0, 1, 0, 53], "fragment"],
    ["a last fragment", [0, 0, 0x81, 1, 127, 0, 0, 1, 0, 53], "fragment"],
    ["an address type that nobody knows", [0, 0, 0, 2, 127, 0, 0, 1, 0, 53], "malformed"],
    ["an empty name", [0, 0, 0, 3, 0, 0, 53], "malformed"],
    ["IPv4 without the last byte", [0, 0, 0, 1, 127, 0, 0, 1, 0], "malformed"],
    ["a name longer than the datagram", [0, 0, 0, 3, 9, 0x61, 0, 53], "malformed"],
  ];
  for (const [what, bytes, wanted] of CASES) {
    test(`${what}: ${wanted} [rfc1928#7/header] [rfc1928#7/no-fragments]`, () => {
      expect(measureDatagramHeader(Uint8Array.from(bytes))).toBe(wanted);
    });
  }

  test("agrees with decodeAddress on every sequence of bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 3, 4, 9), (tail, atyp) => {
        const bytes = Uint8Array.of(0, 0, 0, atyp, ...tail);
        const address = decodeAddress(bytes, ADDRESS_AT);
        const wanted = address.kind === "done" ? ADDRESS_AT + address.bytesRead : "malformed";
        expect(measureDatagramHeader(bytes)).toBe(wanted);
      }),
    );
  });
});

test("encodeDatagramHeader names the sender, IPv4 as ATYP 1 [rfc1928#7/reply-header]", () => {
  expect(encodeDatagramHeader(Uint8Array.of(192, 0, 2, 1), 0x1234)).toEqual(
    Uint8Array.of(0, 0, 0, 1, 192, 0, 2, 1, 0x12, 0x34),
  );
  const ip = Uint8Array.from({ length: 16 }, (_, i) => i);
  expect(encodeDatagramHeader(ip, 53)).toEqual(Uint8Array.of(0, 0, 0, 4, ...ip, 0, 53));
});
