/**
 * Packets with the right tag and a right checksum, deep in the life of an association: near misses of what a real peer would
 * send. Nothing throws, nothing grows beyond its limit, every association ends; and the test looks whether it got everywhere.
 */

import { expect, test } from "bun:test";
import type { Oddity, Path } from "../../../src/protocol/sctp/api.ts";
import { encodeAbort } from "../../../src/protocol/sctp/chunks/abort.ts";
import { encodeCookieAck, encodeShutdownAck, encodeShutdownComplete } from "../../../src/protocol/sctp/chunks/bare.ts";
import { encodeData } from "../../../src/protocol/sctp/chunks/data.ts";
import { encodeHeartbeat } from "../../../src/protocol/sctp/chunks/heartbeat.ts";
import { encodeInit } from "../../../src/protocol/sctp/chunks/init.ts";
import { encodeSack } from "../../../src/protocol/sctp/chunks/sack.ts";
import { encodeShutdown } from "../../../src/protocol/sctp/chunks/shutdown.ts";
import { ChunkType, COMMON_HEADER_BYTES, DEFAULT_LIMITS } from "../../../src/protocol/sctp/constants.ts";
import { writeChecksum } from "../../../src/protocol/sctp/crc32c.ts";
import { decodePacket, encodePacket } from "../../../src/protocol/sctp/packet.ts";
import { type Tsn, tsnAdd } from "../../../src/protocol/sctp/serial.ts";
import { encodeChunk, encodeTlv, padded } from "../../../src/protocol/sctp/tlv.ts";
import { endAll, Talker } from "../../support/sctp-conversation.ts";
import type { SeededRandom } from "../../support/seeded-random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { CALM, VirtualNet } from "../../support/virtual-net.ts";

const SERVER = { address: "192.0.2.1", udpPort: 9_899 };
const CLIENT = { address: "192.0.2.2", udpPort: 50_000 };
const PORT = 8_080;

/** What an eavesdropper knows of one direction. */
interface Overheard {
  tag: number;
  sourcePort: number;
  destinationPort: number;
  /** The latest TSN and cumulative TSN that were seen. */
  tsn: Tsn;
  cumulativeTsnAck: Tsn;
  packets: Uint8Array[];
}

function listen(overheard: Overheard, packet: Uint8Array): void {
  const decoded = decodePacket(packet);
  if (decoded.kind === "invalid") return;
  const { verificationTag, sourcePort, destinationPort, chunks } = decoded.value;
  Object.assign(overheard, { sourcePort, destinationPort });
  if (verificationTag !== 0) overheard.tag = verificationTag;
  for (const { type, value } of chunks) {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    if (type === ChunkType.Data) overheard.tsn = view.getUint32(0) as Tsn;
    if (type === ChunkType.Init || type === ChunkType.InitAck) overheard.tsn = (view.getUint32(12) - 1) as Tsn;
    if (type === ChunkType.Sack) overheard.cumulativeTsnAck = view.getUint32(0) as Tsn;
  }
  overheard.packets.push(packet.slice());
}

/** Mostly what is near, now and then what is far. */
function near(random: SeededRandom, tsn: Tsn): Tsn {
  return random.chance(0.9) ? tsnAdd(tsn, random.below(12) - 4) : (random.next() as Tsn);
}

function someChunk(random: SeededRandom, { tsn, cumulativeTsnAck }: Overheard, back: Overheard): Uint8Array {
  const acked = near(random, random.chance(0.5) ? back.tsn : cumulativeTsnAck);
  const kinds = [
    () =>
      encodeData({
        tsn: near(random, tsn),
        streamId: random.chance(0.9) ? 0 : random.below(3),
        streamSeq: random.below(6),
        ppid: 0,
        flags: random.below(16),
        userData: random.bytes(random.chance(0.05) ? 0 : random.below(1_400)),
      }),
    () =>
      encodeSack({
        cumulativeTsnAck: acked,
        aRwnd: random.chance(0.3) ? 0 : random.below(100_000),
        gapAckBlocks: Array.from({ length: random.below(4) }, () => {
          const start = 1 + random.below(8);
          return { start, end: start + random.below(3) };
        }),
        duplicateTsns: [],
      }),
    () => encodeHeartbeat(random.bytes(random.below(50))),
    () => encodeChunk(ChunkType.HeartbeatAck, 0, encodeTlv(1, random.bytes(8))),
    () => encodeShutdown(acked),
    () => encodeChunk(ChunkType.Error, 0, encodeTlv(1 + random.below(14), random.bytes(random.below(9)))),
    () => encodeChunk(random.below(256), random.below(256), random.bytes(random.below(40))),
    () => encodeCookieAck(),
    () => encodeChunk(ChunkType.CookieEcho, 0, random.bytes(52)),
    // What ends an association is rare, or nothing would ever get deep.
    () => (random.chance(0.1) ? encodeShutdownAck() : encodeCookieAck()),
    () => (random.chance(0.1) ? encodeShutdownComplete(random.chance(0.5)) : encodeCookieAck()),
    () => (random.chance(0.05) ? encodeAbort(random.chance(0.5), []) : encodeCookieAck()),
    () =>
      encodeInit(
        random.chance(0.5) ? ChunkType.Init : ChunkType.InitAck,
        {
          initiateTag: random.chance(0.9) ? random.next() : 0,
          aRwnd: random.chance(0.9) ? 50_000 : random.below(3_000),
          outboundStreams: random.below(3),
          inboundStreams: random.below(3),
          initialTsn: random.next() as Tsn,
        },
        random.chance(0.5) ? [] : [encodeTlv(random.below(65_536), random.bytes(random.below(12)))],
      ),
  ];
  return (kinds[random.below(kinds.length)] as () => Uint8Array)();
}

/** A packet made up, or one overheard with some bytes changed. */
function somePacket(random: SeededRandom, overheard: Overheard, back: Overheard): Uint8Array {
  const recorded = overheard.packets[random.below(Math.max(1, overheard.packets.length))];
  if (recorded !== undefined && random.chance(0.3)) {
    const changed = recorded.slice(
      0,
      random.chance(0.2) ? COMMON_HEADER_BYTES + random.below(recorded.length) : undefined,
    );
    for (let times = random.below(4); times > 0; times--) {
      changed[COMMON_HEADER_BYTES + random.below(Math.max(1, changed.length - COMMON_HEADER_BYTES))] =
        random.below(256);
    }
    if (changed.length >= COMMON_HEADER_BYTES) writeChecksum(changed);
    return changed;
  }
  const { tag, sourcePort, destinationPort } = overheard;
  const chunks = Array.from({ length: 1 + random.below(3) }, () => someChunk(random, overheard, back));
  const isInit = chunks.length === 1 && chunks[0]?.[0] === ChunkType.Init;
  const verificationTag = isInit ? 0 : random.chance(0.02) ? back.tag : tag;
  return encodePacket({ sourcePort, destinationPort, verificationTag }, chunks);
}

test("made-up packets with the right tags: nothing throws, nothing grows, everything ends, and everything is reached", () => {
  const reached = new Set<string>();
  const oddities: Partial<Record<Oddity, number>> = {};
  let messageCount = 0;
  forEachSeed(1_000, (seed) => {
    const net = new VirtualNet(seed, { ...CALM, delayMaxMs: 40, loss: 0.02 });
    const { random } = net;
    const plan = () => ({
      messages: Array.from({ length: 5 }, () => 12 + random.below(3_000)),
      shutsDown: random.chance(0.5),
      awaits: 2,
    });
    // No account of what arrives is kept here: the made-up DATA is as good as any. So the programs only talk.
    const server = new Talker("S", net, SERVER, plan, PORT);
    const client = new Talker("C", net, CLIENT, plan);
    const blank = () => ({ tag: 0, sourcePort: 1, destinationPort: 1, tsn: 0, cumulativeTsnAck: 0, packets: [] });
    const toServer = blank() as unknown as Overheard;
    const toClient = blank() as unknown as Overheard;
    net.tap = (packet, from) => {
      listen(from === CLIENT || from.address === CLIENT.address ? toServer : toClient, packet);
      return true;
    };
    client.connect(SERVER, 40_000, PORT);
    for (let round = 0; round < 30; round++) {
      net.run(net.nowMs + random.below(60));
      const atServer = random.chance(0.5);
      const packet = atServer ? somePacket(random, toServer, toClient) : somePacket(random, toClient, toServer);
      const target = atServer ? server : client;
      const from: Path = atServer ? CLIENT : SERVER;
      target.endpoint.handlePacket(packet, from, net.nowMs);
      for (const { endpoint } of [server, client]) {
        const { sendBytes, receiveBytes, associations } = endpoint.holdings();
        expect(associations).toBeLessThanOrEqual(1);
        expect(sendBytes).toBeLessThanOrEqual(DEFAULT_LIMITS.sendBufferBytes);
        expect(receiveBytes).toBeLessThanOrEqual(DEFAULT_LIMITS.receiveWindowBytes + padded(1_500));
      }
    }
    endAll(net, server, client);
    for (const { endpoint, records, messageCount: count } of [server, client]) {
      for (const { reason } of records) reached.add(String(reason));
      for (const [oddity, times] of Object.entries(endpoint.counters().oddities)) {
        oddities[oddity as Oddity] = (oddities[oddity as Oddity] ?? 0) + times;
      }
      messageCount += count;
    }
  });
  expect(messageCount).toBeGreaterThan(1_000);
  // A restart takes a whole handshake; test/simulation/sctp/exchange.test.ts has thousands.
  const endings = ["peer-aborted", "protocol-violation", "shutdown", "unreachable"];
  expect([...reached]).toEqual(expect.arrayContaining(endings));
  const missed = Object.entries(oddities).flatMap(([oddity, count]) => (count === 0 ? [oddity] : []));
  // These have tests of their own: the checksum and the ports are right here by design, and time is short.
  const elsewhere = ["bad-checksum", "bad-port", "new-udp-port", "refused-limit", "stale-cookie"];
  expect(missed.filter((oddity) => !elsewhere.includes(oddity))).toEqual([]);
});
