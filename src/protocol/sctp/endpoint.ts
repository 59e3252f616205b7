/**
 * Many associations behind one socket: finds the association of a packet, answers what belongs to none, and lets nobody
 * make us remember anything before it has shown that it gets our packets (RFC 9260 §5.1, §8.4, §8.5).
 */

import { readU32 } from "../../bytes/read.ts";
import type {
  AssociationId,
  ConnectResult,
  EndpointOptions,
  Oddity,
  Path,
  SctpCounters,
  SctpEndpoint,
  SctpEvent,
  SctpHoldings,
  SctpLimits,
  SctpTiming,
  SendResult,
} from "./api.ts";
import { Association, type Host, type Identity } from "./association/association.ts";
import { sendInit } from "./association/connect.ts";
import { CookieJar } from "./association/cookie.ts";
import { handleChunks, handleTimer, isBadlyBundled } from "./association/dispatch.ts";
import { answerCookieEcho, answerInit, type Desk } from "./association/front-desk.ts";
import { answerOutOfTheBlue, hasRightTag } from "./association/out-of-the-blue.ts";
import { Registry } from "./association/registry.ts";
import { requestShutdown } from "./association/shutdown.ts";
import { SpentCookies } from "./association/spent-cookies.ts";
import { transferOf } from "./association/state.ts";
import { transmit } from "./association/transmit.ts";
import { userInitiatedAbort } from "./causes.ts";
import {
  A_RWND_MIN,
  ChunkType,
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  SACK_DELAY_MS_MAX,
  SEND_BUFFER_BYTES_MAX,
} from "./constants.ts";
import { Counters } from "./counters.ts";
import { decodePacket, encodePacket, type Packet } from "./packet.ts";
import type { Tsn } from "./serial.ts";
import { Sender } from "./tx/sender.ts";

/** Ports for outgoing associations (RFC 6335 §6). */
const EPHEMERAL_PORT_FIRST = 49_152;
const EPHEMERAL_PORT_COUNT = 16_384;
/** Random ports that are tried before `connect` gives up. */
const EPHEMERAL_TRIES = 64;

/** @throws {RangeError} for what the protocol does not allow. */
function check(limits: SctpLimits, timing: SctpTiming): void {
  const { receiveWindowBytes, messageBytesMax, sendBufferBytes } = limits;
  //= rfc9260#3.3.2/window-min
  if (receiveWindowBytes < Math.max(A_RWND_MIN, messageBytesMax)) {
    throw new RangeError(`receiveWindowBytes must be at least messageBytesMax and 1,500: it is ${receiveWindowBytes}`);
  }
  //= rfc9260#6.1/messages-max
  if (sendBufferBytes > SEND_BUFFER_BYTES_MAX) {
    throw new RangeError(`sendBufferBytes must be at most ${SEND_BUFFER_BYTES_MAX}: it is ${sendBufferBytes}`);
  }
  if (timing.cookieKeyLifeMs < timing.cookieLifeMs) {
    throw new RangeError(`cookieKeyLifeMs must be at least cookieLifeMs: it is ${timing.cookieKeyLifeMs}`);
  }
  //= rfc9260#6.2/delay
  if (timing.sackDelayMs > SACK_DELAY_MS_MAX) {
    throw new RangeError(`sackDelayMs must be at most ${SACK_DELAY_MS_MAX}: it is ${timing.sackDelayMs}`);
  }
}

/** Our SCTP. See {@link SctpEndpoint} for what each member does. */
export class Endpoint implements SctpEndpoint, Host, Desk {
  readonly timing: SctpTiming;
  readonly limits: SctpLimits;
  readonly acceptPort: number | undefined;
  readonly random: EndpointOptions["random"];
  readonly cookies: CookieJar;
  readonly registry: Registry;
  readonly spent: SpentCookies;
  readonly #counters = new Counters();
  /** BOUNDED by the driver, who polls after each call. */
  #events: SctpEvent[] = [];
  #eventIndex = 0;
  /** Associations that may have something to send: it goes when all input of the turn is in, and is bundled so. */
  readonly #unsent = new Set<Association>();
  #lastId = 0;
  #nowMs = 0;

  constructor(options: EndpointOptions) {
    this.timing = { ...DEFAULT_TIMING, ...options.timing };
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    check(this.limits, this.timing);
    this.acceptPort = options.acceptPort;
    this.random = options.random;
    this.cookies = new CookieJar(options, this.timing.cookieKeyLifeMs);
    this.registry = new Registry(this.limits);
    this.spent = new SpentCookies(this.timing.cookieLifeMs);
  }

  handlePacket(bytes: Uint8Array, from: Path, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#counters.packetsReceived++;
    const decoded = decodePacket(bytes);
    if (decoded.kind === "invalid") this.count(decoded.fault);
    //= rfc9260#12.3/init-alone
    else if (isBadlyBundled(decoded.value.chunks)) this.count("bundled");
    //= rfc9260#8.5.1/zero-tag
    else if (decoded.value.verificationTag === 0 && decoded.value.chunks[0]?.type !== ChunkType.Init) {
      this.count("wrong-tag");
    } else this.#route(decoded.value, from, nowMs);
  }

  #route(packet: Packet, from: Path, nowMs: number): void {
    const association = this.registry.find(from, packet.destinationPort, packet.sourcePort);
    const first = packet.chunks[0];
    if (first?.type === ChunkType.Init) answerInit(this, packet, first, from, association, nowMs);
    else if (first?.type === ChunkType.CookieEcho) {
      const owner = answerCookieEcho(this, packet, first, from, association, nowMs);
      if (owner !== undefined) this.#take(owner, { ...packet, chunks: packet.chunks.slice(1) }, from);
    } else if (association === undefined) answerOutOfTheBlue(this, packet, from);
    else if (hasRightTag(this, association, packet, from)) this.#take(association, packet, from);
  }

  /** Takes the chunks of a packet that has the right tag. */
  #take(association: Association, packet: Packet, from: Path): void {
    //= rfc6951#5.4/learn-port
    if (packet.verificationTag === association.localTag && association.path.udpPort !== from.udpPort) {
      association.path = { address: from.address, udpPort: from.udpPort };
    }
    handleChunks(association, packet.chunks, this.#nowMs);
    this.#unsent.add(association);
  }

  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    this.spent.forgetOld(nowMs);
    for (const association of [...this.registry.all()]) {
      for (let name = association.timers.takeDue(nowMs); name !== undefined; name = association.timers.takeDue(nowMs)) {
        handleTimer(association, name, nowMs);
        this.#unsent.add(association);
      }
    }
  }

  pollEvent(): SctpEvent | undefined {
    if (this.#eventIndex >= this.#events.length) {
      this.#events = [];
      this.#eventIndex = 0;
      for (const association of this.#unsent) transmit(association, this.#nowMs);
      this.#unsent.clear();
    }
    const event = this.#events[this.#eventIndex];
    if (event !== undefined) this.#eventIndex++;
    return event;
  }

  pollTimeout(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { timers } of this.registry.all()) earliest = Math.min(earliest, timers.next());
    return earliest;
  }

  connect(to: Path, localPort: number, remotePort: number, nowMs: number): ConnectResult {
    this.#nowMs = nowMs;
    if (!this.registry.hasRoomFor(to.address)) return { kind: "too-many-associations" };
    const port = localPort === 0 ? this.#freePort(to, remotePort) : localPort;
    //= rfc9260#1.3/one-association
    if (port === undefined || this.registry.find(to, port, remotePort) !== undefined) return { kind: "in-use" };
    const association = this.open({
      role: "client",
      path: { address: to.address, udpPort: to.udpPort },
      localPort: port,
      remotePort,
      localTag: this.randomTag(),
      peerTag: 0,
      localInitialTsn: this.randomNumber() as Tsn,
    });
    sendInit(association, 1, nowMs);
    return { kind: "connecting", association: association.id };
  }

  #freePort(to: Path, remotePort: number): number | undefined {
    for (let attempt = 0; attempt < EPHEMERAL_TRIES; attempt++) {
      const port = EPHEMERAL_PORT_FIRST + (this.randomNumber() % EPHEMERAL_PORT_COUNT);
      if (this.registry.find(to, port, remotePort) === undefined) return port;
    }
    return undefined;
  }

  send(id: AssociationId, bytes: Uint8Array, nowMs: number): SendResult {
    this.#nowMs = nowMs;
    const association = this.registry.byId(id);
    if (association?.state.name !== "ESTABLISHED") return "not-open";
    const { sender } = association.state.transfer;
    const cost = Sender.costOf(bytes);
    if (bytes.length === 0 || cost > this.limits.sendBufferBytes) return "bad-length";
    if (sender.bufferedBytes + cost > this.limits.sendBufferBytes) {
      association.owesWritable = true;
      return "buffer-full";
    }
    sender.queue(bytes);
    this.#unsent.add(association);
    return "queued";
  }

  shutdown(id: AssociationId, nowMs: number): void {
    this.#nowMs = nowMs;
    const association = this.registry.byId(id);
    if (association === undefined) return;
    const { name } = association.state;
    if (name === "COOKIE-WAIT" || name === "COOKIE-ECHOED") this.abort(id, nowMs);
    else requestShutdown(association, nowMs);
    this.#unsent.add(association);
  }

  abort(id: AssociationId, nowMs: number): void {
    this.#nowMs = nowMs;
    //= rfc9260#9.1/user-cause
    this.registry.byId(id)?.abort("aborted", userInitiatedAbort());
  }

  pause(id: AssociationId): void {
    const association = this.registry.byId(id);
    if (association !== undefined) association.isPaused = true;
  }

  resume(id: AssociationId, nowMs: number): void {
    this.#nowMs = nowMs;
    const association = this.registry.byId(id);
    if (association === undefined) return;
    association.isPaused = false;
    association.deliver();
    const receiver = transferOf(association.state)?.receiver;
    //= rfc9260#6.2/window-update
    // A peer that found the window shut waits for this news; it asks only seldom by itself.
    const grownBytes = (receiver?.aRwnd ?? 0) - association.advertisedWindow;
    if (
      receiver !== undefined &&
      (association.advertisedWindow === 0 || grownBytes >= this.limits.receiveWindowBytes / 2)
    ) {
      association.sackDebt = "now";
    }
    this.#unsent.add(association);
  }

  counters(): SctpCounters {
    return this.#counters.snapshot();
  }

  holdings(): SctpHoldings {
    let sendBytes = 0;
    let receiveBytes = 0;
    for (const { state } of this.registry.all()) {
      const transfer = transferOf(state);
      sendBytes += transfer?.sender.bufferedBytes ?? 0;
      receiveBytes += transfer?.receiver.bytes ?? 0;
    }
    return { associations: this.registry.size, sendBytes, receiveBytes };
  }

  // What associations and the front desk ask for.

  emit(event: SctpEvent): void {
    if (event.kind === "send") this.#counters.packetsSent++;
    this.#events.push(event);
  }

  count(oddity: Oddity): void {
    this.#counters.oddities[oddity]++;
  }

  countRetransmitted(): void {
    this.#counters.dataRetransmitted++;
  }

  countOpened(): void {
    this.#counters.associationsOpened++;
  }

  open(identity: Omit<Identity, "id" | "localTieTag" | "peerTieTag">): Association {
    this.#lastId++;
    const tieTags = { localTieTag: this.randomTag(), peerTieTag: this.randomTag() };
    const id = this.#lastId as AssociationId;
    const association = new Association(
      this,
      { ...identity, ...tieTags, id },
      { name: "COOKIE-WAIT", transmissions: 0 },
    );
    this.registry.add(association);
    return association;
  }

  remove(association: Association): void {
    this.#counters.associationsClosed++;
    this.registry.remove(association);
    this.#unsent.delete(association);
    this.spent.add(association.localTag, this.#nowMs);
  }

  reply(to: Path, { destinationPort, sourcePort }: Packet, verificationTag: number, chunk: Uint8Array): void {
    const header = { sourcePort: destinationPort, destinationPort: sourcePort, verificationTag };
    this.emit({
      kind: "send",
      to: { address: to.address, udpPort: to.udpPort },
      packet: encodePacket(header, [chunk]),
    });
  }

  randomNumber(): number {
    return readU32(this.random(4), 0);
  }

  randomTag(): number {
    //= rfc9260#5.3.1/tag
    return this.randomNumber() || 1;
  }

  wantsTransmission(association: Association): void {
    this.#unsent.add(association);
  }
}
