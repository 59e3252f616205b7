import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { Deadline, SLOT_MS, TimerWheel } from "./timer-wheel.ts";

describe("TimerWheel", () => {
  test("fires once, never early, at most a slot late", () => {
    const clock = new ManualClock(1234.5);
    const wheel = new TimerWheel(clock);
    const fired: number[] = [];
    wheel.set(new Deadline((nowMs) => fired.push(nowMs)), clock.nowMs() + 1000);
    clock.advance(999);
    expect(fired).toEqual([]);
    clock.advance(1 + SLOT_MS);
    expect(fired.length).toBe(1);
    clock.advance(1_000_000);
    expect(fired.length).toBe(1);
    expect(wheel.count).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });

  test("a cleared deadline does not fire; a moved one fires once, at its new time", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const cleared = new Deadline(() => fired.push("cleared"));
    const moved = new Deadline(() => fired.push("moved"));
    wheel.set(cleared, 100);
    wheel.set(moved, 100);
    wheel.clear(cleared);
    wheel.set(moved, 10_000);
    clock.advance(9_999);
    expect(fired).toEqual([]);
    clock.advance(1 + SLOT_MS);
    expect(fired).toEqual(["moved"]);
  });

  test("a deadline that is put off again and again fires once, at its last time, and can still be brought forward", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const [late, soon] = [new Deadline(() => fired.push("late")), new Deadline(() => fired.push("soon"))];
    for (const deadline of [late, soon]) for (const dueMs of [1000, 30_000, 200_000]) wheel.set(deadline, dueMs);
    clock.advance(25_000);
    wheel.set(soon, 26_000);
    clock.advance(2000);
    expect(fired).toEqual(["soon"]);
    clock.advance(172_000);
    expect(fired).toEqual(["soon"]);
    clock.advance(2000);
    expect(fired).toEqual(["soon", "late"]);
    expect([wheel.count, clock.pendingCount]).toEqual([0, 0]);
  });

  test("a bug in one deadline's work leaves the others theirs", () => {
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    try {
      const clock = new ManualClock();
      const wheel = new TimerWheel(clock);
      const bug = new Error("a bug");
      const fired: string[] = [];
      const later = new Deadline(() => fired.push("later"));
      wheel.set(later, clock.nowMs() + 1000);
      wheel.set(
        new Deadline(() => {
          throw bug;
        }),
        clock.nowMs() + 100,
      );
      wheel.set(new Deadline(() => fired.push("same slot")), clock.nowMs() + 100);
      clock.advance(500);
      wheel.set(later, clock.nowMs() + 2000);
      clock.advance(3000);
      expect(fired).toEqual(["same slot", "later"]);
      expect(report.mock.calls).toEqual([[bug]]);
    } finally {
      report.mockRestore();
    }
  });

  test("stopped, it holds no timer and no deadline", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    wheel.set(new Deadline(() => expect.unreachable()), 100);
    wheel.set(new Deadline(() => expect.unreachable()), 100_000);
    wheel.stop();
    expect([wheel.count, clock.pendingCount]).toEqual([0, 0]);
    clock.advance(200_000);
  });

  test("a deadline that is set by another one, and due already, does not wait for a lap", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    const fired: number[] = [];
    const second = new Deadline((nowMs) => fired.push(nowMs));
    wheel.set(new Deadline((nowMs) => wheel.set(second, nowMs - 10)), 1000);
    clock.advance(1000 + 3 * SLOT_MS);
    expect(fired.length).toBe(1);
    expect(wheel.count).toBe(0);
  });

  test("Infinity clears", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    const deadline = new Deadline(() => expect.unreachable());
    wheel.set(deadline, 100);
    wheel.set(deadline, Number.POSITIVE_INFINITY);
    expect(wheel.count).toBe(0);
    clock.advance(1000);
  });

  test("a deadline may set itself again, and clear its neighbours, while it fires", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    let times = 0;
    const neighbour = new Deadline(() => undefined);
    const again: Deadline = new Deadline((nowMs) => {
      times++;
      wheel.clear(neighbour);
      if (times < 3) wheel.set(again, nowMs + 100);
    });
    wheel.set(again, 100);
    wheel.set(neighbour, 200);
    clock.advance(10_000);
    expect(times).toBe(3);
    expect(wheel.count).toBe(0);
  });

  test("a deadline that another one clears or moves in the very slot that fires does not fire", () => {
    const clock = new ManualClock(0);
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const cleared = new Deadline(() => fired.push("cleared"));
    const moved = new Deadline(() => fired.push("moved"));
    wheel.set(
      new Deadline(() => {
        wheel.clear(cleared);
        wheel.set(moved, 5000);
      }),
      100,
    );
    wheel.set(cleared, 100);
    wheel.set(moved, 100);
    clock.advance(1000);
    expect(fired).toEqual([]);
    clock.advance(5000);
    expect(fired).toEqual(["moved"]);
  });

  test("against a plain list of times, whatever is set, moved and cleared", () => {
    const operation = fc.record({
      index: fc.nat({ max: 9 }),
      delayMs: fc.oneof(fc.nat({ max: 500 }), fc.nat({ max: 300_000 }), fc.constant(Number.POSITIVE_INFINITY)),
      advanceMs: fc.oneof(fc.constant(0), fc.nat({ max: 300 }), fc.nat({ max: 200_000 })),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const clock = new ManualClock(17);
        const wheel = new TimerWheel(clock);
        const due = new Map<number, number>();
        const deadlines = Array.from(
          { length: 10 },
          (_, index) =>
            new Deadline((nowMs) => {
              const wanted = due.get(index) ?? expect.unreachable();
              expect(nowMs).toBeGreaterThanOrEqual(wanted);
              expect(nowMs).toBeLessThanOrEqual(wanted + SLOT_MS + 1);
              due.delete(index);
            }),
        );
        for (const { index, delayMs, advanceMs } of operations) {
          const dueMs = clock.nowMs() + delayMs;
          wheel.set(deadlines[index] as Deadline, dueMs);
          if (delayMs === Number.POSITIVE_INFINITY) due.delete(index);
          else due.set(index, dueMs);
          clock.advance(advanceMs);
          for (const wanted of due.values()) expect(wanted + SLOT_MS + 1).toBeGreaterThan(clock.nowMs());
          expect(wheel.count).toBe(due.size);
        }
      }),
    );
  });
});
