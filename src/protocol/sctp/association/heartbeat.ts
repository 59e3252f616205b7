/** Asking an idle peer whether it is there (RFC 9260 §8.3). */

import { readU32 } from "../../../bytes/read.ts";
import { encodeHeartbeat, encodeHeartbeatAck, type HeartbeatChunk } from "../chunks/heartbeat.ts";
import type { Association } from "./association.ts";
import { transferOf } from "./state.ts";

/** Bytes that nobody can guess, so that an acknowledgement proves that the peer got the heartbeat. */
const INFO_BYTES = 8;

/** Arms the first heartbeat. */
export function startHeartbeats(association: Association, nowMs: number): void {
  //= rfc9260#8.3/interval
  const { timing } = association.host;
  const fraction = readU32(association.host.random(4), 0) / 0x1_0000_0000;
  const delayMs = timing.heartbeatIntervalMs + association.rto.currentMs * (0.5 + fraction);
  association.timers.start("heartbeat", nowMs + delayMs);
}

/** Ends the asking: from here T2-shutdown watches the peer. */
export function stopHeartbeats(association: Association): void {
  association.timers.stop("heartbeat");
  association.timers.stop("heartbeat-answer");
  association.heartbeat = undefined;
}

/** Time to ask. While DATA is outstanding, T3-rtx watches the peer. */
export function onHeartbeat(association: Association, nowMs: number): void {
  startHeartbeats(association, nowMs);
  if (transferOf(association.state)?.sender.hasOutstanding === true) return;
  sendHeartbeat(association, nowMs);
  association.timers.start("heartbeat-answer", nowMs + association.rto.currentMs);
}

/** Sends a heartbeat with the next packet. Only the answer to the latest one counts. */
export function sendHeartbeat(association: Association, nowMs: number): void {
  const info = association.host.random(INFO_BYTES);
  association.heartbeat = { info, sentAtMs: nowMs };
  association.control.push(encodeHeartbeat(info));
}

/** Nobody answered. */
export function onHeartbeatAnswer(association: Association): void {
  association.heartbeat = undefined;
  //= rfc9260#8.3/unanswered
  association.rto.backOff();
  association.countError();
}

/** The peer asks. */
export function handleHeartbeat(association: Association, heartbeat: HeartbeatChunk): void {
  if (transferOf(association.state) === undefined) {
    association.host.count("unexpected-chunk");
    return;
  }
  association.answer(encodeHeartbeatAck(heartbeat));
}

/** The peer answers. Anything but the echo of the last question is thrown away. */
export function handleHeartbeatAck(association: Association, { info }: HeartbeatChunk, nowMs: number): void {
  const asked = association.heartbeat;
  if (asked === undefined || info.length !== asked.info.length || !asked.info.every((byte, at) => byte === info[at])) {
    association.host.count("unexpected-chunk");
    return;
  }
  association.heartbeat = undefined;
  association.timers.stop("heartbeat-answer");
  //= rfc9260#8.3/answered
  association.rto.measured(nowMs - asked.sentAtMs);
  association.clearErrors();
}
