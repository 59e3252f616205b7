import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { GapAckBlock } from "../chunks/sack.ts";
import { type Tsn, tsnAdd } from "../serial.ts";
import { type Acknowledged, Outstanding } from "./outstanding.ts";

const FIRST = 0xffff_fffe as Tsn;

function withChunks(count: number): Outstanding {
  const outstanding = new Outstanding(FIRST);
  for (let index = 0; index < count; index++) {
    outstanding.add({ streamSeq: index, flags: 3, userData: new Uint8Array(100) }, 0, false, 1_000 + index);
  }
  return outstanding;
}

/** A SACK up to `distance` after the first TSN, -1 for none. */
function ack(outstanding: Outstanding, distance: number, blocks: GapAckBlock[] = [], nowMs = 2_000): Acknowledged {
  const sack = { cumulativeTsnAck: tsnAdd(FIRST, distance), gapAckBlocks: blocks };
  const outcome = outstanding.acknowledge(sack, false, nowMs);
  if (outcome.kind !== "taken") throw new Error(outcome.kind);
  return outcome.acknowledged;
}

describe("what is outstanding", () => {
  test("counts what is in flight, and releases what is acknowledged for good [rfc9260#6.7/release]", () => {
    const outstanding = withChunks(3);
    expect([outstanding.flightBytes, outstanding.flightUserBytes]).toEqual([3 * 116, 300]);
    const acknowledged = ack(outstanding, 0, [{ start: 2, end: 2 }]);
    expect(acknowledged).toMatchObject({
      cumulativeAdvance: 1,
      ackedBytes: 232,
      releasedUserBytes: 100,
      releasedMessages: 1,
    });
    expect(outstanding.flightBytes).toBe(116);
    expect(ack(outstanding, 2)).toMatchObject({ ackedBytes: 116, releasedUserBytes: 200, releasedMessages: 2 });
    expect([outstanding.isEmpty, outstanding.flightBytes, outstanding.flightUserBytes]).toEqual([true, 0, 0]);
  });

  test("begins one below the initial TSN [rfc9260#5.1/initial-tsn]", () => {
    const outstanding = withChunks(1);
    expect(outstanding.cumulativeTsn).toBe(tsnAdd(FIRST, -1));
    expect(ack(outstanding, -1)).toMatchObject({ cumulativeAdvance: 0, ackedBytes: 0 });
    expect(outstanding.acknowledge({ cumulativeTsnAck: tsnAdd(FIRST, -2), gapAckBlocks: [] }, false, 0).kind).toBe(
      "old",
    );
  });

  test("what the peer takes back is in flight again [rfc9260#6.2.1/reneged]", () => {
    const outstanding = withChunks(3);
    ack(outstanding, -1, [{ start: 2, end: 3 }]);
    expect(outstanding.flightBytes).toBe(116);
    ack(outstanding, -1, [{ start: 2, end: 2 }]);
    expect(outstanding.flightBytes).toBe(232);
  });

  test("an old SACK, and one that knows too much", () => {
    const outstanding = withChunks(2);
    ack(outstanding, 0);
    const sack = (distance: number, gapAckBlocks: GapAckBlock[]) =>
      outstanding.acknowledge({ cumulativeTsnAck: tsnAdd(FIRST, distance), gapAckBlocks }, false, 0).kind;
    expect(sack(-1, [])).toBe("old");
    expect(sack(2, [])).toBe("beyond");
    expect(sack(0, [{ start: 2, end: 2 }])).toBe("beyond");
    expect(sack(0, [{ start: 1, end: 1 }])).toBe("taken");
  });

  test("one round trip is measured at a time [rfc9260#6.3.1/one-measurement]", () => {
    const outstanding = withChunks(3);
    expect(ack(outstanding, 0, [], 1_500).roundTripMs).toBe(500);
    expect(ack(outstanding, 1, [], 1_600).roundTripMs).toBeUndefined();
    outstanding.add({ streamSeq: 0, flags: 3, userData: new Uint8Array(1) }, 0, false, 3_000);
    expect(ack(outstanding, 3, [], 3_100).roundTripMs).toBe(100);
  });

  test("nothing is measured on what was sent twice [rfc9260#6.3.1/karn]", () => {
    const outstanding = withChunks(1);
    outstanding.loseAll();
    expect(outstanding.takeLost()).toMatchObject({ lowest: true });
    expect(ack(outstanding, 0).roundTripMs).toBeUndefined();
  });

  test("nor on what is behind something that was sent twice [rfc9260#6.3.1/none-behind]", () => {
    const outstanding = withChunks(6);
    ack(outstanding, 0);
    outstanding.add({ streamSeq: 6, flags: 3, userData: new Uint8Array(100) }, 0, false, 2_000);
    // The second is missing, and goes again; only then the one that is measured is acknowledged, the seventh.
    for (const end of [2, 3, 4]) ack(outstanding, 0, [{ start: 2, end }], 2_100);
    expect(outstanding.takeLost()).toMatchObject({ lowest: true });
    expect(ack(outstanding, 6, [], 2_200).roundTripMs).toBeUndefined();
    // What is sent after that is measured again.
    outstanding.add({ streamSeq: 7, flags: 3, userData: new Uint8Array(100) }, 0, false, 2_300);
    expect(ack(outstanding, 7, [], 2_350).roundTripMs).toBe(50);
  });

  test("a miss counts only below what a SACK newly acknowledges [rfc9260#6.7/missing]", () => {
    const outstanding = withChunks(5);
    const blocks = (end: number) => [{ start: 2, end }];
    expect([2, 2, 2, 2].map((end) => ack(outstanding, -1, blocks(end)).lossDetected)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect([3, 4].map((end) => ack(outstanding, -1, blocks(end)).lossDetected)).toEqual([false, true]);
    expect(outstanding.takeLost()).toMatchObject({ lowest: true });
    expect(outstanding.takeLost()).toBeUndefined();
  });

  test("any SACKs, in any order: the sums are right, and in the end nothing is left", () => {
    const command = fc.record({
      kind: fc.constantFrom("send", "ack", "gap", "lose", "resend"),
      a: fc.nat({ max: 6 }),
      b: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const outstanding = new Outstanding(FIRST);
        let sent = 0;
        let acked = 0;
        let released = 0;
        for (const { kind, a, b } of commands) {
          if (kind === "send") {
            outstanding.add({ streamSeq: 0, flags: 3, userData: new Uint8Array(10) }, 0, false, 0);
            sent++;
          }
          if (kind === "lose") outstanding.loseAll();
          if (kind === "resend") outstanding.takeLost();
          if (kind !== "ack" && kind !== "gap") continue;
          const distance = acked + (kind === "ack" ? a : 0);
          const gapAckBlocks = kind === "gap" ? [{ start: 2 + a, end: 2 + a + b }] : [];
          const sack = { cumulativeTsnAck: tsnAdd(FIRST, distance - 1), gapAckBlocks };
          const outcome = outstanding.acknowledge(sack, false, 0);
          const furthest = gapAckBlocks[0]?.end ?? 0;
          expect(outcome.kind).toBe(distance + furthest > sent ? "beyond" : "taken");
          if (outcome.kind !== "taken") continue;
          acked = distance;
          released += outcome.acknowledged.releasedMessages;
          expect(released).toBe(acked);
          expect(outstanding.flightBytes).toBeGreaterThanOrEqual(0);
          expect(outstanding.flightBytes).toBeLessThanOrEqual((sent - acked) * 28);
        }
        ack(outstanding, sent - 1);
        expect([outstanding.isEmpty, outstanding.flightBytes, outstanding.hasLost]).toEqual([true, 0, false]);
      }),
    );
  });
});
