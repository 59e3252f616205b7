/**
 * Where peers come in: INIT and COOKIE ECHO (RFC 9260 §5.1, §5.2). Nothing is remembered of an INIT. What it said comes
 * back in the cookie, from a peer that has then shown that it gets packets at its address.
 */

import type { EndpointOptions, Oddity, Path, SctpLimits, SctpTiming } from "../api.ts";
import {
  cookieReceivedWhileShuttingDown,
  invalidMandatoryParameter,
  outOfResource,
  restartWithNewEncapsulationPort,
  staleCookie,
  unresolvableAddress,
} from "../causes.ts";
import { encodeAbort, encodeError } from "../chunks/abort.ts";
import { encodeCookieAck, encodeShutdownAck } from "../chunks/bare.ts";
import { decodeInit, encodeInit, type InitChunk, isAcceptable } from "../chunks/init.ts";
import { ChunkType } from "../constants.ts";
import type { Packet } from "../packet.ts";
import { stateCookieParameter, unrecognizedParameter } from "../parameters.ts";
import type { Tsn } from "../serial.ts";
import type { RawChunk } from "../tlv.ts";
import type { Association, Host, Identity } from "./association.ts";
import { establish, initFields, newTransfer } from "./connect.ts";
import type { CookieFields, CookieJar } from "./cookie.ts";
import type { Answerer } from "./out-of-the-blue.ts";
import type { Registry } from "./registry.ts";
import { meaningOf } from "./restart.ts";
import type { SpentCookies } from "./spent-cookies.ts";

/** What the front desk asks of the endpoint. */
export interface Desk extends Answerer, Host {
  readonly acceptPort: number | undefined;
  readonly limits: SctpLimits;
  readonly timing: SctpTiming;
  readonly random: EndpointOptions["random"];
  readonly cookies: CookieJar;
  readonly registry: Registry;
  readonly spent: SpentCookies;
  randomNumber(): number;
  /** Random, and not 0. */
  randomTag(): number;
  /** Makes an association, and puts it into the registry. */
  open(identity: Omit<Identity, "id" | "localTieTag" | "peerTieTag">): Association;
  /** The association may have something to send. */
  wantsTransmission(association: Association): void;
}

/** Our numbers in an INIT ACK, and the tie-tags in its cookie. */
type OwnNumbers = Pick<CookieFields, "localTag" | "localInitialTsn" | "localTieTag" | "peerTieTag">;

/** Answers an INIT, which is alone in its packet, with one packet at most. */
export function answerInit(
  desk: Desk,
  packet: Packet,
  chunk: RawChunk,
  from: Path,
  association: Association | undefined,
  nowMs: number,
): void {
  const judgement = judgeInit(desk, packet, chunk, from, association);
  if (judgement.kind === "ignore") desk.count(judgement.oddity);
  else if (judgement.kind === "refuse") {
    desk.count(judgement.oddity);
    // Whatever the fault: the answer goes back with the peer's tag, and changes nothing here.
    desk.reply(from, packet, judgement.initiateTag, encodeAbort(false, judgement.causes));
  } else if (association?.state.name === "SHUTDOWN-ACK-SENT") {
    //= rfc9260#9.2/init-in-shutdown-ack-sent
    association.control.push(encodeShutdownAck());
    desk.wantsTransmission(association);
  } else {
    //= rfc9260#5.1/no-state
    const own = association === undefined ? strangerNumbers(desk) : numbersFor(desk, association);
    sendInitAck(desk, packet, judgement.init, from, own, nowMs);
  }
}

type Judgement =
  | { readonly kind: "ignore"; readonly oddity: Oddity }
  | {
      readonly kind: "refuse";
      readonly oddity: Oddity;
      readonly initiateTag: number;
      readonly causes: readonly Uint8Array[];
    }
  | { readonly kind: "accept"; readonly init: InitChunk };

/** Whether an INIT is to be answered with INIT ACK, with ABORT, or not at all. */
function judgeInit(
  desk: Desk,
  packet: Packet,
  chunk: RawChunk,
  from: Path,
  association: Association | undefined,
): Judgement {
  //= rfc9260#12.3/init-tag
  if (packet.verificationTag !== 0) return { kind: "ignore", oddity: "wrong-tag" };
  const decoded = decodeInit(chunk);
  if (decoded.kind === "invalid") return { kind: "ignore", oddity: "malformed-chunk" };
  const init = decoded.value;
  const { initiateTag } = init;
  //= rfc9260#3.3.2/zero-tag
  if (initiateTag === 0) return { kind: "ignore", oddity: "bad-init" };
  const refuse = (oddity: Oddity, ...causes: Uint8Array[]): Judgement => ({
    kind: "refuse",
    oddity,
    initiateTag,
    causes,
  });
  if (!isAcceptable(init)) return refuse("bad-init", invalidMandatoryParameter());
  //= rfc9260#3.3.2.1.4/host-name
  const { hostName } = init.parameters;
  if (hostName !== undefined) return refuse("bad-init", unresolvableAddress(hostName));
  if (association !== undefined) {
    const oldPort = association.path.udpPort;
    // As draft-tuexen-tsvwg-sctp-udp-encaps-cons §4.4 has it: nobody takes over from another UDP port.
    if (oldPort !== from.udpPort) {
      return refuse("new-udp-port", restartWithNewEncapsulationPort(oldPort, from.udpPort));
    }
    return { kind: "accept", init };
  }
  //= rfc9260#8.4/init
  if (packet.destinationPort !== desk.acceptPort) return refuse("out-of-the-blue");
  //= rfc9260#5.1/no-resources
  if (!desk.registry.hasRoomFor(from.address)) return refuse("refused-limit", outOfResource());
  return { kind: "accept", init };
}

/** What to answer to an INIT of a peer that we do not know. */
function strangerNumbers(desk: Desk): OwnNumbers {
  return { ...freshNumbers(desk), localTieTag: 0, peerTieTag: 0 };
}

function freshNumbers(desk: Desk): Pick<OwnNumbers, "localTag" | "localInitialTsn"> {
  return { localTag: desk.randomTag(), localInitialTsn: desk.randomNumber() as Tsn };
}

/** What to answer to an INIT where there is an association. Its state does not change. */
function numbersFor(desk: Desk, association: Association): OwnNumbers {
  const { localTag, localInitialTsn, localTieTag, peerTieTag } = association;
  //= rfc9260#5.2.1/same-numbers
  if (association.state.name === "COOKIE-WAIT") return { localTag, localInitialTsn, localTieTag: 0, peerTieTag: 0 };
  //= rfc9260#5.2.1/tie-tags
  if (association.state.name === "COOKIE-ECHOED") return { localTag, localInitialTsn, localTieTag, peerTieTag };
  //= rfc9260#5.2.2/new-tag
  return { ...freshNumbers(desk), localTieTag, peerTieTag };
}

function sendInitAck(desk: Desk, packet: Packet, init: InitChunk, from: Path, own: OwnNumbers, nowMs: number): void {
  const fields = { ...own, peerTag: init.initiateTag, peerInitialTsn: init.initialTsn, peerRwnd: init.aRwnd };
  const binding = { path: from, localPort: packet.destinationPort, remotePort: packet.sourcePort };
  const parameters = [
    stateCookieParameter(desk.cookies.seal(fields, binding, nowMs)),
    //= rfc9260#3.2.2/report-init
    ...init.parameters.unrecognized.map(unrecognizedParameter),
  ];
  const initAck = encodeInit(ChunkType.InitAck, initFields(desk, own.localTag, own.localInitialTsn), parameters);
  //= rfc9260#5.1/init-ack-tag
  desk.reply(from, packet, init.initiateTag, initAck);
}

/**
 * Answers a COOKIE ECHO. The chunks that follow it in its packet are for the association that is returned, if one is.
 */
export function answerCookieEcho(
  desk: Desk,
  packet: Packet,
  chunk: RawChunk,
  from: Path,
  association: Association | undefined,
  nowMs: number,
): Association | undefined {
  const binding = { path: from, localPort: packet.destinationPort, remotePort: packet.sourcePort };
  const opened = desk.cookies.open(chunk.value, binding, nowMs);
  if (opened.kind === "forged") {
    desk.count("forged-cookie");
    return undefined;
  }
  const cookie = opened.fields;
  if (packet.verificationTag !== cookie.localTag) {
    //= rfc9260#5.1.5/tag
    desk.count("wrong-tag");
    return undefined;
  }
  const meaning = association === undefined ? "new" : meaningOf(cookie, association);
  //= rfc9260#5.1.5/stale
  //= rfc9260#5.2.4/stale-but-matching
  if (opened.ageMs > desk.timing.cookieLifeMs && meaning !== "matching") {
    desk.count("stale-cookie");
    const stalenessMicros = (opened.ageMs - desk.timing.cookieLifeMs) * 1_000;
    desk.reply(from, packet, cookie.peerTag, encodeError([staleCookie(stalenessMicros)]));
    return undefined;
  }
  if (association === undefined) return acceptNew(desk, packet, cookie, from, nowMs);
  switch (meaning) {
    case "matching":
      return acceptMatching(desk, association, nowMs);
    case "simultaneous":
    case "restart":
      return acceptOver(desk, packet, cookie, from, association, meaning, nowMs);
    default:
      desk.count("unmatched-cookie");
      return undefined;
  }
}

/** A peer comes in: D) of §5.1. */
function acceptNew(
  desk: Desk,
  packet: Packet,
  cookie: CookieFields,
  from: Path,
  nowMs: number,
): Association | undefined {
  if (packet.destinationPort !== desk.acceptPort || desk.spent.has(cookie.localTag)) {
    desk.count("unmatched-cookie");
    desk.reply(from, packet, packet.verificationTag, encodeAbort(true, []));
    return undefined;
  }
  if (!desk.registry.hasRoomFor(from.address)) {
    desk.count("refused-limit");
    desk.reply(from, packet, cookie.peerTag, encodeAbort(false, [outOfResource()]));
    return undefined;
  }
  return establishFrom(desk, packet, cookie, from, nowMs);
}

/** Makes the association that a cookie describes. */
function establishFrom(desk: Desk, packet: Packet, cookie: CookieFields, from: Path, nowMs: number): Association {
  //= rfc9260#5.1.2/source-address
  const association = desk.open({
    role: "server",
    path: { address: from.address, udpPort: from.udpPort },
    localPort: packet.destinationPort,
    remotePort: packet.sourcePort,
    localTag: cookie.localTag,
    peerTag: cookie.peerTag,
    localInitialTsn: cookie.localInitialTsn,
  });
  acknowledgeCookie(desk, association, cookie, nowMs);
  return association;
}

/** Enters ESTABLISHED with the numbers of the cookie. */
function acknowledgeCookie(desk: Desk, association: Association, cookie: CookieFields, nowMs: number): void {
  establish(association, newTransfer(association, cookie.peerInitialTsn, cookie.peerRwnd), nowMs);
  //= rfc9260#5.1/cookie-ack
  association.control.push(encodeCookieAck());
  desk.wantsTransmission(association);
}

/** Action (D): the cookie of the association itself. */
function acceptMatching(desk: Desk, association: Association, nowMs: number): Association {
  if (association.state.name === "COOKIE-ECHOED") establish(association, association.state.transfer, nowMs);
  //= rfc9260#5.1.5/cookie-ack-first
  association.control.unshift(encodeCookieAck());
  desk.wantsTransmission(association);
  return association;
}

/** Actions (A) and (B): the cookie speaks of another peer than the association knows. */
function acceptOver(
  desk: Desk,
  packet: Packet,
  cookie: CookieFields,
  from: Path,
  association: Association,
  meaning: "restart" | "simultaneous",
  nowMs: number,
): Association | undefined {
  const { name } = association.state;
  if (name === "SHUTDOWN-ACK-SENT") {
    //= rfc9260#5.2.4/restart-while-shutting-down
    association.control.push(encodeShutdownAck(), encodeError([cookieReceivedWhileShuttingDown()]));
    desk.wantsTransmission(association);
    return undefined;
  }
  if (meaning === "simultaneous" && (name === "COOKIE-WAIT" || name === "COOKIE-ECHOED")) {
    association.peerTag = cookie.peerTag;
    acknowledgeCookie(desk, association, cookie, nowMs);
    return association;
  }
  // The peer began anew. Whoever used the old association learns that it is gone, and gets a new one: what the peer had
  // proved before, a password for one, it has to prove again.
  association.close("peer-restarted", "the peer began anew");
  return establishFrom(desk, packet, cookie, from, nowMs);
}
