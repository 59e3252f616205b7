import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDecimal } from "./decimal.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("parseDecimal", () => {
  test.each(["", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "１", "1\n", "/", ":"])("%j is not digits", (text) => {
    expect(parseDecimal(ascii(text), 1000)).toEqual({ kind: "not-digits" });
  });

  test("leading zeros are accepted, 255 of them too", () => {
    expect(parseDecimal(ascii(`${"0".repeat(252)}300`), 300)).toEqual({ kind: "number", value: 300 });
  });

  test("no overflow, however long the digits", () => {
    expect(parseDecimal(ascii("9".repeat(255)), Number.MAX_SAFE_INTEGER)).toEqual({ kind: "too-large" });
    // 2^64 + 4096 would be 4096 in 64 bits.
    expect(parseDecimal(ascii("18446744073709555712"), 16_777_216)).toEqual({ kind: "too-large" });
  });

  test("agrees with BigInt for every limit", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 70n }), fc.maxSafeNat(), (number, max) => {
        const wanted = number <= BigInt(max) ? { kind: "number", value: Number(number) } : { kind: "too-large" };
        expect(parseDecimal(ascii(number.toString()), max)).toEqual(wanted as ReturnType<typeof parseDecimal>);
      }),
    );
  });

  test("exact at the limits", () => {
    for (const max of [0, 9, 10, 300, 16_777_216, Number.MAX_SAFE_INTEGER]) {
      expect(parseDecimal(ascii(String(max)), max)).toEqual({ kind: "number", value: max });
      expect(parseDecimal(ascii(String(BigInt(max) + 1n)), max)).toEqual({ kind: "too-large" });
    }
  });
});
