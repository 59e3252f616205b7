import { describe, expect, test } from "bun:test";
import type { SackChunk } from "../chunks/sack.ts";
import { DEFAULT_TIMING } from "../constants.ts";
import { type Tsn, tsnAdd } from "../serial.ts";
import { RetransmissionTimeout } from "./rto.ts";
import { Sender } from "./sender.ts";

const FIRST = 10 as Tsn;
const ROOM = 1_188;

function senderWith(messages: number, bytes: number, peerRwnd = 100_000): Sender {
  const sender = new Sender(FIRST, peerRwnd, new RetransmissionTimeout(DEFAULT_TIMING));
  for (let index = 0; index < messages; index++) sender.queue(new Uint8Array(bytes));
  return sender;
}

/** The TSNs, counted from the first, that go now. */
function sendAll(sender: Sender, nowMs = 0): number[] {
  const allowance = sender.allowance(nowMs);
  const tsns: number[] = [];
  for (let out = sender.take(ROOM, allowance, false, nowMs); out; out = sender.take(ROOM, allowance, false, nowMs)) {
    tsns.push(new DataView(out.chunk.buffer).getUint32(4) - FIRST);
  }
  return tsns;
}

function sack(distance: number, fields: Partial<SackChunk> = {}): SackChunk {
  const cumulativeTsnAck = tsnAdd(FIRST, distance);
  return { cumulativeTsnAck, aRwnd: 100_000, gapAckBlocks: [], duplicateTsns: [], ...fields };
}

describe("the sender", () => {
  test("stops when cwnd is in flight, and goes on with acknowledgements [rfc9260#6.1/cwnd]", () => {
    const sender = senderWith(20, 1_000);
    // 4,344 bytes allow four chunks of 1,016, and a fifth that passes the mark.
    expect(sendAll(sender)).toEqual([0, 1, 2, 3, 4]);
    sender.acknowledge(sack(1), 10);
    expect(sendAll(sender, 10)).toEqual([5, 6, 7]);
  });

  test("what is lost goes before anything new [rfc9260#6.1/lost-first]", () => {
    const sender = senderWith(10, 1_000);
    sendAll(sender);
    sender.timedOut();
    // cwnd is one packet now.
    expect(sendAll(sender, 1_000)).toEqual([0]);
    sender.acknowledge(sack(0), 1_010);
    expect(sendAll(sender, 1_010)).toEqual([1]);
    sender.acknowledge(sack(4), 1_020);
    expect(sendAll(sender, 1_020)[0]).toBe(5);
  });

  test("the peer's window less what is on its way holds new DATA back [rfc9260#6.2.1/window]", () => {
    const sender = senderWith(10, 1_000);
    sendAll(sender);
    sender.acknowledge(sack(2, { aRwnd: 3_000 }), 10);
    // Two chunks are on their way: room for one.
    expect(sendAll(sender, 10)).toEqual([5]);
  });

  test("no chunk is cut to what is left of the window [rfc9260#6.1/sws]", () => {
    const sender = senderWith(1, 4_000, 2_000);
    expect(sendAll(sender)).toEqual([0]);
    sender.acknowledge(sack(0, { aRwnd: 2_000 }), 10);
    expect(sendAll(sender, 10)).toEqual([1]);
    sender.acknowledge(sack(1), 20);
    expect(sendAll(sender, 20)).toEqual([2, 3]);
  });

  test("every chunk has user data [rfc9260#3.3.1/user-data]", () => {
    const sender = senderWith(3, 1);
    const allowance = sender.allowance(0);
    for (let out = sender.take(ROOM, allowance, false, 0); out; out = sender.take(ROOM, allowance, false, 0)) {
      expect(new DataView(out.chunk.buffer).getUint16(2)).toBeGreaterThan(16);
    }
    expect(sender.hasOutstanding).toBe(true);
  });

  test("a shut window: one chunk, when nothing else is on its way", () => {
    const sender = senderWith(3, 1_000, 0);
    expect(sendAll(sender)).toEqual([]);
    expect(sender.awaitsWindow).toBe(true);
    sender.probe();
    expect(sendAll(sender)).toEqual([0]);
    expect(sender.isProbing).toBe(true);
    sender.timedOut();
    expect(sendAll(sender, 1_000)).toEqual([0]);
    sender.acknowledge(sack(0, { aRwnd: 0 }), 1_010);
    expect(sendAll(sender, 1_010)).toEqual([]);
    sender.probe();
    expect(sendAll(sender, 1_010)).toEqual([1]);
    sender.acknowledge(sack(1), 1_020);
    expect(sender.isProbing).toBe(false);
    expect(sendAll(sender, 1_020)).toEqual([2]);
  });

  test("a fast retransmission does not wait for the window, and is one packet [rfc9260#7.2.4/ignore-cwnd]", () => {
    const sender = senderWith(60, 1_000);
    for (const turn of [0, 1, 2, 3]) sender.acknowledge(sack(Math.max(...sendAll(sender, turn))), turn);
    const [start = Number.NaN, ...rest] = [...sendAll(sender, 4), ...sendAll(sender, 4)];
    // Of at least six chunks the first two are missing, three SACKs say so, and others are still on their way.
    expect(rest.length).toBeGreaterThanOrEqual(5);
    for (const end of [3, 4, 5]) sender.acknowledge(sack(start - 1, { gapAckBlocks: [{ start: 3, end }] }), 10);
    const noRoom = 0;
    expect(sender.take(ROOM, noRoom, false, 10)?.retransmitted).toBe(true);
    sender.packetSent();
    expect(sender.take(ROOM, noRoom, false, 10)).toBeUndefined();
    expect(sender.take(ROOM, Number.POSITIVE_INFINITY, false, 10)?.retransmitted).toBe(true);
  });

  test("what is found lost in fast recovery waits for the window [rfc9260#7.2.4/ignore-cwnd]", () => {
    const sender = senderWith(80, 1_000);
    // Twice a turn: the limit on bursts leaves a part of the window for later.
    for (const turn of [0, 1, 2, 3, 4, 5]) {
      sender.acknowledge(sack(Math.max(...sendAll(sender, turn), ...sendAll(sender, turn))), turn);
    }
    const [start = Number.NaN, ...rest] = [...sendAll(sender, 6), ...sendAll(sender, 6)];
    expect(rest.length).toBeGreaterThanOrEqual(8);
    for (const end of [2, 3, 4]) sender.acknowledge(sack(start - 1, { gapAckBlocks: [{ start: 2, end }] }), 10);
    expect(sender.take(ROOM, 0, false, 10)?.retransmitted).toBe(true);
    sender.packetSent();
    for (const end of [6, 7, 8]) {
      const gapAckBlocks = [
        { start: 2, end: 4 },
        { start: 6, end },
      ];
      sender.acknowledge(sack(start - 1, { gapAckBlocks }), 11);
    }
    expect(sender.take(ROOM, 0, false, 11)).toBeUndefined();
    expect(sender.take(ROOM, Number.POSITIVE_INFINITY, false, 11)?.retransmitted).toBe(true);
  });

  test("nothing is counted twice: empty at the end", () => {
    const sender = senderWith(4, 3_000);
    let highest = -1;
    for (let turn = 0; !sender.isDrained; turn++) {
      expect(turn).toBeLessThan(100);
      highest = Math.max(highest, ...sendAll(sender, turn));
      sender.acknowledge(sack(highest), turn);
    }
    expect(sender.bufferedBytes).toBe(0);
  });
});
