/** Setting up an association from the side that sends the INIT (RFC 9260 §5.1). */

import {
  invalidMandatoryParameter,
  missingMandatoryParameter,
  unrecognizedParameters,
  unresolvableAddress,
} from "../causes.ts";
import { encodeAbort, encodeError } from "../chunks/abort.ts";
import { encodeCookieEcho } from "../chunks/cookie-echo.ts";
import { encodeInit, type InitChunk, type InitFields, isAcceptable } from "../chunks/init.ts";
import { ChunkType, DATA_CHUNK_BYTES_MAX, ParameterType, STREAMS } from "../constants.ts";
import { Receiver } from "../rx/receiver.ts";
import type { Tsn } from "../serial.ts";
import { joinTlvs } from "../tlv.ts";
import { Sender } from "../tx/sender.ts";
import type { Association, Host } from "./association.ts";
import { startHeartbeats } from "./heartbeat.ts";
import type { Transfer } from "./state.ts";

/** The fixed fields of every INIT and INIT ACK of ours. */
export function initFields(host: Host, initiateTag: number, initialTsn: Tsn): InitFields {
  return {
    initiateTag,
    aRwnd: host.limits.receiveWindowBytes,
    //= rfc9260#5.1.1/streams
    outboundStreams: STREAMS,
    inboundStreams: STREAMS,
    initialTsn,
  };
}

/** Both halves of the transfer of `association`, from the peer's numbers. */
export function newTransfer(association: Association, peerInitialTsn: Tsn, peerRwnd: number): Transfer {
  return {
    sender: new Sender(association.localInitialTsn, peerRwnd, association.rto),
    receiver: new Receiver(peerInitialTsn, association.host.limits),
  };
}

/**
 * The time until the transmission after the `transmissions`-th. T1 has its own doubling, apart from the RTO of the
 * association: a handshake that lost packets does not slow down the transfer that follows.
 */
function t1DelayMs({ timing }: Host, transmissions: number): number {
  //= rfc9260#5.1/t1-back-off
  return Math.min(timing.rtoInitialMs * 2 ** (transmissions - 1), timing.rtoMaxMs);
}

/** Sends the INIT, for the first time or again. */
export function sendInit(association: Association, transmissions: number, nowMs: number): void {
  const { host, localTag, localInitialTsn } = association;
  association.state = { name: "COOKIE-WAIT", transmissions };
  //= rfc9260#8.5.1/init-tag-zero
  //= rfc6951#5.7/no-addresses
  association.sendPacket([encodeInit(ChunkType.Init, initFields(host, localTag, localInitialTsn), [])], 0);
  association.timers.start("t1-init", nowMs + t1DelayMs(host, transmissions));
}

/** T1-init expired. */
export function onT1Init(association: Association, nowMs: number): void {
  if (association.state.name !== "COOKIE-WAIT") return;
  const { transmissions } = association.state;
  //= rfc9260#4/max-init
  if (transmissions > association.host.timing.maxInitRetransmits) {
    association.close("unreachable", "the INIT was not answered");
    return;
  }
  //= rfc9260#4/t1-again
  sendInit(association, transmissions + 1, nowMs);
}

/** INIT ACK: C) of §5.1. In any state but COOKIE-WAIT it is thrown away (§5.2.3). */
export function handleInitAck(association: Association, initAck: InitChunk, nowMs: number): void {
  if (association.state.name !== "COOKIE-WAIT") {
    //= rfc9260#5.2.3/unexpected-init-ack
    association.host.count("unexpected-chunk");
    return;
  }
  //= rfc9260#3.3.3/zero-tag
  if (initAck.initiateTag === 0) {
    association.host.count("bad-init");
    association.sendPacket([encodeAbort(true, [invalidMandatoryParameter()])], association.localTag);
    association.close("protocol-violation", "INIT ACK with an initiate tag of 0");
    return;
  }
  const { stateCookie, unrecognized } = initAck.parameters;
  //= rfc9260#3.3.3/bad-numbers
  const fault = faultOf(initAck);
  if (fault !== undefined || stateCookie === undefined) {
    association.host.count("bad-init");
    //= rfc9260#5.1/missing-cookie
    const cause = fault ?? missingMandatoryParameter([ParameterType.StateCookie]);
    association.sendPacket([encodeAbort(false, [cause])], initAck.initiateTag);
    association.close("protocol-violation", "INIT ACK that cannot be");
    return;
  }
  association.peerTag = initAck.initiateTag;
  association.timers.stop("t1-init");
  const transfer = newTransfer(association, initAck.initialTsn, initAck.aRwnd);
  const cookie = stateCookie.slice();
  //= rfc9260#5.1/cookie-echo
  const echo = encodeCookieEcho(cookie);
  association.control.push(echo);
  if (unrecognized.length > 0) {
    const report = encodeError([unrecognizedParameters(joinTlvs(unrecognized))]);
    //= rfc9260#3.2.2/report-init-ack
    //= rfc9260#5.1/nothing-before-cookie-ack
    if (echo.length + report.length <= DATA_CHUNK_BYTES_MAX) association.control.push(report);
  }
  awaitCookieAck(association, cookie, transfer, 1, nowMs);
}

/** The cause for an INIT ACK that cannot be, a missing cookie apart. */
function faultOf(initAck: InitChunk): Uint8Array | undefined {
  if (!isAcceptable(initAck)) return invalidMandatoryParameter();
  const { hostName } = initAck.parameters;
  return hostName === undefined ? undefined : unresolvableAddress(hostName);
}

function awaitCookieAck(
  association: Association,
  cookie: Uint8Array,
  transfer: Transfer,
  transmissions: number,
  nowMs: number,
): void {
  association.state = { name: "COOKIE-ECHOED", transmissions, sentAtMs: nowMs, cookie, transfer };
  association.timers.start("t1-cookie", nowMs + t1DelayMs(association.host, transmissions));
}

/** T1-cookie expired. */
export function onT1Cookie(association: Association, nowMs: number): void {
  if (association.state.name !== "COOKIE-ECHOED") return;
  const { transmissions, cookie, transfer } = association.state;
  if (transmissions > association.host.timing.maxInitRetransmits) {
    association.close("unreachable", "the COOKIE ECHO was not answered");
    return;
  }
  //= rfc9260#4/t1-again
  //= rfc9260#3.2.2/cookie-echo-first
  association.control.unshift(encodeCookieEcho(cookie));
  awaitCookieAck(association, cookie, transfer, transmissions + 1, nowMs);
}

/** COOKIE ACK: E) of §5.1. In any state but COOKIE-ECHOED it is thrown away (§5.2.5). */
export function handleCookieAck(association: Association, nowMs: number): void {
  if (association.state.name !== "COOKIE-ECHOED") {
    //= rfc9260#5.2.5/duplicate-cookie-ack
    association.host.count("unexpected-chunk");
    return;
  }
  const { transmissions, sentAtMs, transfer } = association.state;
  if (transmissions === 1) association.rto.measured(nowMs - sentAtMs);
  establish(association, transfer, nowMs);
}

/** The peer found our cookie too old: begins again with a new INIT (§5.2.6, first alternative). */
export function handleStaleCookie(association: Association, nowMs: number): void {
  if (association.state.name !== "COOKIE-ECHOED") return;
  //= rfc9260#5.2.6/stale
  const { transmissions } = association.state;
  association.timers.stop("t1-cookie");
  association.peerTag = 0;
  association.state = { name: "COOKIE-WAIT", transmissions };
  onT1Init(association, nowMs);
}

/** Enters ESTABLISHED, and says so. */
export function establish(association: Association, transfer: Transfer, nowMs: number): void {
  const { host, id, role, path, localPort, remotePort, timers } = association;
  timers.stop("t1-init");
  timers.stop("t1-cookie");
  association.control = [];
  association.state = { name: "ESTABLISHED", transfer };
  association.clearErrors();
  startHeartbeats(association, nowMs);
  host.countOpened();
  host.emit({ kind: "connected", association: id, role, peer: path, localPort, remotePort });
}
