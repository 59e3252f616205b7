/** What every decoder of a byte stream is put through. */

import { expect } from "bun:test";
import fc from "fast-check";
import type { Decoded } from "../../src/bytes/decoded.ts";

type Decode<Value, Fault> = (bytes: Uint8Array) => Decoded<Value, Fault>;

/** Whole, cut at every byte, and with the next message already behind it. */
export function decodesEveryWay<Value, Fault>(decode: Decode<Value, Fault>, bytes: Uint8Array, value: Value): void {
  const whole = { kind: "done", value, bytesRead: bytes.length } as const;
  expect(decode(bytes)).toEqual(whole);
  for (let size = 0; size < bytes.length; size++) expect(decode(bytes.subarray(0, size)).kind).toBe("incomplete");
  expect(decode(Uint8Array.of(...bytes, 0xee, 0xee))).toEqual(whole);
}

/** Refused from byte `at` on and not before, whatever follows. */
export function refusesFromByte<Value, Fault>(
  decode: Decode<Value, Fault>,
  bytes: Uint8Array,
  at: number,
  fault: Fault,
): void {
  for (let size = 0; size <= at; size++) expect(decode(bytes.subarray(0, size)).kind).toBe("incomplete");
  for (let size = at + 1; size <= bytes.length; size++) {
    expect(decode(bytes.subarray(0, size))).toEqual({ kind: "invalid", fault });
  }
  expect(decode(Uint8Array.of(...bytes, 0xee, 0xee))).toEqual({ kind: "invalid", fault });
}

/** Random bytes, after every one of `starts`: an answer and never a throw, and never more read than there was. */
export function survivesRandomBytes<Value, Fault>(
  decode: Decode<Value, Fault>,
  starts: readonly (readonly number[])[] = [],
): void {
  const bytes = fc
    .tuple(fc.constantFrom<readonly number[]>([], ...starts), fc.uint8Array({ maxLength: 600 }))
    .map(([start, rest]) => Uint8Array.of(...start, ...rest));
  fc.assert(
    fc.property(bytes, (input) => {
      const before = input.slice();
      const decoded = decode(input);
      if (decoded.kind === "done") expect(decoded.bytesRead).toBeLessThanOrEqual(input.length);
      // A decoder looks and does not touch.
      expect(input).toEqual(before);
    }),
    { numRuns: 300 },
  );
}
