import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Assembled, type Fragment, Reassembly } from "./reassembly.ts";

const B = 2;
const E = 1;
const U = 4;

/** Feeds fragments; answers the messages, each by its bytes, and what the last fragment came to. */
function feed(reassembly: Reassembly, ...fragments: Fragment[]): { messages: number[][]; last: Assembled } {
  const messages: number[][] = [];
  let last: Assembled = "taken";
  for (const fragment of fragments) last = reassembly.add(fragment, ({ bytes }) => messages.push([...bytes]));
  return { messages, last };
}

function fragment(flags: number, streamSeq: number, ...bytes: number[]): Fragment {
  return { flags, streamSeq, ppid: 0, userData: Uint8Array.from(bytes) };
}

describe("reassembly", () => {
  test("puts fragments together [rfc9260#6.9/reassemble]", () => {
    const reassembly = new Reassembly(100);
    expect(feed(reassembly, fragment(B, 0, 1), fragment(0, 0, 2), fragment(E, 0, 3)).messages).toEqual([[1, 2, 3]]);
    expect(reassembly.bytes).toBe(0);
  });

  test("hands on ordered messages in order, also when a later one is whole first [rfc9260#6.6/ordered]", () => {
    const reassembly = new Reassembly(100);
    expect(feed(reassembly, fragment(B | E, 2, 30), fragment(B | E, 1, 20)).messages).toEqual([]);
    expect([reassembly.waitingCount, reassembly.bytes]).toEqual([2, 2]);
    expect(feed(reassembly, fragment(B | E, 0, 10)).messages).toEqual([[10], [20], [30]]);
    expect([reassembly.waitingCount, reassembly.bytes]).toEqual([0, 0]);
  });

  test("hands on an unordered message at once, whatever its number [rfc9260#6.6/unordered]", () => {
    const reassembly = new Reassembly(100);
    const { messages } = feed(reassembly, fragment(B | E, 1, 9), fragment(B | U, 77, 1), fragment(E | U, 77, 2));
    expect(messages).toEqual([[1, 2]]);
    expect(feed(reassembly, fragment(B | E, 0, 8)).messages).toEqual([[8], [9]]);
  });

  test("numbers wrap around", () => {
    const reassembly = new Reassembly(100);
    let count = 0;
    for (let seq = 0; seq <= 65_536; seq++) {
      reassembly.add(fragment(B | E, seq & 0xffff, 1), () => {
        count++;
      });
    }
    expect(count).toBe(65_537);
  });

  test.each([
    ["a middle without a beginning", [fragment(0, 0, 1)]],
    ["an end without a beginning", [fragment(E, 0, 1)]],
    ["a beginning within a message", [fragment(B, 0, 1), fragment(B, 0, 2)]],
    ["a whole message within a message", [fragment(B, 0, 1), fragment(B | E, 1, 2)]],
    ["another number within a message", [fragment(B, 0, 1), fragment(0, 1, 2)]],
    ["unordered within ordered", [fragment(B, 0, 1), fragment(E | U, 0, 2)]],
    ["a number that has passed", [fragment(B | E, 0, 1), fragment(B | E, 0, 1)]],
    ["a number that waits already", [fragment(B | E, 5, 1), fragment(B | E, 5, 1)]],
  ])("%s is a violation", (_, fragments) => {
    expect(feed(new Reassembly(100), ...fragments).last).toBe("violation");
  });

  test("a message of exactly the limit is fine, one byte more is not, whole or in pieces", () => {
    const bytes = new Array<number>(10).fill(1);
    expect(feed(new Reassembly(10), fragment(B | E, 0, ...bytes)).messages.length).toBe(1);
    expect(feed(new Reassembly(10), fragment(B | E, 0, ...bytes, 1)).last).toBe("too-long");
    expect(feed(new Reassembly(10), fragment(B, 0, ...bytes), fragment(0, 0, 1)).last).toBe("too-long");
  });

  test("a message of many small fragments grows without loss", () => {
    const reassembly = new Reassembly(70_000);
    const expected: number[] = [];
    const fragments: Fragment[] = [];
    for (let index = 0; index < 1_000; index++) {
      const bytes = Array.from({ length: 61 }, (_, at) => (index + at) & 0xff);
      expected.push(...bytes);
      fragments.push(fragment(index === 0 ? B : index === 999 ? E : 0, 0, ...bytes));
    }
    expect(feed(reassembly, ...fragments).messages).toEqual([expected]);
  });

  test("however messages are cut, they come out as they went in", () => {
    const message = fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 30 }), unordered: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 10 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (messages, cuts) => {
          let seq = 0;
          const fragments: Fragment[] = [];
          for (const { bytes, unordered } of messages) {
            for (let at = 0; at < bytes.length; ) {
              const size = cuts.next().value ?? 1;
              const flags = (at === 0 ? B : 0) | (at + size >= bytes.length ? E : 0) | (unordered ? U : 0);
              fragments.push({ flags, streamSeq: seq & 0xffff, ppid: 0, userData: bytes.subarray(at, at + size) });
              at += size;
            }
            if (!unordered) seq++;
          }
          const found = feed(new Reassembly(100), ...fragments);
          expect(found.messages).toEqual(messages.map(({ bytes }) => [...bytes]));
          expect(found.last).toBe("taken");
        },
      ),
    );
  });
});
