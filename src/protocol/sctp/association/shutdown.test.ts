import { describe, expect, test } from "bun:test";
import { chunksOf, only, onlyChunk, RawPeer, type Reply } from "../../../../test/support/sctp-raw-peer.ts";
import { encodeCookieAck, encodeShutdownAck, encodeShutdownComplete } from "../chunks/bare.ts";
import { DataFlag, decodeData } from "../chunks/data.ts";
import { encodeHeartbeat } from "../chunks/heartbeat.ts";
import { encodeSack } from "../chunks/sack.ts";
import { decodeShutdown, encodeShutdown } from "../chunks/shutdown.ts";
import { ChunkType } from "../constants.ts";
import { tsnAdd } from "../serial.ts";
import type { RawChunk } from "../tlv.ts";

function established(options: ConstructorParameters<typeof RawPeer>[0] = {}): RawPeer {
  const peer = new RawPeer(options);
  peer.establish();
  return peer;
}

/** SHUTDOWN that acknowledges up to the endpoint's TSN `distance` after its first. */
function shutdown(peer: RawPeer, distance = -1): Uint8Array {
  return encodeShutdown(tsnAdd(peer.endpointTsn, distance));
}

const NO_GAPS = { aRwnd: 100_000, gapAckBlocks: [], duplicateTsns: [] };

function firstByteOf(chunk: RawChunk): number | undefined {
  const decoded = decodeData(chunk);
  return decoded.kind === "done" ? decoded.value.userData[0] : undefined;
}

/** The endpoint shuts down, and has sent SHUTDOWN. */
function shuttingDown(): { peer: RawPeer; replies: Reply[] } {
  const peer = established();
  peer.endpoint.shutdown(peer.association, peer.nowMs);
  return { peer, replies: peer.drain() };
}

function types(replies: readonly Reply[]): number[][] {
  return replies.map((reply) => reply.types);
}

describe("we shut down", () => {
  test("SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE [rfc9260#9.2/complete] [rfc9260#6.10/alone]", () => {
    const { peer, replies } = shuttingDown();
    expect(types(replies)).toEqual([[ChunkType.Shutdown]]);
    const complete = only(peer.send(encodeShutdownAck()));
    expect(complete.types).toEqual([ChunkType.ShutdownComplete]);
    expect([complete.verificationTag, complete.chunks[0]?.flags]).toEqual([peer.init.initiateTag, 0]);
    expect(peer.story).toEqual(["connected", "closed: shutdown"]);
  });

  test("after all that was accepted is acknowledged; its last DATA has the I bit [rfc9260#9.2/drain-first] [rfc9260#6.1/i-bit]", () => {
    const peer = established();
    const id = peer.association;
    peer.endpoint.send(id, Uint8Array.of(1), peer.nowMs);
    peer.endpoint.send(id, Uint8Array.of(2), peer.nowMs);
    peer.endpoint.shutdown(id, peer.nowMs);
    expect(peer.endpoint.send(id, Uint8Array.of(3), peer.nowMs)).toBe("not-open");
    const replies = peer.drain();
    expect(types(replies)).toEqual([[ChunkType.Data, ChunkType.Data]]);
    const flags = chunksOf(replies, ChunkType.Data).map((chunk) => chunk.flags & DataFlag.Immediate);
    expect(flags).toEqual([0, DataFlag.Immediate]);
    expect(peer.send(peer.sack(0))).toEqual([]);
    expect(types(peer.send(peer.sack(1)))).toEqual([[ChunkType.Shutdown]]);
  });

  test("a second request changes nothing [rfc9260#9.2/request-ignored]", () => {
    const { peer } = shuttingDown();
    peer.endpoint.shutdown(peer.association, peer.nowMs);
    expect(peer.drain()).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("DATA is still taken, and each packet of it answered with SHUTDOWN and SACK [rfc9260#9.2/data-in-shutdown-sent]", () => {
    const { peer } = shuttingDown();
    const replies = peer.send(peer.data(0));
    expect(types(replies)).toEqual([[ChunkType.Shutdown, ChunkType.Sack]]);
    const decoded = decodeShutdown(onlyChunk(replies, ChunkType.Shutdown));
    expect(decoded).toEqual({ kind: "done", value: { cumulativeTsnAck: peer.tsn(0) } });
    expect(peer.messages).toEqual([[0]]);
  });

  test("T2 sends SHUTDOWN again, ten times at most [rfc9260#9.2/t2]", () => {
    const peer = established({ timing: { shutdownGuardMs: 3_600_000 } });
    peer.endpoint.shutdown(peer.association, peer.nowMs);
    peer.drain();
    expect(types(peer.wait(1_000))).toEqual([[ChunkType.Shutdown]]);
    expect(types(peer.wait(2_000))).toEqual([[ChunkType.Shutdown]]);
    const rest = types(peer.wait(3_000_000));
    expect(rest).toEqual([...new Array(8).fill([ChunkType.Shutdown]), [ChunkType.Abort]]);
    expect(peer.story).toEqual(["connected", "closed: unreachable"]);
  });

  test("any packet of the peer's gives it time [rfc9260#9.2/any-packet]", () => {
    const { peer } = shuttingDown();
    peer.wait(900);
    expect(types(peer.send(encodeHeartbeat(Uint8Array.of(1))))).toEqual([[ChunkType.HeartbeatAck]]);
    expect(peer.wait(999)).toEqual([]);
    expect(types(peer.wait(1))).toEqual([[ChunkType.Shutdown]]);

    const slow = established({ timing: { rtoMaxMs: 1_000 } });
    slow.endpoint.shutdown(slow.association, slow.nowMs);
    for (let count = 0; count < 20; count++) {
      slow.wait(9_000);
      slow.send(encodeHeartbeat(Uint8Array.of(1)));
    }
    expect(slow.story).toEqual(["connected"]);
    slow.wait(11_000);
    expect(slow.story).toEqual(["connected", "closed: unreachable"]);
  });

  test("T5 ends what takes too long, the draining too, with ABORT [rfc9260#9.2/guard]", () => {
    const peer = established({ timing: { shutdownGuardMs: 5_000 } });
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.endpoint.shutdown(peer.association, peer.nowMs);
    peer.drain();
    const replies = peer.wait(5_000);
    expect(replies.at(-1)?.types).toEqual([ChunkType.Abort]);
    expect(peer.story).toEqual(["connected", "closed: unreachable"]);
  });
});

describe("the peer shuts down", () => {
  test("SHUTDOWN is answered with SHUTDOWN ACK, and the end is SHUTDOWN COMPLETE", () => {
    const peer = established();
    expect(types(peer.send(shutdown(peer)))).toEqual([[ChunkType.ShutdownAck]]);
    expect(peer.send(encodeShutdownComplete(false))).toEqual([]);
    expect(peer.story).toEqual(["connected", "peer-shutdown", "closed: shutdown"]);
  });

  test("what was accepted is delivered first, nothing new is accepted [rfc9260#9.2/shutdown-received]", () => {
    const peer = established();
    const id = peer.association;
    peer.endpoint.send(id, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    expect(peer.send(shutdown(peer))).toEqual([]);
    expect(peer.story).toEqual(["connected", "peer-shutdown"]);
    expect(peer.endpoint.send(id, Uint8Array.of(2), peer.nowMs)).toBe("not-open");
    expect(chunksOf(peer.wait(1_000), ChunkType.Data).length).toBe(1);
    expect(types(peer.send(peer.sack(0)))).toEqual([[ChunkType.ShutdownAck]]);
  });

  test("its cumulative TSN acknowledges [rfc9260#9.2/shutdown-acks]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    expect(types(peer.send(shutdown(peer, 0)))).toEqual([[ChunkType.ShutdownAck]]);
    expect(peer.endpoint.holdings().sendBytes).toBe(0);
  });

  test("it takes nothing back that gap ack blocks have acknowledged [rfc9260#3.3.8/no-renege]", () => {
    const peer = established();
    for (let index = 0; index < 3; index++) {
      peer.endpoint.send(peer.association, new Uint8Array(1_000).fill(index), peer.nowMs);
    }
    peer.drain();
    peer.send(encodeSack({ ...NO_GAPS, cumulativeTsnAck: peer.endpointTsn, gapAckBlocks: [{ start: 2, end: 2 }] }));
    peer.send(shutdown(peer, 0));
    // Only the second chunk is sent again.
    expect(chunksOf(peer.wait(1_500), ChunkType.Data).map(firstByteOf)).toEqual([1]);
    expect(chunksOf(peer.send(shutdown(peer, 1)), ChunkType.Data).map(firstByteOf)).toEqual([]);
  });

  test("a SHUTDOWN that acknowledges what was never sent: ABORT [rfc9260#12.4/unsent-tsn]", () => {
    const peer = established();
    expect(types(peer.send(shutdown(peer, 5)))).toEqual([[ChunkType.Abort]]);
  });

  test("T2 sends SHUTDOWN ACK again", () => {
    const peer = established();
    peer.send(shutdown(peer));
    expect(types(peer.wait(1_000))).toEqual([[ChunkType.ShutdownAck]]);
    expect(types(peer.send(shutdown(peer)))).toEqual([[ChunkType.ShutdownAck]]);
  });

  test("what nobody has read comes before the end, paused or not", () => {
    const peer = established();
    peer.endpoint.pause(peer.association);
    peer.send(peer.data(0), shutdown(peer));
    expect(peer.messages).toEqual([]);
    peer.send(encodeShutdownComplete(false));
    expect(peer.story).toEqual(["connected", "peer-shutdown", "message", "closed: shutdown"]);
  });

  test("in COOKIE-ECHOED it is ignored [rfc9260#9.2/shutdown-while-connecting]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    expect(peer.send(shutdown(peer))).toEqual([]);
    peer.send(encodeCookieAck());
    expect(peer.story).toEqual(["connected"]);
  });
});

describe("the guard of the other side", () => {
  test("a peer that shuts down and never takes our last DATA does not hold us [rfc9260#9.2/guard]", () => {
    const peer = established({ timing: { shutdownGuardMs: 5_000 } });
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    peer.send(shutdown(peer));
    for (let second = 0; second < 5; second++) {
      expect(peer.story).toEqual(["connected", "peer-shutdown"]);
      peer.wait(1_000);
      peer.send(peer.sack(-1, { aRwnd: 0 }));
    }
    expect(peer.story.at(-1)).toBe("closed: unreachable");
  });
});

describe("both shut down", () => {
  test("SHUTDOWN that arrives when T2 has just expired: SHUTDOWN ACK only", () => {
    const { peer } = shuttingDown();
    peer.nowMs += 1_000;
    peer.endpoint.handleTimeout(peer.nowMs);
    expect(types(peer.send(shutdown(peer)))).toEqual([[ChunkType.ShutdownAck]]);
  });

  test("SHUTDOWN in SHUTDOWN-SENT is answered with SHUTDOWN ACK [rfc9260#9.2/collision]", () => {
    const { peer } = shuttingDown();
    expect(types(peer.send(shutdown(peer)))).toEqual([[ChunkType.ShutdownAck]]);
    // T2 goes on with SHUTDOWN ACK, not SHUTDOWN.
    expect(types(peer.wait(1_000))).toEqual([[ChunkType.ShutdownAck]]);
    expect(types(peer.send(encodeShutdownAck()))).toEqual([[ChunkType.ShutdownComplete]]);
    expect(peer.story).toEqual(["connected", "closed: shutdown"]);
  });

  test("SHUTDOWN while we still send: we go on sending, then SHUTDOWN ACK [rfc9260#6/send-states] [rfc9260#6/sack-states]", () => {
    const peer = established();
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    peer.endpoint.shutdown(peer.association, peer.nowMs);
    const data = decodeData(onlyChunk(peer.drain(), ChunkType.Data));
    expect(data.kind === "done" && data.value.tsn).toBe(peer.endpointTsn);
    expect(peer.send(shutdown(peer))).toEqual([]);
    expect(types(peer.send(peer.sack(0)))).toEqual([[ChunkType.ShutdownAck]]);
  });
});

describe("SHUTDOWN COMPLETE", () => {
  test("in any state but SHUTDOWN-ACK-SENT changes nothing [rfc9260#8.5.1/shutdown-complete-state]", () => {
    const { peer } = shuttingDown();
    expect(peer.send(encodeShutdownComplete(false))).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("is taken with our tag, or the peer's and the T bit, and not crosswise [rfc9260#8.5.1/shutdown-complete-tag]", () => {
    const outcomes = [false, true].flatMap((reflected) =>
      [false, true].map((peers) => {
        const peer = established();
        peer.send(shutdown(peer));
        peer.sendTagged(peers ? peer.init.initiateTag : peer.endpointTag, encodeShutdownComplete(reflected));
        return peer.story.includes("closed: shutdown");
      }),
    );
    expect(outcomes).toEqual([true, false, false, true]);
  });
});
