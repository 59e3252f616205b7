/**
 * Packets that nobody honest sends: cut short, changed, forged, from the wrong place, in floods. Nothing throws, no live
 * association is taken over or ended, and nobody makes us remember anything before he has shown where he is.
 */

import { describe, expect, test } from "bun:test";
import type { Path } from "../../../src/protocol/sctp/api.ts";
import { encodeAbort } from "../../../src/protocol/sctp/chunks/abort.ts";
import { encodeShutdownAck, encodeShutdownComplete } from "../../../src/protocol/sctp/chunks/bare.ts";
import { encodeCookieEcho } from "../../../src/protocol/sctp/chunks/cookie-echo.ts";
import { encodeHeartbeat } from "../../../src/protocol/sctp/chunks/heartbeat.ts";
import { encodeInit } from "../../../src/protocol/sctp/chunks/init.ts";
import { encodeShutdown } from "../../../src/protocol/sctp/chunks/shutdown.ts";
import { ChunkType } from "../../../src/protocol/sctp/constants.ts";
import { writeChecksum } from "../../../src/protocol/sctp/crc32c.ts";
import type { Endpoint } from "../../../src/protocol/sctp/endpoint.ts";
import { encodePacket } from "../../../src/protocol/sctp/packet.ts";
import type { Tsn } from "../../../src/protocol/sctp/serial.ts";
import { endAll, expectFaithful, expectNothingLeft, Program, Talker } from "../../support/sctp-conversation.ts";
import { PEER_INIT, PORT, RawPeer } from "../../support/sctp-raw-peer.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { CALM, VirtualNet } from "../../support/virtual-net.ts";

const SERVER = { address: "192.0.2.1", udpPort: 9_899 };
const CLIENT = { address: "192.0.2.2", udpPort: 50_000 };
const NOTHING = { associations: 0, sendBytes: 0, receiveBytes: 0 };

/** A whole exchange with all kinds of chunks, always the same. */
class Exchange {
  readonly net = new VirtualNet(7, CALM);
  readonly server: Program;
  readonly client: Program;
  sentCount = 0;

  /** @param before - Called before the packet with the number `atIndex` goes on the wire. */
  constructor(
    before: (packet: Uint8Array, from: Path, to: Path) => void = () => undefined,
    atIndex = -1,
    Kind: typeof Program = Program,
  ) {
    this.server = new Kind("S", this.net, SERVER, () => ({ messages: [40, 1_500], shutsDown: true, awaits: 2 }), PORT);
    this.client = new Kind("C", this.net, CLIENT, () => ({ messages: [20, 30], shutsDown: false, awaits: 0 }));
    this.net.tap = (packet, from, to) => {
      if (this.sentCount++ === atIndex) before(packet, from, to);
      return true;
    };
    this.client.connect(SERVER, 40_000, PORT);
  }

  endpointAt(path: Path): Endpoint {
    return (path.address === SERVER.address ? this.server : this.client).endpoint;
  }

  /** Plays to the end. */
  finish(): void {
    expect(this.net.run(3_600_000)).toBe(true);
    expectFaithful(this.client, this.server);
    expectNothingLeft(this.client, this.server);
  }

  get isPerfect(): boolean {
    const [server] = this.server.records;
    const [client] = this.client.records;
    return server?.reason === "shutdown" && client?.reason === "shutdown" && client.received.length === 2;
  }
}

/** How many packets the exchange has when nobody disturbs it. */
const PACKET_COUNT = ((): number => {
  const exchange = new Exchange();
  exchange.finish();
  return exchange.sentCount;
})();

describe("changed packets", () => {
  test("every truncation of every packet, every change of every byte (of long ones, every 37th): the checksum finds it", () => {
    for (let index = 0; index < PACKET_COUNT; index++) {
      const exchange: Exchange = new Exchange((packet, from, to) => {
        const endpoint = exchange.endpointAt(to);
        const { nowMs } = exchange.net;
        for (let length = 0; length < packet.length; length++) {
          endpoint.handlePacket(packet.subarray(0, length), from, nowMs);
        }
        const stride = packet.length > 200 ? 37 : 1;
        for (let at = 0; at < packet.length; at += stride) {
          for (let change = 1; change < 256; change++) {
            const changed = packet.slice();
            changed[at] = (packet[at] as number) ^ change;
            endpoint.handlePacket(changed, from, nowMs);
          }
        }
      }, index);
      exchange.finish();
      expect(exchange.isPerfect).toBe(true);
      expect(exchange.sentCount).toBe(PACKET_COUNT);
    }
  });

  test("every truncation of every packet with a new checksum: every association ends", () => {
    for (let index = 0; index < PACKET_COUNT; index++) {
      const exchange: Exchange = new Exchange(
        (packet, from, to) => {
          for (let length = 12; length < packet.length; length++) {
            const cut = packet.slice(0, length);
            writeChecksum(cut);
            exchange.endpointAt(to).handlePacket(cut, from, exchange.net.nowMs);
          }
        },
        index,
        Talker,
      );
      endAll(exchange.net, exchange.server, exchange.client);
    }
  });

  test("changes of every byte of every packet with a new checksum: every association ends", () => {
    for (let index = 0; index < PACKET_COUNT; index++) {
      let byteCount = 1;
      for (let at = 0; at < byteCount; at += byteCount > 200 && at > 64 ? 41 : 1) {
        for (const change of [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff]) {
          const exchange: Exchange = new Exchange(
            (packet, from, to) => {
              byteCount = packet.length;
              const changed = packet.slice();
              changed[at] = (packet[at] as number) ^ change;
              writeChecksum(changed);
              exchange.endpointAt(to).handlePacket(changed, from, exchange.net.nowMs);
            },
            index,
            Talker,
          );
          endAll(exchange.net, exchange.server, exchange.client);
        }
      }
    }
  });
});

describe("strangers", () => {
  /** Packets to the server that a stranger can make who knows the ports, and has overheard the handshake but no tag since. */
  function strangersPackets(cookie: Uint8Array, random: SeededRandom): Uint8Array[] {
    const tags = [0, 1, random.next(), random.next(), PEER_INIT.initiateTag];
    const chunks = [
      encodeInit(ChunkType.Init, PEER_INIT, []),
      encodeInit(ChunkType.InitAck, PEER_INIT, []),
      encodeCookieEcho(cookie),
      encodeCookieEcho(new Uint8Array(52)),
      encodeAbort(false, []),
      encodeAbort(true, []),
      encodeShutdown(0 as Tsn),
      encodeShutdownAck(),
      encodeShutdownComplete(false),
      encodeShutdownComplete(true),
      encodeHeartbeat(new Uint8Array(8)),
      new RawPeer().data(0),
      new RawPeer().sack(0),
    ];
    const ports = { sourcePort: 40_000, destinationPort: PORT };
    return tags.flatMap((verificationTag) =>
      chunks.map((chunk) => encodePacket({ ...ports, verificationTag }, [chunk])),
    );
  }

  const elsewhere: [string, Path][] = [
    ["another address", { address: "203.0.113.9", udpPort: CLIENT.udpPort }],
    ["another UDP port", { address: CLIENT.address, udpPort: 6_666 }],
    ["the client's own address and port, forged", CLIENT],
  ];

  test.each(elsewhere)("from %s: a live association is not taken over, disturbed or ended", (_, from) => {
    for (let index = 0; index < PACKET_COUNT; index++) {
      let cookie = new Uint8Array(52);
      const exchange: Exchange = new Exchange(() => {
        const { server, net } = exchange;
        const before = server.endpoint.holdings();
        for (const packet of strangersPackets(cookie, new SeededRandom(index))) {
          server.endpoint.handlePacket(packet, from, net.nowMs);
        }
        expect(server.endpoint.holdings()).toEqual(before);
      }, index);
      const tap = exchange.net.tap;
      exchange.net.tap = (packet, source, to) => {
        // The stranger hears the cookie, and plays it back from his own place with tags that he can only guess.
        if (packet[12] === ChunkType.CookieEcho) cookie = packet.slice(16);
        return tap?.(packet, source, to) ?? true;
      };
      exchange.finish();
      expect(exchange.isPerfect).toBe(true);
      expect(exchange.server.records.length).toBe(1);
    }
  });

  test("an overheard COOKIE ECHO, played back from elsewhere, opens nothing", () => {
    for (const [, from] of elsewhere.slice(0, 2)) {
      const exchange = new Exchange();
      const overheard: Uint8Array[] = [];
      exchange.net.tap = (packet) => {
        if (packet[12] === ChunkType.CookieEcho) overheard.push(packet.slice());
        return true;
      };
      exchange.finish();
      expect(overheard.length).toBe(1);
      const { endpoint } = exchange.server;
      const forgedBefore = endpoint.counters().oddities["forged-cookie"];
      for (const packet of overheard) endpoint.handlePacket(packet, from, exchange.net.nowMs);
      expect(endpoint.counters().oddities["forged-cookie"]).toBe(forgedBefore + 1);
      expect(endpoint.holdings()).toEqual(NOTHING);
    }
  });
});

describe("floods", () => {
  test("of INIT: nothing is held, each answer is below three times its question, memory stays", () => {
    const peer = new RawPeer();
    const random = new SeededRandom(3);
    const flood = (count: number): void => {
      for (let index = 0; index < count; index++) {
        peer.path = { address: `2001:db8::${random.below(65_536).toString(16)}`, udpPort: random.below(65_536) };
        peer.localPort = 1 + random.below(65_535);
        const init = peer.initPacket();
        for (const reply of peer.sendPacket(init)) expect(reply.bytes.length).toBeLessThan(3 * init.length);
      }
    };
    flood(2_000);
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    flood(20_000);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
    expect(peer.endpoint.spent.size).toBe(0);
    expect(peer.endpoint.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
    expect(peer.endpoint.counters().packetsSent).toBe(22_000);
  });

  test("of forged COOKIE ECHOs: nothing is held, nothing is answered", () => {
    const peer = new RawPeer();
    peer.sendInit();
    const random = new SeededRandom(4);
    for (let index = 0; index < 5_000; index++) {
      const forged = peer.cookie.slice();
      forged.set(random.bytes(4), 4 * random.below(13));
      expect(peer.send(encodeCookieEcho(forged))).toEqual([]);
    }
    expect(peer.endpoint.holdings()).toEqual(NOTHING);
  });

  test("of true associations from one address: the limit holds, others still come in, and all can end", () => {
    const first = new RawPeer({ limits: { associationsMax: 30, associationsPerAddressMax: 20 } });
    first.establish();
    for (let index = 0; index < 200; index++) {
      const peer = new RawPeer({}, first.endpoint);
      peer.localPort = 1_000 + index;
      peer.sendPacket(peer.initPacket());
    }
    const peers = Array.from({ length: 40 }, (_, index) => {
      const peer = new RawPeer({}, first.endpoint);
      peer.localPort = 2_000 + index;
      peer.nowMs = 1_000;
      const [reply] = peer.sendPacket(peer.initPacket());
      if (reply?.types[0] === ChunkType.InitAck) {
        const again = peer.sendInit();
        expect(again.types).toEqual([ChunkType.InitAck]);
        peer.send(encodeCookieEcho(peer.cookie));
      }
      return peer;
    });
    expect(first.endpoint.holdings().associations).toBe(20);
    const other = new RawPeer({}, first.endpoint);
    other.path = { address: "198.51.100.1", udpPort: 1 };
    other.establish();
    for (const peer of [first, other, ...peers]) {
      if (peer.story.includes("connected")) peer.send(encodeAbort(false, []));
    }
    expect(first.endpoint.holdings()).toEqual(NOTHING);
    expect(first.endpoint.registry.addressCount).toBe(0);
  });
});
