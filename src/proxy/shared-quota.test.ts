import { describe, expect, test } from "bun:test";
import { SharedCounts, sizeOfSharedCounts } from "./shared-counts.ts";
import { SharedQuota } from "./shared-quota.ts";

const NONE = { total: 0, perAddress: 0, perUser: 0 };

function workers(slots = 32): [SharedQuota, SharedQuota] {
  const bytes = new Uint8Array(sizeOfSharedCounts(slots, 2));
  const quota = (worker: number) =>
    new SharedQuota(new SharedCounts(bytes, slots, 2, worker), "udp", (text) => (Bun.hash(text) as bigint) || 1n);
  return [quota(0), quota(1)];
}

function place(entered: (() => void) | string): () => void {
  if (typeof entered === "string") throw new Error(`kept out: ${entered}`);
  return entered;
}

describe("SharedQuota", () => {
  test.each([
    ["total", { ...NONE, total: 2 }],
    ["perAddress", { ...NONE, perAddress: 2 }],
    ["perUser", { ...NONE, perUser: 2 }],
  ] as const)("%s holds over both workers, and a place that is given back is free", (name, limits) => {
    const [a, b] = workers();
    const leave = place(a.enter("192.0.2.1", "alice", limits));
    place(b.enter("192.0.2.1", "alice", limits));
    expect(a.enter("192.0.2.1", "alice", limits)).toBe(name);
    expect(b.enter("192.0.2.1", "alice", limits)).toBe(name);
    leave();
    place(b.enter("192.0.2.1", "alice", limits));
    expect([a.total, b.total]).toEqual([0, 2]);
  });

  test("who is kept out by one limit leaves no trace in the others", () => {
    const [a, b] = workers();
    const limits = { total: 2, perAddress: 1, perUser: 0 };
    place(a.enter("192.0.2.1", undefined, limits));
    for (let i = 0; i < 5; i++) expect(b.enter("192.0.2.1", undefined, limits)).toBe("perAddress");
    place(b.enter("192.0.2.2", undefined, limits));
    expect(a.enter("192.0.2.3", undefined, limits)).toBe("total");
  });

  test("more addresses than slots may come one after the other", () => {
    const [a] = workers(4);
    for (let i = 0; i < 50; i++) place(a.enter(`192.0.2.${i}`, "bob", { ...NONE, perAddress: 1 }))();
    expect(a.total).toBe(0);
  });
});
