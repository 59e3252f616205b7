import { describe, expect, test } from "bun:test";
import { AttemptLimiter } from "./attempt-limiter.ts";

const limits = { failuresPerMinute: 3, failureAddresses: 2 };

describe("AttemptLimiter", () => {
  test("so many failures at once, then one for each part of a minute", () => {
    const limiter = new AttemptLimiter(limits);
    const takes = (nowMs: number, times: number): boolean[] =>
      Array.from({ length: times }, () => limiter.take("192.0.2.1", nowMs));
    expect(takes(0, 4)).toEqual([true, true, true, false]);
    expect(takes(19_999, 1)).toEqual([false]);
    expect(takes(20_000, 2)).toEqual([true, false]);
    expect(takes(10_000_000, 4)).toEqual([true, true, true, false]);
  });

  test("a login that succeeds costs nothing and leaves nothing behind", () => {
    const limiter = new AttemptLimiter(limits);
    for (let n = 0; n < 100; n++) {
      expect(limiter.take("192.0.2.1", n)).toBe(true);
      limiter.giveBack("192.0.2.1", n);
    }
    expect(limiter.size).toBe(0);
  });

  test("addresses do not pay for each other; an IPv6 /64 is one of them", () => {
    const limiter = new AttemptLimiter(limits);
    for (let n = 0; n < 4; n++) limiter.take(`2001:db8::${n}`, 0);
    expect(limiter.take("2001:db8::ffff:1", 0)).toBe(false);
    expect(limiter.take("2001:db8:0:1::1", 0)).toBe(true);
    expect(limiter.take("192.0.2.1", 0)).toBe(true);
  });

  test("remembers no more addresses than it may, and forgets the one seen least recently", () => {
    const limiter = new AttemptLimiter(limits);
    for (let n = 0; n < 3; n++) limiter.take("192.0.2.1", 0);
    for (let n = 2; n < 250; n++) {
      limiter.take(`192.0.2.${n}`, 0);
      expect(limiter.take("192.0.2.1", 0)).toBe(false);
      expect(limiter.size).toBeLessThanOrEqual(2);
    }
  });
});
