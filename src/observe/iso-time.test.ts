import { expect, test } from "bun:test";
import fc from "fast-check";
import { appendIsoTime } from "./iso-time.ts";
import { JsonBytes } from "./json-bytes.ts";

function isoTime(wallMs: number): string {
  const out = new JsonBytes();
  appendIsoTime(wallMs, out);
  return out.bytes.toString("latin1", 0, out.length);
}

test("is what toISOString says, whatever was asked before", () => {
  const DATE_MS_MAX = 8.64e15;
  const anywhere = fc.integer({ min: -DATE_MS_MAX, max: DATE_MS_MAX });
  const nearby = fc.integer({ min: -2500, max: 2500 }).map((ms) => Date.UTC(2026, 0, 1) + ms);
  const first = fc.integer({ min: -2500, max: 2500 });
  fc.assert(
    fc.property(fc.array(fc.oneof(nearby, first, anywhere), { minLength: 2, maxLength: 20 }), (times) => {
      expect(times.map(isoTime)).toEqual(times.map((ms) => new Date(ms).toISOString()));
    }),
  );
});

test("no time throws, and leaves what comes after it right", () => {
  expect(isoTime(1500)).toBe("1970-01-01T00:00:01.500Z");
  expect(() => isoTime(Number.NaN)).toThrow(RangeError);
  expect(() => isoTime(1e16)).toThrow(RangeError);
  expect(isoTime(1500)).toBe("1970-01-01T00:00:01.500Z");
  expect(isoTime(1501)).toBe("1970-01-01T00:00:01.501Z");
});
