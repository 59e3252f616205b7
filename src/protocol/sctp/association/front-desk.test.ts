import { describe, expect, test } from "bun:test";
import {
  only,
  onlyChunk,
  PEER_INIT,
  RawPeer,
  type Reply,
  readInitAck,
} from "../../../../test/support/sctp-raw-peer.ts";
import { decodeCauses } from "../chunks/abort.ts";
import { encodeCookieAck, encodeShutdownAck } from "../chunks/bare.ts";
import { encodeCookieEcho } from "../chunks/cookie-echo.ts";
import { encodeHeartbeat } from "../chunks/heartbeat.ts";
import { encodeInit } from "../chunks/init.ts";
import { encodeShutdown } from "../chunks/shutdown.ts";
import { CauseCode, ChunkType, ParameterType } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { decodeTlvs, encodeTlv } from "../tlv.ts";

function causesOf(replies: readonly Reply[], type: number): number[] {
  const decoded = decodeCauses(onlyChunk(replies, type));
  return decoded.kind === "done" ? decoded.value.causes.map((cause) => cause.type) : [];
}

const NONE = new Uint8Array(0);
const NOTHING = { associations: 0, sendBytes: 0, receiveBytes: 0 };

describe("INIT", () => {
  test("is answered with the peer's tag, and leaves nothing behind [rfc9260#5.1/init-ack-tag] [rfc9260#5.1/no-state]", () => {
    const peer = new RawPeer();
    const reply = peer.sendInit();
    expect(reply.verificationTag).toBe(PEER_INIT.initiateTag);
    expect(reply.to).toEqual(peer.path);
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
    expect(peer.endpoint.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
    expect(peer.endpoint.spent.size).toBe(0);
  });

  test("neither ours nor our INIT ACK lists an address [rfc6951#5.7/no-addresses]", () => {
    const caller = new RawPeer();
    caller.endpoint.connect(caller.path, 1, 2, caller.nowMs);
    const initAck = new RawPeer().sendInit();
    const lists = [...caller.drain(), initAck].map(({ chunks }) => decodeTlvs((chunks[0]?.value ?? NONE).subarray(16)));
    const types = lists.map((list) => (list.kind === "done" ? list.value.map(({ type }) => type) : []));
    expect(types).toEqual([[], [ParameterType.StateCookie]]);
  });

  test("our tags are random and never 0 [rfc9260#5.3.1/tag] [rfc9260#5.3.1/new-tag]", () => {
    const numbers = [0, 0, 0, 0, 7, 7, 7, 7];
    const random = (count: number) => Uint8Array.from({ length: count }, () => numbers.shift() ?? 1);
    const peer = new RawPeer({ random });
    expect(readInitAck(peer.sendInit()).initiateTag).toBe(1);
    const other = new RawPeer();
    expect(readInitAck(other.sendInit()).initiateTag).not.toBe(readInitAck(other.sendInit()).initiateTag);
  });

  test("is answered with less than three times its size, whatever it asks", () => {
    const peer = new RawPeer();
    const reply = only(peer.sendPacket(peer.initPacket()));
    expect(reply.bytes.length).toBeLessThan(3 * peer.initPacket().length);
    const unknown = Array.from({ length: 100 }, () => encodeTlv(0xc0de, new Uint8Array(0)));
    const longer = only(peer.sendPacket(peer.initPacket(unknown)));
    expect(longer.bytes.length).toBeLessThan(peer.initPacket(unknown).length);
  });

  test("with the tag 0 is ignored [rfc9260#3.3.2/zero-tag]", () => {
    const peer = new RawPeer();
    peer.init = { ...PEER_INIT, initiateTag: 0 };
    expect(peer.sendPacket(peer.initPacket())).toEqual([]);
    expect(peer.endpoint.counters().oddities["bad-init"]).toBe(1);
  });

  test("in a packet with a tag is ignored [rfc9260#12.3/init-tag]", () => {
    const peer = new RawPeer();
    expect(peer.sendTagged(5, encodeInit(ChunkType.Init, PEER_INIT, []))).toEqual([]);
  });

  test.each([
    ["no outbound stream [rfc9260#3.3.2/zero-streams]", { outboundStreams: 0 }],
    ["no inbound stream", { inboundStreams: 0 }],
    ["a window below 1,500 [rfc9260#3.3.2/small-window]", { aRwnd: 1_499 }],
  ])("with %s is answered with ABORT, and changes no association", (_, fields) => {
    const peer = new RawPeer();
    peer.establish();
    peer.init = { ...PEER_INIT, initiateTag: 99, ...fields };
    const replies = peer.sendPacket(peer.initPacket());
    expect(only(replies).verificationTag).toBe(99);
    expect(causesOf(replies, ChunkType.Abort)).toEqual([CauseCode.InvalidMandatoryParameter]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("with a window of exactly 1,500 is fine", () => {
    const peer = new RawPeer();
    peer.init = { ...PEER_INIT, aRwnd: 1_500 };
    peer.sendInit();
  });

  test("with an address by name is answered with ABORT, Unresolvable Address [rfc9260#3.3.2.1.4/host-name]", () => {
    const peer = new RawPeer();
    const name = encodeTlv(ParameterType.HostNameAddress, new TextEncoder().encode("a.example\0"));
    expect(causesOf(peer.sendPacket(peer.initPacket([name])), ChunkType.Abort)).toEqual([
      CauseCode.UnresolvableAddress,
    ]);
  });

  test("with addresses: the one that it came from is the peer's all the same [rfc9260#5.1.2/source-address]", () => {
    const peer = new RawPeer();
    expect(peer.sendInit([encodeTlv(ParameterType.Ipv4Address, Uint8Array.of(198, 51, 100, 1))]).to).toEqual(peer.path);
    expect(only(peer.send(encodeCookieEcho(peer.cookie))).to).toEqual(peer.path);
    peer.endpoint.send(peer.association, Uint8Array.of(1), peer.nowMs);
    expect(only(peer.drain()).to).toEqual(peer.path);
  });

  test("unknown parameters come back in the INIT ACK, as their upper bits ask [rfc9260#3.2.2/report-init]", () => {
    const peer = new RawPeer();
    const reported = encodeTlv(0xc001, Uint8Array.of(1, 2, 3, 4));
    const reply = peer.sendInit([encodeTlv(0x8001, Uint8Array.of(9)), reported]);
    const parameters = decodeTlvs((reply.chunks[0]?.value ?? new Uint8Array(0)).subarray(16));
    const found = parameters.kind === "done" ? parameters.value : [];
    expect(found.map(({ type }) => type)).toEqual([ParameterType.StateCookie, ParameterType.UnrecognizedParameter]);
    expect(found[1]?.value).toEqual(reported);
  });

  test("to another port is answered with ABORT and the INIT's tag [rfc9260#8.4/init]", () => {
    const peer = new RawPeer({ acceptPort: 9 });
    const replies = peer.sendPacket(peer.initPacket());
    expect(only(replies).types).toEqual([ChunkType.Abort]);
    expect(only(replies).verificationTag).toBe(PEER_INIT.initiateTag);
    expect(only(replies).chunks[0]?.flags).toBe(0);
  });

  test("beyond the limits is answered with ABORT, Out of Resource [rfc9260#5.1/no-resources]", () => {
    const peer = new RawPeer({ limits: { associationsMax: 1 } });
    peer.establish();
    const other = new RawPeer({}, peer.endpoint);
    other.path = { address: "192.0.2.8", udpPort: 1 };
    expect(causesOf(other.sendPacket(other.initPacket()), ChunkType.Abort)).toEqual([CauseCode.OutOfResource]);
    expect(peer.endpoint.counters().oddities["refused-limit"]).toBe(1);
  });

  test("beyond the limit for one address, others still come in", () => {
    const peer = new RawPeer({ limits: { associationsPerAddressMax: 1 } });
    peer.establish();
    const same = new RawPeer({}, peer.endpoint);
    same.localPort = 40_008;
    expect(only(same.sendPacket(same.initPacket())).types).toEqual([ChunkType.Abort]);
    const other = new RawPeer({}, peer.endpoint);
    other.path = { address: "192.0.2.8", udpPort: 50_007 };
    other.establish();
  });

  test("beyond the limits when the cookie comes back: likewise, though the INIT found room", () => {
    const first = new RawPeer({ limits: { associationsMax: 1 } });
    const second = new RawPeer({}, first.endpoint);
    second.localPort = 40_008;
    second.sendInit();
    first.establish();
    expect(causesOf(second.send(encodeCookieEcho(second.cookie)), ChunkType.Abort)).toEqual([CauseCode.OutOfResource]);
  });
});

describe("INIT where there is an association", () => {
  test("in COOKIE-WAIT: our own numbers again, no tie-tags [rfc9260#5.2.1/same-numbers]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    const initAck = readInitAck(only(peer.sendPacket(peer.initPacket())));
    expect([initAck.initiateTag, initAck.initialTsn]).toEqual([peer.endpointTag, peer.endpointTsn]);
    expect(initAck.cookie.subarray(24, 32)).toEqual(new Uint8Array(8));
  });

  test("in COOKIE-ECHOED: our own numbers again, with tie-tags [rfc9260#5.2.1/tie-tags]", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    const initAck = readInitAck(only(peer.sendPacket(peer.initPacket())));
    expect([initAck.initiateTag, initAck.initialTsn]).toEqual([peer.endpointTag, peer.endpointTsn]);
    expect(initAck.cookie.subarray(24, 32)).not.toEqual(new Uint8Array(8));
  });

  test("in ESTABLISHED: a new tag, tie-tags that tell nobody the real ones, and the association lives on [rfc9260#5.2.2/new-tag]", () => {
    const peer = new RawPeer();
    peer.establish();
    const tag = peer.endpointTag;
    const initAck = readInitAck(only(peer.sendPacket(peer.initPacket())));
    expect(initAck.initiateTag).not.toBe(tag);
    const view = new DataView(initAck.cookie.buffer);
    expect(view.getUint32(24)).not.toBe(tag);
    expect(view.getUint32(28)).not.toBe(PEER_INIT.initiateTag);
    expect(only(peer.send(peer.nextData(Uint8Array.of(1)), peer.nextData(Uint8Array.of(2), 8))).types).toEqual([
      ChunkType.Sack,
    ]);
    expect(peer.messages).toEqual([[1], [2]]);
  });

  test("from another UDP port: ABORT, and the association lives on where it was", () => {
    const peer = new RawPeer();
    peer.establish();
    const elsewhere = { ...peer.path, udpPort: 6_666 };
    peer.init = { ...PEER_INIT, initiateTag: 42 };
    const replies = peer.sendPacket(peer.initPacket(), elsewhere);
    expect(only(replies).to).toEqual(elsewhere);
    expect(only(replies).verificationTag).toBe(42);
    expect(causesOf(replies, ChunkType.Abort)).toEqual([CauseCode.RestartWithNewEncapsulationPort]);
    peer.init = PEER_INIT;
    expect(only(peer.send(peer.nextData(Uint8Array.of(1), 8))).to).toEqual(peer.path);
  });

  test("in SHUTDOWN-ACK-SENT: SHUTDOWN ACK again, no INIT ACK [rfc9260#9.2/init-in-shutdown-ack-sent]", () => {
    const peer = new RawPeer();
    peer.establish();
    expect(only(peer.send(encodeShutdown((peer.endpointTsn - 1) as Tsn))).types).toEqual([ChunkType.ShutdownAck]);
    expect(only(peer.sendPacket(peer.initPacket())).types).toEqual([ChunkType.ShutdownAck]);
  });
});

describe("COOKIE ECHO", () => {
  test("brings up the association; DATA may follow in the packet [rfc9260#5.1/cookie-ack] [rfc9260#6.10/in-order]", () => {
    const peer = new RawPeer();
    peer.sendInit();
    const replies = peer.send(encodeCookieEcho(peer.cookie), peer.data(0));
    expect(replies[0]?.types[0]).toBe(ChunkType.CookieAck);
    expect(replies[0]?.verificationTag).toBe(PEER_INIT.initiateTag);
    expect(peer.story).toEqual(["connected", "message"]);
  });

  test("anywhere but at the head of its packet is thrown away [rfc9260#3.2.2/cookie-echo-first]", () => {
    const peer = new RawPeer();
    peer.establish();
    expect(only(peer.send(peer.data(0), encodeCookieEcho(peer.cookie))).types).toEqual([ChunkType.Sack]);
    expect(peer.endpoint.counters().oddities["unexpected-chunk"]).toBe(1);
  });

  test("once more: COOKIE ACK is first in its packet, whatever else is to be sent [rfc9260#5.1.5/cookie-ack-first]", () => {
    const peer = new RawPeer();
    peer.establish();
    peer.endpoint.handlePacket(peer.packet([encodeHeartbeat(Uint8Array.of(1))]), peer.path, peer.nowMs);
    const [reply] = peer.send(encodeCookieEcho(peer.cookie), peer.data(0));
    expect(reply?.types).toEqual([ChunkType.CookieAck, ChunkType.HeartbeatAck, ChunkType.Sack]);
  });

  test("forged, by any byte of it: ignored [rfc9260#5.1.5/authenticate] [rfc9260#5.1.3/signed]", () => {
    const peer = new RawPeer();
    peer.sendInit();
    for (const [at, byte] of peer.cookie.entries()) {
      const forged = peer.cookie.slice();
      forged[at] = byte ^ 0x10;
      expect(peer.send(encodeCookieEcho(forged))).toEqual([]);
    }
    expect(peer.endpoint.counters().oddities["forged-cookie"]).toBe(peer.cookie.length);
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
  });

  test("from another address, UDP port or SCTP port: ignored", () => {
    const peer = new RawPeer();
    peer.sendInit();
    const packet = peer.packet([encodeCookieEcho(peer.cookie)]);
    expect(peer.sendPacket(packet, { ...peer.path, address: "192.0.2.8" })).toEqual([]);
    expect(peer.sendPacket(packet, { ...peer.path, udpPort: 1 })).toEqual([]);
    peer.localPort++;
    expect(peer.send(encodeCookieEcho(peer.cookie))).toEqual([]);
    expect(peer.endpoint.counters().oddities["forged-cookie"]).toBe(3);
  });

  test("with another tag than the cookie's: ignored [rfc9260#5.1.5/tag]", () => {
    const peer = new RawPeer();
    peer.sendInit();
    expect(peer.sendTagged(peer.endpointTag ^ 1, encodeCookieEcho(peer.cookie))).toEqual([]);
    expect(peer.story).toEqual([]);
  });

  test("too late: ERROR, Stale Cookie, with how much too late [rfc9260#5.1.5/stale]", () => {
    const peer = new RawPeer();
    peer.sendInit();
    peer.nowMs += 60_000;
    peer.nowMs += 25;
    const replies = peer.send(encodeCookieEcho(peer.cookie));
    expect(only(replies).verificationTag).toBe(PEER_INIT.initiateTag);
    expect(causesOf(replies, ChunkType.Error)).toEqual([CauseCode.StaleCookie]);
    expect(new DataView(onlyChunk(replies, ChunkType.Error).value.slice().buffer).getUint32(4)).toBe(25_000);
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
  });

  test("too late, but that of the association: COOKIE ACK [rfc9260#5.2.4/stale-but-matching] [rfc9260#5.2.4/matching]", () => {
    const peer = new RawPeer();
    peer.establish();
    peer.nowMs += 70_000;
    expect(only(peer.send(encodeCookieEcho(peer.cookie))).types).toEqual([ChunkType.CookieAck]);
    expect(peer.story).toEqual(["connected"]);
  });

  test("after its association has come and gone: ABORT, and no association", () => {
    const peer = new RawPeer();
    peer.endpoint.abort(peer.establish(), peer.nowMs);
    peer.drain();
    const replies = peer.send(encodeCookieEcho(peer.cookie), peer.data(0));
    expect(only(replies).types).toEqual([ChunkType.Abort]);
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
    peer.wait(60_001);
    peer.endpoint.handleTimeout(peer.nowMs);
    expect(peer.endpoint.spent.size).toBe(0);
  });
});

describe("restart and collision", () => {
  /** The peer dies and begins anew with another tag. */
  function begunAnew(peer: RawPeer): RawPeer {
    const risen = new RawPeer({}, peer.endpoint);
    risen.nowMs = peer.nowMs;
    risen.init = { ...PEER_INIT, initiateTag: 0x1234_5678, initialTsn: 5_000 as Tsn };
    return risen;
  }

  test("(A) a restart: the old association is gone, a new one is up with a new id [rfc9260#5.2.4/restart]", () => {
    const peer = new RawPeer();
    const old = peer.establish();
    const risen = begunAnew(peer);
    risen.sendInit();
    expect(only(risen.send(encodeCookieEcho(risen.cookie))).types).toEqual([ChunkType.CookieAck]);
    expect(risen.story).toEqual(["closed: peer-restarted", "connected"]);
    expect(risen.events[0]?.association).toBe(old);
    expect(risen.association).not.toBe(old);
    risen.send(risen.nextData(Uint8Array.of(7)));
    expect(risen.messages).toEqual([[7]]);
    expect(peer.endpoint.holdings().associations).toBe(1);
  });

  test("(A) in SHUTDOWN-ACK-SENT: SHUTDOWN ACK and ERROR, no new association [rfc9260#5.2.4/restart-while-shutting-down]", () => {
    const peer = new RawPeer();
    peer.establish();
    const risen = begunAnew(peer);
    risen.sendInit();
    peer.send(encodeShutdown((peer.endpointTsn - 1) as Tsn));
    const replies = risen.send(encodeCookieEcho(risen.cookie));
    expect(only(replies).types).toEqual([ChunkType.ShutdownAck, ChunkType.Error]);
    expect(causesOf(replies, ChunkType.Error)).toEqual([CauseCode.CookieReceivedWhileShuttingDown]);
    expect(risen.story).toEqual([]);
  });

  test("(B) two INITs crossed: up with the peer's tag of the cookie [rfc9260#5.2.4/simultaneous]", () => {
    const peer = new RawPeer();
    const association = peer.beConnected();
    const { cookie } = readInitAck(only(peer.sendPacket(peer.initPacket())));
    const replies = peer.send(encodeCookieEcho(cookie));
    expect(only(replies).types).toEqual([ChunkType.CookieAck]);
    expect(only(replies).verificationTag).toBe(PEER_INIT.initiateTag);
    expect(peer.story).toEqual(["connected"]);
    expect(peer.association).toBe(association);
    // The timers of the attempt are stopped: nothing more is sent.
    expect(peer.wait(10_000)).toEqual([]);
  });

  test("(B) after the association came up with the peer's former life: it begins anew, with our tag of the cookie", () => {
    const peer = new RawPeer();
    const former = peer.beConnected();
    // The peer dies and comes back within the handshake; then its former life's COOKIE ACK arrives.
    const risen = begunAnew(peer);
    risen.localPort = peer.localPort;
    const { cookie, initiateTag } = readInitAck(only(risen.sendPacket(risen.initPacket())));
    expect(initiateTag).toBe(peer.endpointTag);
    peer.send(peer.initAck());
    peer.send(encodeCookieAck());
    risen.endpointTag = initiateTag;
    expect(only(risen.send(encodeCookieEcho(cookie))).types).toEqual([ChunkType.CookieAck]);
    expect(risen.story).toEqual(["closed: peer-restarted", "connected"]);
    expect(risen.events[0]?.association).toBe(former);
    risen.send(risen.nextData(Uint8Array.of(1)));
    expect(risen.messages).toEqual([[1]]);
  });

  test("(D) in COOKIE-ECHOED: up, and T1-cookie is stopped", () => {
    const peer = new RawPeer();
    peer.beConnected();
    peer.send(peer.initAck());
    const { cookie } = readInitAck(only(peer.sendPacket(peer.initPacket())));
    expect(only(peer.send(encodeCookieEcho(cookie))).types).toEqual([ChunkType.CookieAck]);
    expect(peer.story).toEqual(["connected"]);
    expect(peer.wait(10_000)).toEqual([]);
    expect(peer.send(encodeCookieAck())).toEqual([]);
  });

  test("a cookie that fits no row changes nothing [rfc9260#5.2.4/unmatched] [rfc9260#5.2.4/late]", () => {
    const peer = new RawPeer();
    const risen = begunAnew(peer);
    // Two cookies from before there was an association: neither has tie-tags.
    risen.sendInit();
    const twice = new RawPeer({}, peer.endpoint);
    twice.sendInit();
    peer.establish();
    expect(risen.send(encodeCookieEcho(risen.cookie))).toEqual([]);
    expect(twice.send(encodeCookieEcho(twice.cookie))).toEqual([]);
    expect(peer.endpoint.counters().oddities["unmatched-cookie"]).toBe(2);
    expect(peer.endpoint.holdings().associations).toBe(1);
    expect(peer.send(encodeShutdownAck())).toEqual([]);
    expect(peer.story).toEqual(["connected"]);
  });
});
