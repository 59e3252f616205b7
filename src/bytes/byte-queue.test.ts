import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ByteQueue } from "./byte-queue.ts";

describe("ByteQueue", () => {
  test("gives out what went in, in order, however it went in and comes out", () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 500, max: 1023 }),
      fc.constantFrom(1024, 3072, 4095, 4096),
      fc.integer({ min: 1024, max: 5000 }),
    );
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("push" as const), size }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("consume" as const), size }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("consume all" as const), size }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const queue = new ByteQueue();
        let pushed = 0;
        let consumed = 0;
        const byteAt = (index: number): number => (index * 31 + (index >> 8) * 7) & 0xff;
        const take = (wanted: number): void => {
          const head = queue.head ?? new Uint8Array(0);
          const count = Math.min(wanted, head.length);
          expect(head.subarray(0, count).findIndex((byte, index) => byte !== byteAt(consumed + index))).toBe(-1);
          if (head.length > 0) queue.consume(count);
          consumed += count;
        };
        for (const { kind, size } of steps) {
          if (kind === "push") {
            const from = pushed;
            queue.push(Uint8Array.from({ length: size }, (_, index) => byteAt(from + index)));
            pushed += size;
          } else if (kind === "consume") {
            take(size);
          } else {
            take(Number.POSITIVE_INFINITY);
          }
          expect(queue.size).toBe(pushed - consumed);
          expect(queue.head === undefined).toBe(queue.size === 0);
        }
        while (queue.size > 0) take(Number.POSITIVE_INFINITY);
        expect(consumed).toBe(pushed);
      }),
    );
  });

  test("keeps a large piece as it is", () => {
    const queue = new ByteQueue();
    const piece = new Uint8Array(2000);
    queue.push(piece);
    expect(queue.head?.buffer).toBe(piece.buffer);
  });

  test("holds a hundred thousand single bytes in a few blocks", () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 100_000; i++) queue.push(Uint8Array.of(i));
    const blocks: Uint8Array[] = [];
    for (let head = queue.head; head !== undefined; head = queue.head) {
      blocks.push(head.slice());
      queue.consume(head.length);
    }
    expect(blocks.length).toBeLessThan(30);
    expect(Buffer.concat(blocks).equals(Uint8Array.from({ length: 100_000 }, (_, index) => index))).toBe(true);
  });

  test("gives out of a block what was put into it, where the next piece did not fit", () => {
    const queue = new ByteQueue();
    const all = Uint8Array.from({ length: 18_000 }, (_, index) => index);
    for (let at = 0; at < all.length; at += 900) queue.push(all.subarray(at, at + 900));
    const parts: Uint8Array[] = [];
    for (let head = queue.head; head !== undefined; head = queue.head) {
      parts.push(head.slice());
      queue.consume(head.length);
    }
    expect(Buffer.concat(parts).equals(all)).toBe(true);
  });

  test("keeps its order while its list of blocks is cut again and again", () => {
    const queue = new ByteQueue();
    const piece = (index: number): Uint8Array => new Uint8Array(1024).fill(index);
    let pushed = 0;
    let consumed = 0;
    // More comes than goes, and then all goes.
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < 3; i++) queue.push(piece(pushed++));
      for (let i = 0; i < 2; i++) {
        expect(queue.head?.[0]).toBe(consumed++ & 0xff);
        queue.consume(1024);
      }
    }
    for (; queue.size > 0; queue.consume(1024)) expect(queue.head?.[0]).toBe(consumed++ & 0xff);
    expect(consumed).toBe(pushed);
  });

  test("takes away no more than there is", () => {
    const queue = new ByteQueue();
    expect(() => queue.consume(1)).toThrow(RangeError);
    queue.push(Uint8Array.of(1, 2));
    expect(() => queue.consume(3)).toThrow(RangeError);
    queue.clear();
    expect([queue.size, queue.head]).toEqual([0, undefined]);
  });
});
