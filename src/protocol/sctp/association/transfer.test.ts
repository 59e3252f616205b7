import { describe, expect, test } from "bun:test";
import { chunksOf, only, onlyChunk, RawPeer, type Reply } from "../../../../test/support/sctp-raw-peer.ts";
import { decodeCauses } from "../chunks/abort.ts";
import { encodeCookieEcho } from "../chunks/cookie-echo.ts";
import { DataFlag, decodeData } from "../chunks/data.ts";
import { decodeHeartbeat, encodeHeartbeat, encodeHeartbeatAck } from "../chunks/heartbeat.ts";
import { decodeSack, type SackChunk } from "../chunks/sack.ts";
import { CauseCode, ChunkType } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk, encodeTlv } from "../tlv.ts";

function sackIn(replies: readonly Reply[]): SackChunk {
  const decoded = decodeSack(onlyChunk(replies, ChunkType.Sack));
  if (decoded.kind === "invalid") throw new Error(decoded.fault);
  return decoded.value;
}

function causeIn(replies: readonly Reply[], type: number): number | undefined {
  const decoded = decodeCauses(onlyChunk(replies, type));
  return decoded.kind === "done" ? decoded.value.causes[0]?.type : undefined;
}

/** The TSNs of the DATA chunks, counted from the endpoint's first. */
function tsnsIn(peer: RawPeer, replies: readonly Reply[]): number[] {
  return chunksOf(replies, ChunkType.Data).map((chunk) => {
    const decoded = decodeData(chunk);
    return decoded.kind === "done" ? decoded.value.tsn - peer.endpointTsn : Number.NaN;
  });
}

function established(options: ConstructorParameters<typeof RawPeer>[0] = {}): RawPeer {
  const peer = new RawPeer(options);
  peer.establish();
  return peer;
}

/** As {@link established}, and the first DATA, which is acknowledged at once, has come: the next is `peer.data(1)`. */
function warm(options: ConstructorParameters<typeof RawPeer>[0] = {}): RawPeer {
  const peer = established(options);
  sackIn(peer.send(peer.data(0)));
  return peer;
}

describe("SACK", () => {
  test("for the very first DATA goes at once, from the peer's initial TSN on [rfc9260#5.1/first-data] [rfc9260#3.3.4/before-data]", () => {
    const peer = established();
    expect(sackIn(peer.send(peer.data(0)))).toMatchObject({ cumulativeTsnAck: peer.tsn(0), gapAckBlocks: [] });
    expect(peer.send(peer.data(1))).toEqual([]);
  });

  test("goes once for a packet, however many reasons there are [rfc9260#6.2/one-sack]", () => {
    const peer = warm();
    const replies = peer.send(peer.data(1), peer.data(1), peer.data(3), peer.data(5), peer.data(2, { flags: 11 }));
    expect(chunksOf(replies, ChunkType.Sack).length).toBe(1);
    expect(peer.wait(5_000)).toEqual([]);
  });

  test("does not care for flags that mean nothing [rfc9260#3.2/reserved-flags]", () => {
    const peer = established();
    const sack = sackIn(peer.send(peer.data(0, { flags: 0xf3 })));
    expect(sack.cumulativeTsnAck).toBe(peer.tsn(0));
    expect(peer.messages).toEqual([[0]]);
    const replies = peer.send(encodeHeartbeat(Uint8Array.of(1)));
    expect(onlyChunk(replies, ChunkType.HeartbeatAck).flags).toBe(0);
  });

  test("for one packet waits 200 ms [rfc9260#6.2/delay]", () => {
    const peer = warm();
    expect(peer.send(peer.data(1))).toEqual([]);
    expect(peer.wait(199)).toEqual([]);
    expect(sackIn(peer.wait(1)).cumulativeTsnAck).toBe(peer.tsn(1));
  });

  test("for the second packet goes at once [rfc9260#6.2/every-second-packet]", () => {
    const peer = warm();
    peer.send(peer.data(1));
    expect(sackIn(peer.send(peer.data(2))).cumulativeTsnAck).toBe(peer.tsn(2));
    expect(peer.wait(1_000)).toEqual([]);
    // And again from the beginning; packets without DATA do not count.
    expect(peer.send(peer.data(3))).toEqual([]);
    expect(peer.send(peer.sack(-1))).toEqual([]);
    expect(sackIn(peer.send(peer.data(4))).cumulativeTsnAck).toBe(peer.tsn(4));
  });

  test("two chunks in one packet are one packet", () => {
    const peer = warm();
    expect(peer.send(peer.data(1), peer.data(2))).toEqual([]);
  });

  test("with the I bit, with a gap, and when the gap closes, goes at once [rfc9260#6.2/immediate] [rfc9260#6.7/gaps]", () => {
    const peer = warm();
    sackIn(peer.send(peer.data(1, { flags: 3 | DataFlag.Immediate })));
    expect(sackIn(peer.send(peer.data(3)))).toMatchObject({
      cumulativeTsnAck: peer.tsn(1),
      gapAckBlocks: [{ start: 2, end: 2 }],
    });
    expect(sackIn(peer.send(peer.data(2)))).toMatchObject({ cumulativeTsnAck: peer.tsn(3), gapAckBlocks: [] });
    expect(peer.messages).toEqual([[0], [1], [2], [3]]);
  });

  test("for a duplicate goes at once and reports it [rfc9260#6.2/duplicate-at-once] [rfc9260#6.2/report-duplicates]", () => {
    const peer = established();
    peer.send(peer.data(0));
    expect(sackIn(peer.send(peer.data(0))).duplicateTsns).toEqual([peer.tsn(0)]);
    expect(peer.messages).toEqual([[0]]);
    expect(sackIn(peer.send(peer.data(2))).duplicateTsns).toEqual([]);
  });

  test("rides with DATA [rfc9260#6.1/sack-rides]", () => {
    const peer = warm();
    peer.send(peer.data(1));
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(only(peer.drain()).types).toEqual([ChunkType.Sack, ChunkType.Data]);
    expect(peer.wait(500)).toEqual([]);
  });

  test("never covers what there was no room for [rfc9260#6.2/ack-only-kept] [rfc9260#6.2/no-room-drop]", () => {
    const peer = established({ limits: { receiveWindowBytes: 1_500, messageBytesMax: 1_500 } });
    peer.endpoint.pause(peer.association);
    const sack = sackIn(peer.send(peer.data(0, { userData: new Uint8Array(900) }), peer.data(1)));
    expect(sack).toMatchObject({ cumulativeTsnAck: peer.tsn(0), aRwnd: 0, gapAckBlocks: [] });
    expect(peer.endpoint.counters().oddities["no-room"]).toBe(1);
  });
});

describe("the receive window", () => {
  test("shut: DATA is dropped, and a SACK says so at once; open again, one says that [rfc9260#6.2/zero-window-drop] [rfc9260#6.2/window-update]", () => {
    const peer = established({ limits: { receiveWindowBytes: 3_000, messageBytesMax: 1_500 } });
    const id = peer.association;
    peer.endpoint.pause(id);
    peer.send(peer.data(0, { userData: new Uint8Array(1_450) }));
    expect(sackIn(peer.send(peer.data(1))).aRwnd).toBe(0);
    expect(sackIn(peer.send(peer.data(1))).cumulativeTsnAck).toBe(peer.tsn(0));
    expect(peer.messages).toEqual([]);
    // What was held comes with resume, and so does the news that the window is open.
    peer.endpoint.resume(id, peer.nowMs);
    expect(sackIn(peer.drain()).aRwnd).toBe(3_000);
    expect(peer.messages.length).toBe(1);
  });

  test("full of early chunks: the highest make way for the one that is missing", () => {
    const peer = established({ limits: { receiveWindowBytes: 4_000, messageBytesMax: 1_500 } });
    const big = (distance: number) => peer.data(distance, { userData: new Uint8Array(1_100).fill(distance) });
    for (const distance of [1, 2, 3]) peer.send(big(distance));
    expect(sackIn(peer.send(big(0)))).toMatchObject({ cumulativeTsnAck: peer.tsn(2) });
    expect(peer.messages.map(([first]) => first)).toEqual([0, 1, 2]);
  });

  test("TSNs wrap around", () => {
    const peer = new RawPeer();
    peer.init = { ...peer.init, initialTsn: 0xffff_fffe as Tsn };
    peer.establish();
    for (let index = 0; index < 4; index++) peer.send(peer.data(index));
    expect(peer.messages).toEqual([[0], [1], [2], [3]]);
  });
});

describe("DATA", () => {
  test("without user data: ABORT, No User Data [rfc9260#6.2/no-user-data]", () => {
    const peer = established();
    const replies = peer.send(peer.data(0, { userData: new Uint8Array(0) }));
    expect(causeIn(replies, ChunkType.Abort)).toBe(CauseCode.NoUserData);
    expect(peer.story).toEqual(["connected", "closed: protocol-violation"]);
  });

  test("on a stream that we do not have: acknowledged, reported, thrown away [rfc9260#6.5/invalid-stream]", () => {
    const peer = established();
    const replies = peer.send(peer.data(0, { streamId: 1, flags: 3 | DataFlag.Immediate }));
    expect(causeIn(replies, ChunkType.Error)).toBe(CauseCode.InvalidStreamIdentifier);
    expect(sackIn(replies).cumulativeTsnAck).toBe(peer.tsn(0));
    peer.send(peer.data(1, { streamSeq: 0 }));
    expect(peer.messages).toEqual([[1]]);
  });

  test("before the COOKIE ACK is thrown away [rfc9260#6/data-states]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    expect(peer.send(peer.data(0))).toEqual([]);
    expect(peer.endpoint.counters().oddities["unexpected-chunk"]).toBe(1);
  });

  test("a message longer than we accept: ABORT", () => {
    const peer = established({ limits: { messageBytesMax: 3_000 } });
    const part = (index: number, flags: number) =>
      peer.data(index, { streamSeq: 0, flags, userData: new Uint8Array(1_100) });
    peer.send(part(0, 2));
    peer.send(part(1, 0));
    expect(causeIn(peer.send(part(2, 0)), ChunkType.Abort)).toBe(CauseCode.OutOfResource);
    expect(peer.story.at(-1)).toBe("closed: message-too-long");
  });

  test("fragments that do not follow one another: ABORT", () => {
    const peer = established();
    peer.send(peer.data(0, { flags: DataFlag.Beginning }));
    const replies = peer.send(peer.data(1, { flags: 3, streamSeq: 1 }));
    expect(causeIn(replies, ChunkType.Abort)).toBe(CauseCode.ProtocolViolation);
  });

  test("unknown chunks: skipped or not, reported or not, by their upper bits [rfc9260#3.2/stop] [rfc9260#3.2/report]", () => {
    const stories = [0x3e, 0x7e, 0xbe, 0xfe].map((type) => {
      const peer = established();
      const replies = peer.send(encodeChunk(type, 0, Uint8Array.of(1, 2)), peer.data(0));
      const reports = chunksOf(replies, ChunkType.Error).length;
      if (reports > 0) expect(causeIn(replies, ChunkType.Error)).toBe(CauseCode.UnrecognizedChunkType);
      return [peer.messages.length, reports];
    });
    expect(stories).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
  });
});

describe("answers", () => {
  const many = (chunk: Uint8Array) => Array.from({ length: 200 }, () => chunk);

  test.each([
    ["reports of chunks", many(encodeChunk(0xfe, 0, Uint8Array.of(1)))],
    ["heartbeats", many(encodeHeartbeat(new Uint8Array(50)))],
    ["a heartbeat longer than a packet", [encodeHeartbeat(new Uint8Array(2_000)), encodeHeartbeat(Uint8Array.of(1))]],
  ])("to one packet are one packet: %s [rfc9260#12.4/one-answer]", (_, chunks) => {
    const peer = warm();
    const replies = peer.send(...chunks);
    expect(replies.length).toBe(1);
    // And the next packet is answered like the first.
    expect(peer.send(...chunks).map(({ types }) => types)).toEqual(replies.map(({ types }) => types));
  });

  test("to one packet are one packet: streams that we do not have, with their SACK", () => {
    const peer = warm();
    const data = Array.from({ length: 200 }, (_, index) => peer.data(1 + index, { streamId: 1 + index }));
    const replies = peer.send(...data, encodeHeartbeat(Uint8Array.of(1)));
    expect(replies.filter(({ types }) => types.some((type) => type !== ChunkType.Sack)).length).toBe(1);
    expect(sackIn([...replies, ...peer.wait(200)]).cumulativeTsnAck).toBe(peer.tsn(200));
  });
});

describe("sending", () => {
  test("goes out in the order of TSNs, control chunks before DATA [rfc9260#3.3.1/next-tsn] [rfc9260#6.10/control-first]", () => {
    const peer = warm();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.endpoint.send(peer.association, Uint8Array.of(2), peer.nowMs);
    const replies = peer.send(encodeHeartbeat(Uint8Array.of(9)), peer.data(1));
    expect(only(replies).types).toEqual([ChunkType.HeartbeatAck, ChunkType.Sack, ChunkType.Data, ChunkType.Data]);
    expect(tsnsIn(peer, replies)).toEqual([0, 1]);
  });

  test("T3: sent again after the RTO, which doubles; acknowledged, it stops [rfc9260#6.3.2/start] [rfc9260#6.3.3/t3] [rfc9260#6.3.3/back-off] [rfc9260#6.3.2/stop]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0]);
    expect(peer.wait(999)).toEqual([]);
    expect(tsnsIn(peer, peer.wait(1))).toEqual([0]);
    expect(peer.wait(1_999)).toEqual([]);
    expect(tsnsIn(peer, peer.wait(1))).toEqual([0]);
    expect(peer.endpoint.counters().dataRetransmitted).toBe(2);
    peer.send(peer.sack(0));
    expect(tsnsIn(peer, peer.wait(20_000))).toEqual([]);
    expect(peer.endpoint.holdings().sendBytes).toBe(0);
  });

  test("T3 starts again when the lowest TSN is acknowledged [rfc9260#6.3.2/restart]", () => {
    const peer = established();
    for (const byte of [1, 2]) peer.endpoint.send(peer.association, new Uint8Array(1_100).fill(byte), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0, 1]);
    peer.nowMs += 900;
    peer.send(peer.sack(0));
    expect(peer.wait(900)).toEqual([]);
    expect(tsnsIn(peer, peer.wait(2_000))).toEqual([1]);
  });

  test("T3 starts again when the lowest TSN goes again, and not when anything else goes [rfc9260#6.1/t3-start]", () => {
    const peer = established();
    for (let index = 0; index < 4; index++) peer.endpoint.send(peer.association, new Uint8Array(700), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0, 1, 2, 3]);
    peer.nowMs += 500;
    for (const end of [2, 3]) peer.send(peer.sack(-1, { gapAckBlocks: [{ start: 2, end }] }));
    peer.endpoint.send(peer.association, Uint8Array.of(9), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([4]);
    expect(peer.endpoint.pollTimeout()).toBe(2_000);
    expect(tsnsIn(peer, peer.send(peer.sack(-1, { gapAckBlocks: [{ start: 2, end: 4 }] })))).toEqual([0]);
    expect(peer.endpoint.pollTimeout()).toBe(2_500);
  });

  test("the answer to the heartbeat that goes with T3 brings the RTO down [rfc9260#8.3/answered]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    peer.wait(1_000);
    const replies = peer.wait(2_000);
    const asked = decodeHeartbeat(onlyChunk(replies, ChunkType.Heartbeat));
    if (asked.kind === "invalid") throw new Error(asked.fault);
    peer.nowMs += 10;
    peer.send(encodeHeartbeatAck(asked.value), peer.sack(0));
    peer.endpoint.send(peer.association, Uint8Array.of(2), peer.nowMs);
    peer.drain();
    expect(tsnsIn(peer, peer.wait(1_000))).toEqual([1]);
  });

  test("three SACKs that miss a TSN send it again at once, and only once so [rfc9260#7.2.4/three-misses] [rfc9260#7.2.4/once]", () => {
    const peer = established();
    for (let index = 0; index < 6; index++) peer.endpoint.send(peer.association, new Uint8Array(700), peer.nowMs);
    const sent = tsnsIn(peer, peer.drain()).length;
    expect(sent).toBeGreaterThanOrEqual(5);
    const missing = (end: number) => peer.send(peer.sack(-1, { gapAckBlocks: [{ start: 2, end }] }));
    expect(tsnsIn(peer, missing(2)).includes(0)).toBe(false);
    expect(tsnsIn(peer, missing(3)).includes(0)).toBe(false);
    expect(tsnsIn(peer, missing(4))).toContain(0);
    expect(tsnsIn(peer, missing(5)).includes(0)).toBe(false);
  });

  test("after T3 one packet is on its way, until an acknowledgement comes [rfc9260#7.2.1/after-timeout]", () => {
    const peer = established();
    // Both fit into one packet, but not beside the heartbeat that goes with T3.
    for (const bytes of [584, 564]) peer.endpoint.send(peer.association, new Uint8Array(bytes), peer.nowMs);
    expect(only(peer.drain()).types).toEqual([ChunkType.Data, ChunkType.Data]);
    expect(peer.wait(1_000).map(({ types }) => types)).toEqual([[ChunkType.Heartbeat, ChunkType.Data]]);
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(peer.drain()).toEqual([]);
    expect(tsnsIn(peer, peer.send(peer.sack(-1)))).toEqual([]);
    expect(tsnsIn(peer, peer.wait(2_000))).toEqual([0]);
    expect(tsnsIn(peer, peer.send(peer.sack(0)))).toEqual([1, 2]);
  });

  test("what the peer takes back is watched over again [rfc9260#6.3.2/reneged]", () => {
    const peer = established();
    for (let index = 0; index < 2; index++) peer.endpoint.send(peer.association, new Uint8Array(700), peer.nowMs);
    peer.drain();
    peer.send(peer.sack(-1, { gapAckBlocks: [{ start: 1, end: 2 }] }));
    peer.send(peer.sack(-1));
    expect(tsnsIn(peer, peer.wait(1_000))).toEqual([0]);
  });

  test("DATA stands in a packet by its TSNs, the lost before the new [rfc9260#6.10/ascending]", () => {
    const peer = established();
    for (let index = 0; index < 3; index++) peer.endpoint.send(peer.association, Uint8Array.of(index), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0, 1, 2]);
    peer.nowMs += 1_000;
    peer.endpoint.handleTimeout(peer.nowMs);
    peer.endpoint.send(peer.association, Uint8Array.of(3), peer.nowMs);
    const replies = peer.drain();
    expect(tsnsIn(peer, [only(replies)])).toEqual([0, 1, 2, 3]);
  });

  test("a SACK that was overtaken is ignored [rfc9260#6.2.1/old-sack]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    peer.send(peer.sack(0));
    expect(peer.send(peer.sack(-1, { aRwnd: 0 }))).toEqual([]);
    peer.endpoint.send(peer.association, Uint8Array.of(2), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([1]);
  });

  test("a second SACK in a packet is ignored", () => {
    const peer = established();
    for (let index = 0; index < 2; index++) peer.endpoint.send(peer.association, new Uint8Array(700), peer.nowMs);
    peer.drain();
    peer.send(peer.sack(0), peer.sack(1));
    expect(peer.endpoint.holdings().sendBytes).toBe(764);
    expect(peer.endpoint.counters().oddities["unexpected-chunk"]).toBe(1);
  });

  test("a SACK for what was never sent: ABORT [rfc9260#12.4/unsent-tsn]", () => {
    const peer = established();
    expect(causeIn(peer.send(peer.sack(0)), ChunkType.Abort)).toBe(CauseCode.ProtocolViolation);
  });

  test("the peer's window holds new DATA back; shut, one chunk asks whether it is open [rfc9260#6.1/rwnd] [rfc9260#6.1/zero-window-probe]", () => {
    const peer = new RawPeer();
    peer.init = { ...peer.init, aRwnd: 2_000 };
    peer.establish();
    for (let index = 0; index < 3; index++) peer.endpoint.send(peer.association, new Uint8Array(900), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0, 1]);
    expect(tsnsIn(peer, peer.send(peer.sack(1, { aRwnd: 0 })))).toEqual([]);
    expect(tsnsIn(peer, peer.wait(1_000))).toEqual([2]);
    peer.endpoint.send(peer.association, new Uint8Array(900), peer.nowMs);
    expect(peer.drain()).toEqual([]);
    // The window opens.
    expect(tsnsIn(peer, peer.send(peer.sack(2, { aRwnd: 5_000 })))).toEqual([3]);
  });

  test("a shut window is asked an RTO later, then at times that double, and not when it opens before [rfc9260#6.1/probe-after-rto]", () => {
    const peer = established();
    const id = peer.association;
    peer.endpoint.send(id, new Uint8Array(900), peer.nowMs);
    peer.drain();
    peer.send(peer.sack(0, { aRwnd: 0 }));
    peer.endpoint.send(id, new Uint8Array(900), peer.nowMs);
    expect(peer.drain()).toEqual([]);
    const probes = [0, 1, 2, 3].map(() => {
      const before = peer.nowMs;
      while (tsnsIn(peer, peer.wait(100)).length === 0);
      peer.send(peer.sack(0, { aRwnd: 0 }));
      return peer.nowMs - before;
    });
    expect(probes).toEqual([1_000, 1_000, 2_000, 4_000]);
    // Nobody has to ask when the window opens, and the timer of the probe is none for what goes then.
    peer.send(peer.sack(1, { aRwnd: 0 }));
    peer.endpoint.send(id, new Uint8Array(900), peer.nowMs);
    peer.drain();
    peer.nowMs += 900;
    expect(tsnsIn(peer, peer.send(peer.sack(1, { aRwnd: 9_000 })))).toEqual([2]);
    expect(tsnsIn(peer, peer.wait(900))).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("a window that stays shut, but is answered for, ends nothing [rfc9260#6.1/probe-no-error]", () => {
    const peer = new RawPeer();
    peer.establish();
    peer.endpoint.send(peer.association, new Uint8Array(900), peer.nowMs);
    peer.drain();
    peer.send(peer.sack(0, { aRwnd: 0 }));
    peer.endpoint.send(peer.association, new Uint8Array(900), peer.nowMs);
    peer.drain();
    for (let probe = 0; probe < 40; probe++) {
      peer.wait(61_000);
      peer.send(peer.sack(0, { aRwnd: 0 }));
    }
    expect(peer.story).toEqual(["connected"]);
  });

  test("eleven transmissions in a row without an answer: unreachable; any answer begins anew [rfc9260#8.1/unreachable] [rfc9260#8.1/reset]", () => {
    const peer = established();
    for (const byte of [1, 2]) peer.endpoint.send(peer.association, new Uint8Array(1_100).fill(byte), peer.nowMs);
    peer.drain();
    peer.wait(100_000);
    peer.send(peer.sack(0));
    peer.wait(380_000);
    expect(peer.story).toEqual(["connected"]);
    peer.wait(600_000);
    expect(peer.story).toEqual(["connected", "closed: unreachable"]);
  });

  test("no packet is longer than the path MTU, and long messages are cut to fit [rfc9260#6.10/mtu] [rfc9260#6.9/fragment] [rfc9260#6.9/flags] [rfc9260#6.5/ssn] [rfc6951#5.6/mtu]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(0), peer.nowMs);
    peer.endpoint.send(peer.association, new Uint8Array(2_500), peer.nowMs);
    const replies = peer.drain();
    expect(Math.max(...replies.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(1_200);
    const data = chunksOf(replies, ChunkType.Data).map(decodeData);
    const found = data.map((chunk) => (chunk.kind === "done" ? [chunk.value.streamSeq, chunk.value.flags] : []));
    expect(found).toEqual([
      [0, 3],
      [1, 2],
      [1, 0],
      [1, 1],
    ]);
  });

  test("the send buffer is bounded; there is news when half of it is free", () => {
    const peer = established({ limits: { sendBufferBytes: 4_000 } });
    const id = peer.association;
    expect(peer.endpoint.send(id, new Uint8Array(0), peer.nowMs)).toBe("bad-length");
    expect(peer.endpoint.send(id, new Uint8Array(3_937), peer.nowMs)).toBe("bad-length");
    expect(peer.endpoint.send(id, new Uint8Array(3_900), peer.nowMs)).toBe("queued");
    expect(peer.endpoint.send(id, new Uint8Array(100), peer.nowMs)).toBe("buffer-full");
    expect(tsnsIn(peer, peer.drain()).length).toBe(4);
    peer.send(peer.sack(0));
    expect(peer.story).toEqual(["connected"]);
    peer.send(peer.sack(3));
    expect(peer.story).toEqual(["connected", "writable"]);
    expect(peer.endpoint.holdings().sendBytes).toBe(0);
  });

  test("nothing goes to a peer that has not come up [rfc9260#6/send-states]", () => {
    const peer = new RawPeer();
    expect(peer.endpoint.send(peer.beConnected(), Uint8Array.of(1), peer.nowMs)).toBe("not-open");
  });
});

describe("HEARTBEAT", () => {
  test("is echoed as it came [rfc9260#8.3/echo]", () => {
    const peer = established();
    const info = Uint8Array.from({ length: 41 }, (_, at) => at);
    const answer = onlyChunk(peer.send(encodeHeartbeat(info)), ChunkType.HeartbeatAck);
    expect(answer.value).toEqual(encodeTlv(1, info));
  });

  test("before the association is up is ignored", () => {
    const peer = new RawPeer();
    peer.beConnected();
    expect(peer.send(encodeHeartbeat(Uint8Array.of(1)))).toEqual([]);
  });

  test("an idle peer is asked every 30 s, give or take half an RTO [rfc9260#8.3/interval]", () => {
    const peer = established();
    expect(peer.wait(30_499)).toEqual([]);
    expect(only(peer.wait(1_001)).types).toEqual([ChunkType.Heartbeat]);
  });

  test("a peer that does not answer is given up; one that does is not [rfc9260#8.3/unanswered]", () => {
    const silent = established();
    silent.wait(1_200_000);
    expect(silent.story).toEqual(["connected", "closed: unreachable"]);

    const alive = established();
    for (let second = 0; second < 1_200; second++) {
      for (const chunk of chunksOf(alive.wait(1_000), ChunkType.Heartbeat)) {
        const asked = decodeHeartbeat(chunk);
        if (asked.kind === "done") alive.send(encodeHeartbeatAck(asked.value));
      }
    }
    expect(alive.story).toEqual(["connected"]);
  });

  test("a heartbeat that is not answered doubles the RTO [rfc9260#8.3/unanswered]", () => {
    const peer = established();
    while (chunksOf(peer.wait(100), ChunkType.Heartbeat).length === 0);
    peer.wait(1_000);
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(tsnsIn(peer, peer.drain())).toEqual([0]);
    expect(tsnsIn(peer, peer.wait(1_900))).toEqual([]);
    expect(tsnsIn(peer, peer.wait(100))).toEqual([0]);
  });

  test("a wrong echo counts for nothing", () => {
    const peer = established();
    for (let second = 0; second < 1_200; second++) {
      if (chunksOf(peer.wait(1_000), ChunkType.Heartbeat).length === 0) continue;
      peer.send(encodeChunk(ChunkType.HeartbeatAck, 0, encodeTlv(1, new Uint8Array(8))));
    }
    expect(peer.story).toEqual(["connected", "closed: unreachable"]);
  });
});

describe("the peer's UDP port", () => {
  test("is learnt from a packet with the right tag, and from no other [rfc6951#5.4/learn-port]", () => {
    const peer = established();
    const forged = peer.packet([peer.data(0)], peer.endpointTag ^ 1);
    expect(peer.sendPacket(forged, { ...peer.path, udpPort: 6_666 })).toEqual([]);
    expect(only(peer.send(peer.data(0))).to).toEqual(peer.path);
    const moved = { ...peer.path, udpPort: 51_000 };
    peer.sendPacket(peer.packet([peer.data(1)]), moved);
    expect(only(peer.sendPacket(peer.packet([peer.data(2)]), moved)).to).toEqual(moved);
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(only(peer.drain()).to).toEqual(moved);
  });

  test("a reflected tag teaches nothing", () => {
    const peer = new RawPeer();
    peer.sendInit();
    peer.send(encodeCookieEcho(peer.cookie));
    const from = { ...peer.path, udpPort: 6_666 };
    peer.sendPacket(
      peer.packet([encodeChunk(ChunkType.ShutdownComplete, 1, new Uint8Array(0))], peer.init.initiateTag),
      from,
    );
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(only(peer.drain()).to).toEqual(peer.path);
  });
});
