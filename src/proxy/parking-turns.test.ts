import { expect, test } from "bun:test";
import { PARKING_INTERVAL_MS, ParkingTurns } from "./parking-turns.ts";

test("the first turn is now, the others follow at intervals, and nothing is left of a rush once it is over", () => {
  const turns = new ParkingTurns();
  expect([turns.next(1000), turns.next(1000), turns.next(1000)]).toEqual([
    1000,
    1000 + PARKING_INTERVAL_MS,
    1000 + 2 * PARKING_INTERVAL_MS,
  ]);
  expect(turns.next(5000)).toBe(5000);
});
