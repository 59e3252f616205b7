import { describe, expect, test } from "bun:test";
import { RetransmissionTimeout } from "./rto.ts";

const TIMING = { rtoInitialMs: 1_000, rtoMinMs: 100, rtoMaxMs: 60_000 };

describe("the RTO", () => {
  test("begins with RTO.Initial [rfc9260#6.3.1/initial]", () => {
    expect(new RetransmissionTimeout(TIMING).currentMs).toBe(1_000);
  });

  test("the first measurement R: R + 4 R/2 [rfc9260#6.3.1/first-measurement]", () => {
    const rto = new RetransmissionTimeout(TIMING);
    rto.measured(200);
    expect(rto.currentMs).toBe(600);
  });

  test("the next: the variation first, by a quarter, then the mean, by an eighth [rfc9260#6.3.1/next-measurement]", () => {
    const rto = new RetransmissionTimeout(TIMING);
    rto.measured(200);
    rto.measured(280);
    // RTTVAR 0.75 * 100 + 0.25 * 80 = 95, SRTT 0.875 * 200 + 0.125 * 280 = 210.
    expect(rto.currentMs).toBe(210 + 4 * 95);
  });

  test("a variation of 0 counts as a millisecond [rfc9260#6.3.1/granularity]", () => {
    const rto = new RetransmissionTimeout({ ...TIMING, rtoMinMs: 0 });
    rto.measured(0);
    expect(rto.currentMs).toBe(4);
  });

  test("stays from RTO.Min to RTO.Max, doubles, and comes down with a measurement [rfc9260#6.3.1/bounds]", () => {
    const rto = new RetransmissionTimeout(TIMING);
    rto.measured(1);
    expect(rto.currentMs).toBe(100);
    const doubled = Array.from({ length: 11 }, () => {
      rto.backOff();
      return rto.currentMs;
    });
    expect(doubled.slice(0, 3)).toEqual([200, 400, 800]);
    expect(doubled.at(-1)).toBe(60_000);
    rto.measured(1);
    expect(rto.currentMs).toBe(100);
  });
});
