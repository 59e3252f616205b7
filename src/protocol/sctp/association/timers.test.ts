import { expect, test } from "bun:test";
import { SpentCookies } from "./spent-cookies.ts";
import { Timers } from "./timers.ts";

test("timers: the earliest deadline, each due once, started again, stopped", () => {
  const timers = new Timers();
  expect(timers.next()).toBe(Number.POSITIVE_INFINITY);
  timers.start("t3-rtx", 100);
  timers.start("sack", 50);
  expect([timers.next(), timers.takeDue(49)]).toEqual([50, undefined]);
  expect([timers.takeDue(50), timers.takeDue(50), timers.next()]).toEqual(["sack", undefined, 100]);
  timers.start("t3-rtx", 200);
  expect([timers.takeDue(100), timers.isRunning("t3-rtx")]).toEqual([undefined, true]);
  timers.stop("t3-rtx");
  timers.start("t5-guard", 1);
  timers.stopAll();
  expect(timers.takeDue(1_000)).toBeUndefined();
});

test("spent cookies are remembered for their life, and bounded in number", () => {
  const spent = new SpentCookies(1_000);
  spent.add(1, 0);
  spent.add(2, 500);
  spent.forgetOld(999);
  expect([spent.has(1), spent.has(2)]).toEqual([true, true]);
  spent.forgetOld(1_000);
  expect([spent.has(1), spent.has(2)]).toEqual([false, true]);
  for (let tag = 10; tag < 10_000; tag++) spent.add(tag, 600);
  expect(spent.size).toBe(4_096);
  expect([spent.has(2), spent.has(9_999)]).toEqual([false, true]);
  spent.forgetOld(1_600);
  expect(spent.size).toBe(0);
});
