import { expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { QueuedTimers } from "./queued-timers.ts";

function setUp() {
  const clock = new ManualClock();
  const startMs = clock.nowMs();
  const timers = new QueuedTimers(clock);
  const fired: string[] = [];
  const set = (name: string, delayMs: number) =>
    timers.setTimer(delayMs, () => fired.push(`${name} ${clock.nowMs() - startMs}`));
  return { clock, timers, fired, set };
}

test("timers of one delay share one of the runtime, and each fires at its own time", () => {
  const { clock, fired, set } = setUp();
  set("a", 250);
  clock.advance(10);
  set("b", 250);
  set("c", 250);
  expect(clock.pendingCount).toBe(1);
  clock.advance(1000);
  expect(fired).toEqual(["a 250", "b 260", "c 260"]);
  expect(clock.pendingCount).toBe(0);
});

test("cancelled ones do not fire, wherever in the queue, and cancelling twice harms nobody", () => {
  const { clock, fired, set } = setUp();
  const all = ["a", "b", "c", "d", "e"].map((name) => set(name, 100));
  for (const index of [0, 2, 4, 2, 0]) all[index]?.cancel();
  clock.advance(100);
  expect(fired).toEqual(["b 100", "d 100"]);
  all[1]?.cancel();
  set("f", 100);
  clock.advance(100);
  expect(fired).toEqual(["b 100", "d 100", "f 200"]);
});

test("a timer that comes after a cancelled one fires at its own time, not at the other's", () => {
  const { clock, fired, set } = setUp();
  set("a", 250).cancel();
  clock.advance(100);
  set("b", 250);
  expect(clock.pendingCount).toBe(1);
  clock.advance(1000);
  expect(fired).toEqual(["b 350"]);
});

test("one that is due earlier than others fires in time", () => {
  const { clock, fired, set } = setUp();
  set("late", 250);
  set("early", 50);
  clock.advance(300);
  expect(fired).toEqual(["early 50", "late 250"]);
  set("gone", 250).cancel();
  set("alone", 50);
  set("next", 250);
  clock.advance(1000);
  expect(fired.slice(2)).toEqual(["alone 350", "next 550"]);
});

test("a callback may set and cancel others", () => {
  const { clock, timers, fired, set } = setUp();
  timers.setTimer(100, () => {
    b.cancel();
    set("c", 100);
    set("now", 0);
  });
  const b = set("b", 100);
  clock.advance(1000);
  expect(fired).toEqual(["now 100", "c 200"]);
});

test("it is the time of the clock beneath", () => {
  const { clock, timers } = setUp();
  expect([timers.nowMs(), timers.wallMs()]).toEqual([clock.nowMs(), clock.wallMs()]);
});

test("a callback that sets another, or throws, delays none of those that wait", () => {
  const { clock, timers, fired, set } = setUp();
  timers.setTimer(100, () => set("c", 100));
  timers.setTimer(120, () => {
    throw new Error("a bug");
  });
  set("b", 150);
  clock.advance(110);
  expect(() => clock.advance(20)).toThrow("a bug");
  clock.advance(1000);
  expect(fired).toEqual(["b 150", "c 200"]);
});
