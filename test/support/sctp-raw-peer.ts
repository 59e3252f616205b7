/**
 * A peer by hand: puts chunks into packets, hands them to an endpoint, and reads what comes back. For tests of single rules,
 * in which nothing is to be answered by itself.
 */

import { expect } from "bun:test";
import type { AssociationId, EndpointOptions, Path } from "../../src/protocol/sctp/api.ts";
import { encodeCookieAck } from "../../src/protocol/sctp/chunks/bare.ts";
import { encodeCookieEcho } from "../../src/protocol/sctp/chunks/cookie-echo.ts";
import { type DataChunk, DataFlag, encodeData } from "../../src/protocol/sctp/chunks/data.ts";
import { decodeInit, encodeInit, type InitFields } from "../../src/protocol/sctp/chunks/init.ts";
import { encodeSack, type SackChunk } from "../../src/protocol/sctp/chunks/sack.ts";
import { ChunkType } from "../../src/protocol/sctp/constants.ts";
import { Endpoint } from "../../src/protocol/sctp/endpoint.ts";
import { decodePacket, encodePacket, type Packet } from "../../src/protocol/sctp/packet.ts";
import { stateCookieParameter } from "../../src/protocol/sctp/parameters.ts";
import { type Tsn, tsnAdd } from "../../src/protocol/sctp/serial.ts";
import type { RawChunk } from "../../src/protocol/sctp/tlv.ts";
import { SeededRandom } from "./seeded-random.ts";
import { endpointBasics, type NodeEvent } from "./virtual-net.ts";

/** The SCTP port on which the endpoints of these tests accept. */
export const PORT = 8_080;
/** What the peer says of itself, unless told otherwise. */
export const PEER_INIT: InitFields = {
  initiateTag: 0x7ee7_7ee7,
  aRwnd: 100_000,
  outboundStreams: 10,
  inboundStreams: 65_535,
  initialTsn: 1_000 as Tsn,
};

/** A packet that the endpoint sent. */
export interface Reply extends Packet {
  readonly to: Path;
  readonly bytes: Uint8Array;
  /** The types of its chunks. */
  readonly types: number[];
}

/** The association of {@link RawPeer}'s making, seen from both sides. */
export class RawPeer {
  readonly endpoint: Endpoint;
  path: Path = { address: "192.0.2.7", udpPort: 50_007 };
  localPort = 40_007;
  /** The tag that the endpoint wants to see. */
  endpointTag = 0;
  /** The endpoint's first TSN. */
  endpointTsn = 0 as Tsn;
  init: InitFields = PEER_INIT;
  nowMs = 1_000;
  cookie: Uint8Array = new Uint8Array(0);
  /** What the endpoint said to its user, in order. */
  readonly events: NodeEvent[] = [];
  #sentTsns = 0;
  #sentMessages = 0;

  constructor(options: Partial<EndpointOptions> = {}, endpoint?: Endpoint) {
    const basics = endpointBasics(new SeededRandom(1));
    this.endpoint = endpoint ?? new Endpoint({ ...basics, acceptPort: PORT, ...options });
  }

  /** A packet with these chunks, from this peer. */
  packet(chunks: readonly Uint8Array[], tag: number = this.endpointTag): Uint8Array {
    return encodePacket({ sourcePort: this.localPort, destinationPort: PORT, verificationTag: tag }, chunks);
  }

  /** Sends chunks in one packet with the right tag; answers what the endpoint sends. */
  send(...chunks: Uint8Array[]): Reply[] {
    return this.sendPacket(this.packet(chunks));
  }

  /** Sends chunks with any tag. */
  sendTagged(tag: number, ...chunks: Uint8Array[]): Reply[] {
    return this.sendPacket(this.packet(chunks, tag));
  }

  sendPacket(packet: Uint8Array, from: Path = this.path): Reply[] {
    this.endpoint.handlePacket(packet, from, this.nowMs);
    return this.drain();
  }

  /** Takes the endpoint's events; answers the packets among them. */
  drain(): Reply[] {
    const replies: Reply[] = [];
    for (let event = this.endpoint.pollEvent(); event !== undefined; event = this.endpoint.pollEvent()) {
      if (event.kind !== "send") this.events.push(event);
      else replies.push(readReply(event.packet, event.to));
    }
    return replies;
  }

  /** Lets time pass, each timer at its time; answers what the endpoint sends. */
  wait(ms: number): Reply[] {
    const untilMs = this.nowMs + ms;
    const replies: Reply[] = [];
    for (let at = this.endpoint.pollTimeout(); at <= untilMs; at = this.endpoint.pollTimeout()) {
      this.nowMs = Math.max(this.nowMs, at);
      this.endpoint.handleTimeout(this.nowMs);
      replies.push(...this.drain());
    }
    this.nowMs = untilMs;
    return replies;
  }

  initPacket(parameters: readonly Uint8Array[] = []): Uint8Array {
    return this.packet([encodeInit(ChunkType.Init, this.init, parameters)], 0);
  }

  /** Sends INIT and reads the INIT ACK. */
  sendInit(parameters: readonly Uint8Array[] = []): Reply {
    const reply = only(this.sendPacket(this.initPacket(parameters)));
    const initAck = readInitAck(reply);
    this.endpointTag = initAck.initiateTag;
    this.endpointTsn = initAck.initialTsn;
    this.cookie = initAck.cookie;
    return reply;
  }

  /** Comes in as a client. */
  establish(): AssociationId {
    this.sendInit();
    expect(only(this.send(encodeCookieEcho(this.cookie))).types).toEqual([ChunkType.CookieAck]);
    return this.association;
  }

  /** Lets the endpoint connect, and answers as a server; the endpoint has sent COOKIE ECHO when this returns. */
  beConnected(): AssociationId {
    this.localPort = PORT;
    const result = this.endpoint.connect(this.path, PORT, PORT, this.nowMs);
    if (result.kind !== "connecting") throw new Error(result.kind);
    const init = readInit(only(this.drain()));
    this.endpointTag = init.initiateTag;
    this.endpointTsn = init.initialTsn;
    return result.association;
  }

  initAck(cookie: Uint8Array = Uint8Array.of(1, 2, 3), fields: Partial<InitFields> = {}): Uint8Array {
    return encodeInit(ChunkType.InitAck, { ...this.init, ...fields }, [stateCookieParameter(cookie)]);
  }

  /** As {@link beConnected}, to the end. */
  establishAsServer(): AssociationId {
    const association = this.beConnected();
    expect(only(this.send(this.initAck())).types).toEqual([ChunkType.CookieEcho]);
    expect(this.send(encodeCookieAck())).toEqual([]);
    return association;
  }

  /** The id in the latest event. */
  get association(): AssociationId {
    const event = this.events.at(-1);
    if (event === undefined) throw new Error("there was no event");
    return event.association;
  }

  /** The kinds of events so far; the reason with "closed". */
  get story(): string[] {
    return this.events.map((event) => (event.kind === "closed" ? `closed: ${event.reason}` : event.kind));
  }

  /** The messages so far, each by its bytes. */
  get messages(): number[][] {
    return this.events.flatMap((event) => (event.kind === "message" ? [[...event.bytes]] : []));
  }

  /** The TSN that is `distance` after this peer's first. */
  tsn(distance: number): Tsn {
    return tsnAdd(this.init.initialTsn, distance);
  }

  /** DATA with the TSN `distance` after the first; a whole message unless told otherwise. */
  data(distance: number, fields: Partial<DataChunk> = {}): Uint8Array {
    return encodeData({
      tsn: this.tsn(distance),
      streamId: 0,
      streamSeq: distance,
      ppid: 0,
      flags: DataFlag.Beginning | DataFlag.End,
      userData: Uint8Array.of(distance),
      ...fields,
    });
  }

  /** The next DATA in order. */
  nextData(userData: Uint8Array, flags = 0): Uint8Array {
    return this.data(this.#sentTsns++, {
      userData,
      streamSeq: this.#sentMessages++,
      flags: DataFlag.Beginning | DataFlag.End | flags,
    });
  }

  /** A SACK up to the endpoint's TSN `distance` after its first; -1 acknowledges nothing. */
  sack(distance: number, fields: Partial<SackChunk> = {}): Uint8Array {
    return encodeSack({
      cumulativeTsnAck: tsnAdd(this.endpointTsn, distance),
      aRwnd: this.init.aRwnd,
      gapAckBlocks: [],
      duplicateTsns: [],
      ...fields,
    });
  }
}

/** The one element, or a failed test. */
export function only<Value>(values: readonly Value[]): Value {
  expect(values.length).toBe(1);
  return values[0] as Value;
}

/** The one chunk of this type in all the replies. */
export function onlyChunk(replies: readonly Reply[], type: number): RawChunk {
  return only(chunksOf(replies, type));
}

/** Every chunk of this type in the replies. */
export function chunksOf(replies: readonly Reply[], type: number): RawChunk[] {
  return replies.flatMap(({ chunks }) => chunks.filter((chunk) => chunk.type === type));
}

function readReply(bytes: Uint8Array, to: Path): Reply {
  const decoded = decodePacket(bytes);
  if (decoded.kind === "invalid") throw new Error(`the endpoint sent a packet with ${decoded.fault}`);
  return { ...decoded.value, bytes, to, types: decoded.value.chunks.map(({ type }) => type) };
}

/** The fields of the INIT that is alone in this packet. */
export function readInit({ chunks, types }: Reply): InitFields {
  expect(types).toEqual([ChunkType.Init]);
  const decoded = decodeInit(only(chunks));
  if (decoded.kind === "invalid") throw new Error(decoded.fault);
  return decoded.value;
}

/** The fields and the cookie of the INIT ACK that is alone in this packet. */
export function readInitAck({ chunks, types }: Reply): InitFields & { cookie: Uint8Array<ArrayBuffer> } {
  expect(types).toEqual([ChunkType.InitAck]);
  const decoded = decodeInit(only(chunks));
  if (decoded.kind === "invalid") throw new Error(decoded.fault);
  const { stateCookie } = decoded.value.parameters;
  return { ...decoded.value, cookie: new Uint8Array(stateCookie ?? []) };
}
