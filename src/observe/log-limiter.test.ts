import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { Log } from "../ports/log.ts";
import { LimitedLog, LogLimiter } from "./log-limiter.ts";

describe("LogLimiter", () => {
  test("lets a few of each kind pass within a second, and counts the others", () => {
    const limiter = new LogLimiter(2);
    expect(["a", "a", "a", "b", "a"].map((kind) => limiter.admit(kind, 1000))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(limiter.takeEnded(1999)).toEqual([]);
    expect(limiter.takeEnded(2000)).toEqual([{ kind: "a", suppressed: 2 }]);
    expect(limiter.admit("a", 2000)).toBe(true);
  });

  test("holds no windows that are over", () => {
    const limiter = new LogLimiter(1);
    limiter.admit("a", 1000);
    limiter.admit("b", 1500);
    expect(limiter.pollTimeout()).toBe(2000);
    limiter.takeEnded(2000);
    expect(limiter.pollTimeout()).toBe(2500);
    limiter.takeEnded(2500);
    expect(limiter.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("LimitedLog", () => {
  const lines: string[] = [];
  const take = (message: string) => void lines.push(message);
  const log: Log = { debug: take, info: take, warn: take, error: take };

  test("tells how many were held back once the second is over, though no further line comes", () => {
    const clock = new ManualClock();
    const limited = new LimitedLog(log, clock, 1);
    for (let i = 0; i < 5; i++) limited.warn("limit", `client ${i} was turned away`);
    expect(lines.splice(0)).toEqual(["client 0 was turned away"]);
    clock.advance(1000);
    expect(lines.splice(0)).toEqual(["limit: 4 more suppressed"]);
    clock.advance(10_000);
    expect(lines.splice(0)).toEqual([]);
    expect(clock.pendingCount).toBe(0);
    limited.warn("limit", "again");
    expect(lines.splice(0)).toEqual(["again"]);
  });
});
