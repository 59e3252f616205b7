import { expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { SLOT_MS, TimerWheel } from "../time/timer-wheel.ts";
import { TIDY_CALM_MAX, TIDY_LEFT_MIN, TIDY_LEFT_SHARE, TIDY_LOOK_MS, Tidier } from "./tidier.ts";

const LOOK_MS = TIDY_LOOK_MS + 2 * SLOT_MS;

function setUp({ pauseMs = 0, clients = 0 } = {}) {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const collections: number[] = [];
  const tidier = new Tidier(
    { clock, wheel },
    {
      clients: () => clients,
      collect: () => {
        collections.push(clock.nowMs());
        clock.advance(pauseMs);
      },
    },
  );
  const leave = (count: number): void => {
    for (let index = 0; index < count; index++) tidier.left();
  };
  return { clock, wheel, collections, leave };
}

test("few clients are not worth it, and nothing is waited for", () => {
  const { clock, wheel, collections, leave } = setUp();
  leave(TIDY_LEFT_MIN - 1);
  expect(wheel.count).toBe(0);
  clock.advance(1e6);
  expect(collections).toHaveLength(0);
});

test("many are, once nobody leaves any more; then nothing is waited for again", () => {
  const { clock, wheel, collections, leave } = setUp();
  leave(TIDY_LEFT_MIN);
  clock.advance(LOOK_MS);
  expect(collections).toHaveLength(0);
  leave(TIDY_CALM_MAX + 1);
  clock.advance(LOOK_MS);
  expect(collections).toHaveLength(0);
  leave(TIDY_CALM_MAX);
  clock.advance(LOOK_MS);
  expect(collections).toHaveLength(1);
  expect(wheel.count).toBe(0);
  clock.advance(1e6);
  expect(collections).toHaveLength(1);
});

test("where very many are left, very many must have gone: a collection looks at all who are there", () => {
  const { clock, collections, leave } = setUp({ clients: 100_000 });
  leave(100_000 * TIDY_LEFT_SHARE - 1);
  clock.advance(2 * LOOK_MS);
  expect(collections).toHaveLength(0);
  leave(1);
  clock.advance(2 * LOOK_MS);
  expect(collections).toHaveLength(1);
});

test("a long collection is followed by two hundred times as long without one", () => {
  const { clock, collections, leave } = setUp({ pauseMs: 100 });
  leave(TIDY_LEFT_MIN);
  clock.advance(3 * LOOK_MS);
  expect(collections).toHaveLength(1);
  const firstMs = collections[0] ?? 0;
  leave(TIDY_LEFT_MIN);
  clock.advance(15_000);
  expect(collections).toHaveLength(1);
  clock.advance(10_000);
  expect(collections).toHaveLength(2);
  expect((collections[1] ?? 0) - firstMs).toBeGreaterThanOrEqual(20_000);
});
