import { describe, expect, test } from "bun:test";
import { BULK_BYTES, BULK_PAUSE_MS, BULK_WINDOW_MS, BulkPolicy } from "./bulk-policy.ts";

describe("BulkPolicy", () => {
  test("enough bytes in one window are the proof, in whatever pieces", () => {
    const policy = new BulkPolicy();
    expect(policy.moved(BULK_BYTES / 2, 5000)).toBe(false);
    expect(policy.moved(BULK_BYTES / 2 - 1, 5000 + BULK_WINDOW_MS)).toBe(false);
    expect(policy.moved(1, 5000 + BULK_WINDOW_MS)).toBe(true);
    expect(new BulkPolicy().moved(BULK_BYTES, 0)).toBe(true);
  });

  test("the same bytes over more than one window are none", () => {
    const policy = new BulkPolicy();
    expect(policy.moved(BULK_BYTES - 1, 0)).toBe(false);
    expect(policy.moved(BULK_BYTES - 1, BULK_WINDOW_MS + 1)).toBe(false);
    expect(policy.moved(1, BULK_WINDOW_MS + 2)).toBe(true);
  });

  test("after a come-home nothing counts until the pause is over", () => {
    const policy = new BulkPolicy();
    expect(policy.moved(BULK_BYTES, 0)).toBe(true);
    policy.cameHome(10);
    expect(policy.moved(BULK_BYTES, 10)).toBe(false);
    expect(policy.moved(BULK_BYTES, 9 + BULK_PAUSE_MS)).toBe(false);
    expect(policy.moved(BULK_BYTES - 1, 10 + BULK_PAUSE_MS)).toBe(false);
    expect(policy.moved(1, 10 + BULK_PAUSE_MS)).toBe(true);
  });
});
