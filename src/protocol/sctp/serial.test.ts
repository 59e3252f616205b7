import { expect, test } from "bun:test";
import fc from "fast-check";
import { ssnBefore, ssnNext, type Tsn, tsnAdd, tsnBefore, tsnDistance } from "./serial.ts";

test.each([
  [0, 1, 1],
  [0xffff_ffff, 0, 1],
  [0, 0xffff_ffff, -1],
  [5, 5, 0],
  [0, 0x7fff_ffff, 0x7fff_ffff],
  [0xffff_fffe, 2, 4],
])("from %d to %d it is %d", (from, to, distance) => {
  expect(tsnDistance(from as Tsn, to as Tsn)).toBe(distance);
  expect(tsnBefore(from as Tsn, to as Tsn)).toBe(distance > 0);
});

test("adding a distance goes there, around the circle too [rfc9260#1.6/wrap]", () => {
  const tsns = fc.integer({ min: 0, max: 0xffff_ffff }).map((tsn) => tsn as Tsn);
  fc.assert(
    fc.property(tsns, fc.integer({ min: -0x7fff_ffff, max: 0x7fff_ffff }), (tsn, distance) => {
      expect(tsnDistance(tsn, tsnAdd(tsn, distance))).toBe(distance);
    }),
  );
});

test("stream sequence numbers wrap at 2^16", () => {
  expect(ssnNext(0xffff)).toBe(0);
  expect(ssnBefore(0xffff, 0)).toBe(true);
  expect(ssnBefore(0, 0xffff)).toBe(false);
  expect(ssnBefore(7, 7)).toBe(false);
});
