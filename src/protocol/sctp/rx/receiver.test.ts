import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DataChunk } from "../chunks/data.ts";
import { type Tsn, tsnAdd } from "../serial.ts";
import { Receiver } from "./receiver.ts";

const FIRST = 0xffff_fffd as Tsn;
const LIMITS = { receiveWindowBytes: 10_000, messageBytesMax: 5_000 };

function chunk(distance: number, fields: Partial<DataChunk> = {}): DataChunk {
  const userData = Uint8Array.of(distance & 0xff);
  return { tsn: tsnAdd(FIRST, distance), streamId: 0, streamSeq: distance, ppid: 0, flags: 3, userData, ...fields };
}

function drain(receiver: Receiver): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let message = receiver.takeMessage(); message !== undefined; message = receiver.takeMessage()) {
    messages.push(message.bytes);
  }
  return messages;
}

describe("the receiver", () => {
  test("keeps a copy: the packet may be overwritten", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    const userData = Uint8Array.of(1, 2);
    receiver.receive(chunk(1, { userData }));
    userData.fill(9);
    receiver.receive(chunk(0));
    expect(drain(receiver)).toEqual([Uint8Array.of(0), Uint8Array.of(1, 2)]);
    expect(receiver.bytes).toBe(0);
  });

  test("its window is what is free; less than 1,500 bytes counts as nothing [rfc9260#6.2/sws]", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    expect(receiver.aRwnd).toBe(10_000);
    receiver.receive(chunk(0, { userData: new Uint8Array(4_000) }));
    expect(receiver.aRwnd).toBe(10_000 - 4_064);
    receiver.receive(chunk(1, { userData: new Uint8Array(4_500) }));
    expect(receiver.aRwnd).toBe(0);
    drain(receiver);
    expect(receiver.aRwnd).toBe(10_000);
  });

  test("tiny chunks count with what it costs to keep them", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    let kept = 0;
    while (receiver.receive(chunk(2 * kept + 1)) === "kept") kept++;
    expect(kept).toBeLessThan(10_000 / 64);
    expect(receiver.bytes).toBeLessThanOrEqual(LIMITS.receiveWindowBytes);
  });

  test("a TSN beyond the reach of a gap ack block is not kept", () => {
    expect(new Receiver(FIRST, LIMITS).receive(chunk(70_000))).toBe("no-room");
  });

  test("a chunk that does not fit into the window is not kept", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    expect(receiver.receive(chunk(0, { userData: new Uint8Array(10_001) }))).toBe("no-room");
  });

  test("a SACK has as many gap ack blocks as fit; duplicates get the rest [rfc9260#6.2/all-gaps]", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    for (const distance of [1, 3, 3, 3]) receiver.receive(chunk(distance));
    const few = receiver.sack(2);
    expect([few.gapAckBlocks.length, few.duplicateTsns.length]).toEqual([2, 0]);
    for (const distance of [3, 3]) receiver.receive(chunk(distance));
    const more = receiver.sack(3);
    expect([more.gapAckBlocks.length, more.duplicateTsns.length]).toEqual([2, 1]);
  });

  test("fragments of other streams leave no trace but their TSN", () => {
    const receiver = new Receiver(FIRST, LIMITS);
    expect(receiver.receive(chunk(1, { streamId: 4, flags: 0 }))).toBe("bad-stream");
    receiver.receive(chunk(0));
    receiver.receive(chunk(2, { streamSeq: 1 }));
    expect(drain(receiver)).toEqual([Uint8Array.of(0), Uint8Array.of(2)]);
    expect(receiver.cumulativeTsn).toBe(tsnAdd(FIRST, 2));
  });

  test("in whatever order and however often chunks come, what comes out is what went in, and no byte stays", () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), fc.gen(), (messages, gen) => {
        const chunks: DataChunk[] = [];
        for (const [streamSeq, bytes] of messages.entries()) {
          for (let at = 0; at < bytes.length; at += 13) {
            const flags = (at === 0 ? 2 : 0) | (at + 13 >= bytes.length ? 1 : 0);
            chunks.push(chunk(chunks.length, { streamSeq, flags, userData: bytes.slice(at, at + 13) }));
          }
        }
        const receiver = new Receiver(FIRST, { receiveWindowBytes: 1_800, messageBytesMax: 100 });
        const found: Uint8Array[] = [];
        // Some deliveries by chance, then, as a sender would, whatever the receiver has not acknowledged.
        for (let turn = 0; turn < 30; turn++) {
          const index = gen(fc.nat, { max: chunks.length - 1 });
          receiver.receive(chunks[index] as DataChunk);
          if (gen(fc.boolean)) found.push(...drain(receiver));
          expect(receiver.bytes).toBeLessThanOrEqual(1_800 + 64);
        }
        for (const rest of [...chunks, ...chunks]) {
          found.push(...drain(receiver));
          receiver.receive(rest);
        }
        found.push(...drain(receiver));
        expect(found).toEqual(messages.map((bytes) => new Uint8Array(bytes)));
        expect(receiver.bytes).toBe(0);
        expect(receiver.hasGaps).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});
