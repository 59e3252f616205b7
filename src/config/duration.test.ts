import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  test.each([
    ["0s", 0],
    ["500ms", 500],
    ["30s", 30_000],
    ["2h5m", 7_500_000],
    ["1m1ms", 60_001],
    ["1d2h3m4s5ms", 93_784_005],
    ["90m", 5_400_000],
  ])("%s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "5", "s", "5 s", "-5s", "5m2h", "5s5s", "1.5s", "5S", "5min", "ms", "s5", "5s ", "0x5s"])(
    "%p is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test("every sum of units comes back", () => {
    const count = fc.nat({ max: 1000 });
    fc.assert(
      fc.property(count, count, count, count, count, (d, h, m, s, ms) => {
        const wanted = (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms;
        return parseDuration(`${d}d${h}h${m}m${s}s${ms}ms`) === wanted;
      }),
    );
  });
});
