import { describe, expect, test } from "bun:test";
import { DATA_CHUNK_BYTES_MAX as PMDCS } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { Congestion } from "./congestion.ts";

const tsn = (value: number): Tsn => value as Tsn;

describe("the congestion window", () => {
  test("begins with 4,344 bytes [rfc9260#7.2.1/initial-cwnd]", () => {
    expect(new Congestion(100_000).cwnd).toBe(4_344);
  });

  test("slow start: by what was acknowledged, one PMDCS at most, if the window was in full use [rfc9260#7.2.1/slow-start]", () => {
    const congestion = new Congestion(100_000);
    congestion.acknowledged(tsn(1), 500, 4_344, false);
    expect(congestion.cwnd).toBe(4_844);
    congestion.acknowledged(tsn(2), 3_000, 5_000, false);
    expect(congestion.cwnd).toBe(4_844 + PMDCS);
    congestion.acknowledged(tsn(3), 3_000, 1_000, false);
    expect(congestion.cwnd).toBe(4_844 + PMDCS);
  });

  test("avoidance: one PMDCS for a whole window [rfc9260#7.2.2/avoidance]", () => {
    const congestion = new Congestion(0);
    congestion.acknowledged(tsn(1), 2_000, 9_000, false);
    const cwnd = congestion.cwnd;
    expect(cwnd).toBeGreaterThan(4 * PMDCS);
    congestion.acknowledged(tsn(2), cwnd - 1, 9_000, false);
    expect(congestion.cwnd).toBe(cwnd);
    congestion.acknowledged(tsn(3), 1, 1_000, false);
    expect(congestion.cwnd).toBe(cwnd);
    congestion.acknowledged(tsn(4), 1, 9_000, false);
    expect(congestion.cwnd).toBe(cwnd + PMDCS);
  });

  test("loss by gaps halves it, once until all that was outstanding is acknowledged [rfc9260#7.2.3/halve] [rfc9260#7.2.4/once]", () => {
    const congestion = new Congestion(1_000_000);
    for (let index = 0; index < 20; index++) congestion.acknowledged(tsn(index), 5_000, 1_000_000, false);
    const cwnd = congestion.cwnd;
    congestion.lossByGaps(tsn(100));
    expect(congestion.cwnd).toBe(cwnd / 2);
    congestion.lossByGaps(tsn(101));
    congestion.acknowledged(tsn(99), 5_000, 1_000_000, false);
    expect([congestion.cwnd, congestion.inFastRecovery]).toEqual([cwnd / 2, true]);
    congestion.acknowledged(tsn(100), 5_000, 1_000_000, false);
    expect(congestion.inFastRecovery).toBe(false);
    congestion.lossByGaps(tsn(200));
    expect(congestion.cwnd).toBe(Math.max(cwnd / 4, 4 * PMDCS));
  });

  test("loss by T3-rtx: one packet [rfc9260#7.2.3/timeout]", () => {
    const congestion = new Congestion(100_000);
    congestion.lossByTimeout();
    expect(congestion.cwnd).toBe(PMDCS);
    // Slow start goes up to ssthresh, which is four packets at least.
    for (let index = 0; index < 4; index++) congestion.acknowledged(tsn(index), PMDCS, 100_000, false);
    expect(congestion.cwnd).toBe(5 * PMDCS);
  });

  test("idle, it halves for each RTO, down to four packets [rfc9260#7.2.1/idle]", () => {
    const congestion = new Congestion(1_000_000);
    for (let index = 0; index < 30; index++) congestion.acknowledged(tsn(index), 5_000, 1_000_000, false);
    const cwnd = congestion.cwnd;
    congestion.idled(1);
    expect(congestion.cwnd).toBe(cwnd / 2);
    congestion.idled(1_000_000_000);
    expect(congestion.cwnd).toBe(4 * PMDCS);
  });

  test("after idleness it grows by slow start to where it was [rfc9260#7.2.1/idle]", () => {
    const congestion = new Congestion(0);
    for (let index = 0; index < 40; index++) congestion.acknowledged(tsn(index), 20_000, 1_000_000, false);
    const cwnd = congestion.cwnd;
    congestion.idled(2);
    congestion.acknowledged(tsn(50), 100, 1_000_000, true);
    congestion.acknowledged(tsn(51), 100, 1_000_000, false);
    expect(congestion.cwnd).toBe(cwnd / 4 + 200);
    // What is below four packets already stays, and so does ssthresh.
    const small = new Congestion(1_000_000);
    small.lossByTimeout();
    small.idled(3);
    expect(small.cwnd).toBe(PMDCS);
    for (let index = 0; index < 4; index++) small.acknowledged(tsn(index), PMDCS, 1_000_000, false);
    expect(small.cwnd).toBe(5 * PMDCS);
  });

  test("no more than four packets at once [rfc9260#6.1/max-burst]", () => {
    const congestion = new Congestion(1_000_000);
    for (let index = 0; index < 30; index++) congestion.acknowledged(tsn(index), 5_000, 1_000_000, false);
    expect(congestion.allowance(1_000)).toBe(1_000 + 4 * PMDCS);
    expect(congestion.allowance(1_000_000)).toBe(congestion.cwnd);
  });
});
