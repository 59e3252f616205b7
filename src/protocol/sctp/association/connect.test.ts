import { describe, expect, test } from "bun:test";
import {
  chunksOf,
  only,
  onlyChunk,
  PORT,
  RawPeer,
  type Reply,
  readInit,
} from "../../../../test/support/sctp-raw-peer.ts";
import { staleCookie } from "../causes.ts";
import { decodeCauses, encodeAbort, encodeError } from "../chunks/abort.ts";
import { encodeCookieAck } from "../chunks/bare.ts";
import { encodeHeartbeat } from "../chunks/heartbeat.ts";
import { encodeInit } from "../chunks/init.ts";
import { CauseCode, ChunkType } from "../constants.ts";
import { stateCookieParameter } from "../parameters.ts";
import { encodeChunk, encodeTlv } from "../tlv.ts";

function causesOf(replies: readonly Reply[], type: number): number[] {
  const decoded = decodeCauses(onlyChunk(replies, type));
  return decoded.kind === "done" ? decoded.value.causes.map((cause) => cause.type) : [];
}

describe("connect", () => {
  test("INIT, COOKIE ECHO, and it is up: INIT has the tag 0 and one stream each way [rfc9260#8.5.1/init-tag-zero] [rfc9260#5.1/cookie-echo] [rfc9260#5.1.1/streams] [rfc9260#8.5/tag-sent]", () => {
    const peer = new RawPeer();
    peer.localPort = PORT;
    expect(peer.endpoint.connect(peer.path, PORT, PORT, peer.nowMs).kind).toBe("connecting");
    const packet = only(peer.drain());
    expect(packet.verificationTag).toBe(0);
    const init = readInit(packet);
    expect(init.initiateTag).not.toBe(0);
    expect([init.outboundStreams, init.inboundStreams]).toEqual([1, 1]);
    peer.endpointTag = init.initiateTag;

    const echo = only(peer.send(peer.initAck(Uint8Array.of(9, 8, 7))));
    expect(echo.types).toEqual([ChunkType.CookieEcho]);
    expect(echo.verificationTag).toBe(peer.init.initiateTag);
    expect(echo.chunks[0]?.value).toEqual(Uint8Array.of(9, 8, 7));
    expect(peer.send(encodeCookieAck())).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("T1-init doubles up to RTO.Max, and gives up after eight INITs more [rfc9260#5.1/t1-back-off] [rfc9260#4/t1-again] [rfc9260#4/max-init]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const waits: number[] = [];
    while (peer.story.length === 0) {
      const before = peer.nowMs;
      const at = peer.endpoint.pollTimeout();
      const replies = peer.wait(at - before);
      waits.push((at - before) / 1_000);
      if (replies.length > 0) expect(only(replies).types).toEqual([ChunkType.Init]);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(peer.story).toEqual(["closed: unreachable"]);
  });

  test("T1-cookie likewise", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    expect(peer.wait(1_000).map(({ types }) => types)).toEqual([[ChunkType.CookieEcho]]);
    expect(peer.wait(600_000).length).toBe(7);
    expect(peer.drain()).toEqual([]);
    expect(peer.story).toEqual(["closed: unreachable"]);
  });

  test("an INIT ACK out of place changes nothing [rfc9260#5.2.3/unexpected-init-ack]", () => {
    const peer = new RawPeer();
    peer.establishAsServer();
    expect(peer.send(peer.initAck(Uint8Array.of(5), { initiateTag: 77 }))).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
    expect(peer.endpoint.counters().oddities["unexpected-chunk"]).toBe(1);
  });

  test("a COOKIE ACK out of place changes nothing [rfc9260#5.2.5/duplicate-cookie-ack]", () => {
    const peer = new RawPeer();
    peer.establishAsServer();
    expect(peer.send(encodeCookieAck())).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("an INIT ACK with the tag 0 ends the attempt, with ABORT, T bit, the same tag [rfc9260#3.3.3/zero-tag]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const reply = only(peer.send(peer.initAck(Uint8Array.of(5), { initiateTag: 0 })));
    expect([reply.types, reply.verificationTag, reply.chunks[0]?.flags]).toEqual([
      [ChunkType.Abort],
      peer.endpointTag,
      1,
    ]);
    expect(peer.story).toEqual(["closed: protocol-violation"]);
  });

  test.each([
    ["no outbound stream", { outboundStreams: 0 }],
    ["no inbound stream", { inboundStreams: 0 }],
    ["a window below 1,500", { aRwnd: 1_499 }],
  ])("an INIT ACK with %s is answered with ABORT and ends the attempt [rfc9260#3.3.3/bad-numbers]", (_, fields) => {
    const peer = new RawPeer();
    peer.beConnected();
    const replies = peer.send(peer.initAck(Uint8Array.of(5), fields));
    expect(only(replies).verificationTag).toBe(peer.init.initiateTag);
    expect(causesOf(replies, ChunkType.Abort)).toEqual([CauseCode.InvalidMandatoryParameter]);
    expect(peer.story).toEqual(["closed: protocol-violation"]);
  });

  test("an INIT ACK may be long [rfc9260#3.3.3/large]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const cookie = new Uint8Array(8_000).fill(7);
    expect(onlyChunk(peer.send(peer.initAck(cookie)), ChunkType.CookieEcho).value).toEqual(cookie);
  });

  test("an INIT ACK without a cookie is answered with ABORT, Missing Mandatory Parameter [rfc9260#5.1/missing-cookie]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const replies = peer.send(encodeInit(ChunkType.InitAck, peer.init, []));
    expect(only(replies).verificationTag).toBe(peer.init.initiateTag);
    expect(causesOf(replies, ChunkType.Abort)).toEqual([CauseCode.MissingMandatoryParameter]);
    expect(peer.story).toEqual(["closed: protocol-violation"]);
  });

  test("unknown parameters of an INIT ACK are reported with the COOKIE ECHO, which comes first [rfc9260#3.2.2/report-init-ack]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const unknown = encodeTlv(0xc0de, Uint8Array.of(1, 2, 3, 4));
    const replies = peer.send(
      encodeInit(ChunkType.InitAck, peer.init, [unknown, stateCookieParameter(Uint8Array.of(1))]),
    );
    expect(only(replies).types).toEqual([ChunkType.CookieEcho, ChunkType.Error]);
    expect(causesOf(replies, ChunkType.Error)).toEqual([CauseCode.UnrecognizedParameters]);
  });

  test("and with nothing else before the COOKIE ACK: a report that does not fit is left out [rfc9260#5.1/nothing-before-cookie-ack]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const unknown = encodeTlv(0xc0de, new Uint8Array(16));
    const cookie = stateCookieParameter(new Uint8Array(1_160));
    expect(only(peer.send(encodeInit(ChunkType.InitAck, peer.init, [unknown, cookie]))).types).toEqual([
      ChunkType.CookieEcho,
    ]);
    expect(peer.send(encodeChunk(0xfe, 0, new Uint8Array(0)))).toEqual([]);
    expect(peer.send(encodeCookieAck(), encodeChunk(0xfe, 0, new Uint8Array(0)))[0]?.types).toEqual([ChunkType.Error]);
  });

  test("a cookie that the peer finds stale: a new INIT [rfc9260#5.2.6/stale]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    const replies = peer.send(encodeError([staleCookie(1_000)]));
    expect(only(replies).types).toEqual([ChunkType.Init]);
    peer.send(peer.initAck());
    peer.send(encodeCookieAck());
    expect(peer.story).toEqual(["connected"]);
  });

  test("after a stale cookie the tag of that peer means nothing any more", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    peer.send(encodeError([staleCookie(1_000)]));
    peer.sendTagged(peer.init.initiateTag, encodeAbort(true, []));
    expect(peer.story).toEqual([]);
  });

  test("a COOKIE ACK that arrives when T1-cookie has just expired: nothing more is sent", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    peer.nowMs += 1_000;
    peer.endpoint.handleTimeout(peer.nowMs);
    expect(peer.send(encodeCookieAck())).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("COOKIE ECHO is first in its packet when it goes again, too [rfc9260#3.2.2/cookie-echo-first]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    peer.endpoint.handlePacket(peer.packet([encodeHeartbeat(Uint8Array.of(1))]), peer.path, peer.nowMs);
    const [reply] = peer.wait(1_000);
    expect(reply?.types).toEqual([ChunkType.CookieEcho, ChunkType.HeartbeatAck]);
  });

  test("nothing is measured on a COOKIE ECHO that was sent twice", () => {
    const peer = new RawPeer();
    const association = peer.beConnected();
    peer.send(peer.initAck());
    peer.wait(1_000);
    peer.wait(1_900);
    peer.send(encodeCookieAck());
    peer.endpoint.send(association, Uint8Array.of(1), peer.nowMs);
    peer.drain();
    expect(chunksOf(peer.wait(1_000), ChunkType.Data).length).toBe(1);
  });

  test("a closed port answers ABORT with our tag: refused", () => {
    const peer = new RawPeer();
    peer.beConnected();
    expect(peer.send(encodeAbort(false, []))).toEqual([]);
    expect(peer.story).toEqual(["closed: peer-aborted"]);
  });

  test("no reflected ABORT is believed while the peer's tag is not known", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.sendTagged(0, encodeAbort(true, []));
    expect(peer.story).toEqual([]);
  });

  test("nothing is reported to a peer whose tag is not known", () => {
    const peer = new RawPeer();
    peer.beConnected();
    expect(peer.send(encodeChunk(0xfe, 0, new Uint8Array(0)))).toEqual([]);
    expect(peer.endpoint.counters().oddities["unknown-chunk"]).toBe(1);
  });

  test("the round trip of the cookie sets the RTO: the first loss costs a second, not more", () => {
    const peer = new RawPeer();
    const association = peer.beConnected();
    // Two INITs were lost.
    peer.wait(3_000);
    peer.send(peer.initAck());
    peer.nowMs += 20;
    peer.send(encodeCookieAck());
    peer.endpoint.send(association, Uint8Array.of(1), peer.nowMs);
    expect(chunksOf(peer.drain(), ChunkType.Data).length).toBe(1);
    expect(chunksOf(peer.wait(1_000), ChunkType.Data).length).toBe(1);
  });

  test("shutdown before it is up ends it at once", () => {
    const peer = new RawPeer();
    peer.endpoint.shutdown(peer.beConnected(), peer.nowMs);
    expect(peer.drain()).toEqual([]);
    expect(peer.story).toEqual(["closed: aborted"]);
  });

  test("one association between two addresses and ports [rfc9260#1.3/one-association]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    expect(peer.endpoint.connect(peer.path, PORT, PORT, peer.nowMs).kind).toBe("in-use");
  });
});
