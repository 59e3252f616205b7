import { describe, expect, test } from "bun:test";
import { only, RawPeer, type Reply } from "../../../../test/support/sctp-raw-peer.ts";
import { protocolViolation, staleCookie, userInitiatedAbort } from "../causes.ts";
import { encodeAbort, encodeError } from "../chunks/abort.ts";
import { encodeCookieAck, encodeShutdownAck, encodeShutdownComplete } from "../chunks/bare.ts";
import { encodeHeartbeat } from "../chunks/heartbeat.ts";
import { encodeInit } from "../chunks/init.ts";
import { encodeShutdown } from "../chunks/shutdown.ts";
import { ChunkType } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { encodeChunk } from "../tlv.ts";

const TAG = 0xdead_beef;

function summary(replies: readonly Reply[]): [number[], number, number | undefined] {
  const { types, verificationTag, chunks } = only(replies);
  return [types, verificationTag, chunks[0]?.flags];
}

describe("out of the blue", () => {
  test.each([
    ["ABORT [rfc9260#8.4/abort-silent]", encodeAbort(false, [])],
    ["SHUTDOWN COMPLETE [rfc9260#8.4/complete-silent]", encodeShutdownComplete(false)],
    ["COOKIE ACK [rfc9260#8.4/cookie-ack-silent]", encodeCookieAck()],
    ["ERROR, Stale Cookie", encodeError([staleCookie(1)])],
  ])("%s is not answered", (_, chunk) => {
    const peer = new RawPeer();
    expect(peer.sendTagged(TAG, chunk)).toEqual([]);
    expect(peer.endpoint.counters().oddities["out-of-the-blue"]).toBe(1);
  });

  test("SHUTDOWN ACK is answered with SHUTDOWN COMPLETE, T bit, the same tag [rfc9260#8.4/shutdown-ack]", () => {
    const peer = new RawPeer();
    const error = encodeError([protocolViolation("so there")]);
    for (const chunks of [[], [error], [encodeCookieAck()]]) {
      const replies = peer.sendTagged(TAG, ...chunks, encodeShutdownAck());
      expect(summary(replies)).toEqual([[ChunkType.ShutdownComplete], TAG, 1]);
    }
    expect(peer.sendTagged(TAG, encodeShutdownAck(), encodeAbort(false, []))).toEqual([]);
  });

  test.each([
    ["DATA", new RawPeer().data(0)],
    ["SACK", new RawPeer().sack(0)],
    ["HEARTBEAT", encodeHeartbeat(Uint8Array.of(1))],
    ["SHUTDOWN", encodeShutdown(0 as Tsn)],
    ["INIT ACK", new RawPeer().initAck()],
    ["ERROR", encodeError([protocolViolation("so there")])],
    ["a chunk that nobody knows", encodeChunk(0x3e, 0, new Uint8Array(0))],
  ])("%s is answered with ABORT, T bit, the same tag [rfc9260#8.4/otherwise-abort]", (_, chunk) => {
    const peer = new RawPeer();
    expect(summary(peer.sendTagged(TAG, chunk))).toEqual([[ChunkType.Abort], TAG, 1]);
    expect(peer.endpoint.holdings().associations).toBe(0);
  });

  test("with the tag 0, nothing but INIT is answered [rfc9260#8.5.1/zero-tag]", () => {
    const peer = new RawPeer();
    for (const chunk of [peer.data(0), encodeHeartbeat(Uint8Array.of(1)), encodeShutdownAck(), peer.initAck()]) {
      expect(peer.sendTagged(0, chunk)).toEqual([]);
    }
    expect(peer.endpoint.counters().oddities["wrong-tag"]).toBe(4);
  });

  test("an ABORT anywhere in the packet keeps us silent", () => {
    const peer = new RawPeer();
    expect(peer.sendTagged(TAG, peer.data(0), encodeAbort(false, []))).toEqual([]);
  });

  test("no answer is longer than its question", () => {
    const peer = new RawPeer();
    const packet = peer.packet([encodeShutdownAck()], TAG);
    expect(only(peer.sendPacket(packet)).bytes.length).toBe(packet.length);
  });

  test("SHUTDOWN ACK while connecting is out of the blue [rfc9260#8.5.1/shutdown-ack-connecting]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    expect(summary(peer.sendTagged(TAG, encodeShutdownAck()))).toEqual([[ChunkType.ShutdownComplete], TAG, 1]);
    const error = encodeError([protocolViolation("so there")]);
    expect(summary(peer.sendTagged(TAG, error, encodeShutdownAck()))[0]).toEqual([ChunkType.ShutdownComplete]);
    expect(peer.story).toEqual([]);
  });
});

describe("the verification tag", () => {
  test("a wrong one: silence, and nothing changes, whatever the chunk [rfc9260#8.5/wrong-tag]", () => {
    const peer = new RawPeer();
    peer.establish();
    const chunks = [
      peer.data(0),
      peer.sack(-1),
      encodeHeartbeat(Uint8Array.of(1)),
      encodeAbort(false, []),
      encodeShutdown((peer.endpointTsn - 1) as Tsn),
      encodeShutdownAck(),
      encodeShutdownComplete(false),
      encodeError([staleCookie(1)]),
      encodeCookieAck(),
    ];
    for (const chunk of chunks) expect(peer.sendTagged(peer.endpointTag ^ 0x100, chunk)).toEqual([]);
    expect(peer.endpoint.counters().oddities["wrong-tag"]).toBe(chunks.length);
    expect(peer.story).toEqual(["connected"]);
  });

  test("ABORT is never answered with ABORT [rfc9260#3.3.7/no-answer]", () => {
    const peer = new RawPeer();
    peer.establish();
    expect(peer.send(encodeAbort(false, []), peer.data(0))).toEqual([]);
    expect(peer.sendTagged(1, encodeAbort(true, []))).toEqual([]);
  });

  test("ABORT is taken with our tag, or the peer's and the T bit, and not crosswise [rfc9260#8.5.1/abort-tag] [rfc9260#9.1/remove]", () => {
    const outcomes = [false, true].flatMap((reflected) =>
      [false, true].map((peers) => {
        const peer = new RawPeer();
        peer.establish();
        const tag = peers ? peer.init.initiateTag : peer.endpointTag;
        expect(peer.sendTagged(tag, encodeAbort(reflected, [userInitiatedAbort()]))).toEqual([]);
        return peer.story.at(-1);
      }),
    );
    expect(outcomes).toEqual(["closed: peer-aborted", "connected", "connected", "closed: peer-aborted"]);
  });

  test("a reflected ABORT behind other chunks is thrown away with them: one of the two has the wrong tag", () => {
    for (const peers of [false, true]) {
      const peer = new RawPeer();
      peer.establish();
      const tag = peers ? peer.init.initiateTag : peer.endpointTag;
      expect(peer.sendTagged(tag, peer.data(0), encodeAbort(true, []))).toEqual([]);
      expect(peer.story).toEqual(["connected"]);
    }
  });

  test("ABORT with a cause that cannot be is thrown away [rfc9260#3.3.7/format]", () => {
    const peer = new RawPeer();
    peer.establish();
    const bad = (flags: number) => encodeChunk(ChunkType.Abort, flags, Uint8Array.of(0, 12, 0, 3));
    expect(peer.send(bad(0))).toEqual([]);
    // And what stands behind it with it: with the T bit, the tag is not the one for DATA.
    expect(peer.sendTagged(peer.init.initiateTag, bad(1), peer.data(0))).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
    expect(peer.endpoint.counters().oddities["malformed-chunk"]).toBe(2);
  });

  test("our ABORT has the peer's tag, says that the user wanted it, and is the last word [rfc9260#9.1/abort-with-tag] [rfc9260#9.1/user-cause]", () => {
    const peer = new RawPeer();
    const id = peer.establish();
    peer.endpoint.send(id, Uint8Array.of(1), peer.nowMs);
    peer.endpoint.abort(id, peer.nowMs);
    const replies = peer.drain();
    expect(summary(replies)).toEqual([[ChunkType.Abort], peer.init.initiateTag, 0]);
    expect(only(replies).chunks[0]?.value).toEqual(userInitiatedAbort());
    expect(peer.story).toEqual(["connected", "closed: aborted"]);
    expect(peer.wait(3_600_000)).toEqual([]);
  });
});

describe("bundling", () => {
  test("INIT, INIT ACK and SHUTDOWN COMPLETE in company are thrown away [rfc9260#12.3/init-alone]", () => {
    const peer = new RawPeer();
    const init = encodeInit(ChunkType.Init, peer.init, []);
    expect(peer.sendTagged(0, init, peer.data(0))).toEqual([]);
    expect(peer.sendTagged(0, encodeHeartbeat(Uint8Array.of(1)), init)).toEqual([]);
    expect(peer.sendTagged(TAG, peer.initAck(), peer.data(0))).toEqual([]);
    expect(peer.sendTagged(TAG, encodeShutdownComplete(false), peer.data(0))).toEqual([]);
    expect(peer.endpoint.counters().oddities.bundled).toBe(4);
  });

  test("what cannot be cut into chunks is thrown away before anything of it is believed [rfc9260#6.10/partial]", () => {
    const peer = new RawPeer();
    peer.establish();
    for (const length of [0, 3, 5, 0xffff]) {
      const bad = new Uint8Array([0xbf, 0, length >> 8, length & 0xff]);
      expect(peer.send(encodeAbort(false, []), bad)).toEqual([]);
    }
    expect(peer.story).toEqual(["connected"]);
    expect(peer.endpoint.counters().oddities["malformed-chunk"]).toBe(4);
  });
});
