import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_SLOT, SharedCounts, type Slot, sizeOfSharedCounts } from "./shared-counts.ts";

const CONNECTIONS = 0;
const HANDSHAKES = 1;

function tables(slots: number, workers: number): SharedCounts[] {
  const bytes = new Uint8Array(sizeOfSharedCounts(slots, workers));
  return Array.from({ length: workers }, (_, worker) => new SharedCounts(bytes, slots, workers, worker));
}

describe("SharedCounts", () => {
  test("two workers count the same key in the same slot, each in its own column", () => {
    const [a, b] = tables(16, 2) as [SharedCounts, SharedCounts];
    const slot = a.acquire(77n, CONNECTIONS);
    expect(b.acquire(77n, CONNECTIONS)).toBe(slot);
    b.add(slot, HANDSHAKES, 1);
    expect([a.total(slot, CONNECTIONS), a.total(slot, HANDSHAKES)]).toEqual([2, 1]);
    expect(b.acquire(78n, CONNECTIONS)).not.toBe(slot);
  });

  test("a slot is free again when nobody counts in it, and not before", () => {
    const [a, b] = tables(1, 2) as [SharedCounts, SharedCounts];
    const slot = a.acquire(1n, CONNECTIONS);
    b.acquire(1n, CONNECTIONS);
    a.add(slot, CONNECTIONS, -1);
    a.release(slot);
    expect(a.acquire(2n, CONNECTIONS)).toBe(NO_SLOT);
    b.add(slot, CONNECTIONS, -1);
    b.release(slot);
    expect(a.acquire(2n, CONNECTIONS)).toBe(slot);
  });

  test("a full table counts nothing and breaks nothing", () => {
    const [a] = tables(1, 1) as [SharedCounts];
    a.acquire(1n, CONNECTIONS);
    const none = a.acquire(2n, CONNECTIONS);
    expect(none).toBe(NO_SLOT);
    a.add(none, CONNECTIONS, 1);
    a.release(none);
    expect(a.total(none, CONNECTIONS)).toBe(0);
  });

  test("a worker that died leaves no count and no lock behind", () => {
    const bytes = new Uint8Array(sizeOfSharedCounts(16, 2));
    const dead = new SharedCounts(bytes, 16, 2, 0);
    const alive = new SharedCounts(bytes, 16, 2, 1);
    const slot = dead.acquire(5n, CONNECTIONS);
    const other = alive.acquire(6n, CONNECTIONS);
    // It died with the lock in its hands.
    new Int32Array(bytes.buffer)[0] = 1;
    alive.clearWorker(0);
    expect(alive.total(slot, CONNECTIONS)).toBe(0);
    expect(alive.total(other, CONNECTIONS)).toBe(1);
    expect(alive.acquire(7n, CONNECTIONS)).not.toBe(NO_SLOT);
  });

  test("against a plain map, whatever the workers do", () => {
    const operation = fc.record({
      worker: fc.nat({ max: 2 }),
      key: fc.integer({ min: 1, max: 12 }),
      leave: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const workers = tables(8, 3);
        const held = new Map<string, Slot[]>();
        for (const { worker, key, leave } of operations) {
          const counts = workers[worker] as SharedCounts;
          const mine = held.get(`${worker}/${key}`) ?? [];
          if (leave) {
            const slot = mine.pop();
            if (slot !== undefined) {
              counts.add(slot, CONNECTIONS, -1);
              counts.release(slot);
            }
          } else {
            const slot = counts.acquire(BigInt(key), CONNECTIONS);
            if (slot !== NO_SLOT) mine.push(slot);
          }
          held.set(`${worker}/${key}`, mine);
        }
        const slotOf = new Map<number, Slot>();
        for (let key = 1; key <= 12; key++) {
          const slots = [0, 1, 2].flatMap((worker) => held.get(`${worker}/${key}`) ?? []);
          const [slot] = slots;
          if (slot === undefined) continue;
          expect(new Set(slots).size).toBe(1);
          expect((workers[0] as SharedCounts).total(slot, CONNECTIONS)).toBe(slots.length);
          slotOf.set(key, slot);
        }
        expect(new Set(slotOf.values()).size).toBe(slotOf.size);
      }),
    );
  });
});
