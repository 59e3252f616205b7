import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Tsn, tsnAdd } from "../serial.ts";
import { DataTracker } from "./data-tracker.ts";

const FIRST = 0xffff_fff0 as Tsn;
const at = (distance: number): Tsn => tsnAdd(FIRST, distance);

function trackerOf(...distances: number[]): DataTracker {
  const tracker = new DataTracker(FIRST);
  for (const distance of distances) tracker.add(at(distance));
  return tracker;
}

describe("the tracker", () => {
  test("moves on when nothing is missing, and holds ranges beyond gaps that do not touch [rfc9260#3.3.4/blocks-isolated]", () => {
    const tracker = trackerOf(0, 2, 3, 5);
    expect(tracker.cumulativeTsn).toBe(at(0));
    expect(tracker.gapAckBlocks(10)).toEqual([
      { start: 2, end: 3 },
      { start: 5, end: 5 },
    ]);
    tracker.add(at(4));
    expect(tracker.gapAckBlocks(10)).toEqual([{ start: 2, end: 5 }]);
    tracker.add(at(1));
    expect(tracker.cumulativeTsn).toBe(at(5));
    expect(tracker.hasGaps).toBe(false);
  });

  test("tells how a TSN stands", () => {
    const tracker = trackerOf(0, 2);
    expect([0, 1, 2, 3, -5].map((distance) => tracker.standing(at(distance)))).toEqual([
      "duplicate",
      "next",
      "duplicate",
      "ahead",
      "duplicate",
    ]);
    expect(tracker.standing(at(65_535))).toBe("ahead");
    expect(tracker.standing(at(65_536))).toBe("out-of-reach");
  });

  test("forgets the highest", () => {
    const tracker = trackerOf(2, 3);
    tracker.removeHighest();
    expect(tracker.highestTsn).toBe(at(2));
    tracker.removeHighest();
    expect(tracker.hasGaps).toBe(false);
    expect(() => tracker.removeHighest()).toThrow("no TSN beyond a gap");
  });

  test("gives duplicates once, and not too many", () => {
    const tracker = trackerOf(0);
    for (let count = 0; count < 50; count++) tracker.addDuplicate(at(0));
    expect(tracker.takeDuplicates().length).toBe(16);
    expect(tracker.takeDuplicates()).toEqual([]);
  });

  test("gives no more blocks than asked for, the lowest first [rfc9260#6.7/lowest-first]", () => {
    expect(trackerOf(2, 4, 6, 8).gapAckBlocks(2).length).toBe(2);
  });

  test("knows what a set knows, in whatever order the TSNs come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 }), (distances) => {
        const tracker = new DataTracker(FIRST);
        const model = new Set<number>();
        for (const distance of distances) {
          expect(tracker.standing(at(distance)) === "duplicate").toBe(model.has(distance));
          if (!model.has(distance)) tracker.add(at(distance));
          model.add(distance);
          let whole = 0;
          while (model.has(whole)) whole++;
          expect(tracker.cumulativeTsn).toBe(at(whole - 1));
          const reported = tracker.gapAckBlocks(99).flatMap(({ start, end }) => {
            return Array.from({ length: end - start + 1 }, (_, index) => whole - 1 + start + index);
          });
          expect(reported).toEqual([...model].filter((known) => known > whole).sort((left, right) => left - right));
        }
      }),
    );
  });
});
