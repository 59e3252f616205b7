import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { USER_DATA_BYTES_MAX } from "../chunks/data.ts";
import { Reassembly } from "../rx/reassembly.ts";
import { SendQueue } from "./send-queue.ts";

describe("the send queue", () => {
  test("keeps a copy", () => {
    const queue = new SendQueue();
    const message = Uint8Array.of(1, 2);
    queue.add(message);
    message.fill(9);
    expect(queue.take()).toEqual({ streamSeq: 0, flags: 3, userData: Uint8Array.of(1, 2) });
    expect(queue.take()).toBeUndefined();
    expect([queue.isEmpty, queue.nextBytes]).toEqual([true, 0]);
  });

  test("cuts at what a packet holds, and says before how much that is", () => {
    const queue = new SendQueue();
    queue.add(new Uint8Array(USER_DATA_BYTES_MAX));
    queue.add(new Uint8Array(USER_DATA_BYTES_MAX + 1));
    const found: [number, number, number][] = [];
    while (!queue.isEmpty) {
      const next = queue.nextBytes;
      const fragment = queue.take();
      found.push([fragment?.streamSeq ?? -1, fragment?.flags ?? -1, next]);
      expect(fragment?.userData.length).toBe(next);
    }
    expect(found).toEqual([
      [0, 3, USER_DATA_BYTES_MAX],
      [1, 2, USER_DATA_BYTES_MAX],
      [1, 1, 1],
    ]);
  });

  test("numbers wrap at 2^16", () => {
    const queue = new SendQueue();
    let last = -1;
    for (let count = 0; count <= 65_536; count++) {
      queue.add(Uint8Array.of(1));
      last = queue.take()?.streamSeq ?? -1;
    }
    expect(last).toBe(0);
  });

  test("as a plain queue, whatever is added and taken when: the other side's reassembly gets all of it back", () => {
    const command = fc.oneof(fc.integer({ min: 1, max: 4_000 }), fc.constant("take" as const));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const queue = new SendQueue();
        const reassembly = new Reassembly(4_000);
        const model: number[] = [];
        const found: number[] = [];
        const take = (): boolean => {
          const fragment = queue.take();
          if (fragment === undefined) return false;
          expect(reassembly.add({ ...fragment, ppid: 0 }, ({ bytes }) => found.push(bytes.length))).toBe("taken");
          return true;
        };
        for (const command of commands) {
          if (command === "take") take();
          else {
            queue.add(new Uint8Array(command));
            model.push(command);
          }
        }
        while (take()) expect(found.length).toBeLessThanOrEqual(model.length);
        expect(found).toEqual(model);
        expect(queue.isEmpty).toBe(true);
      }),
    );
  });
});
