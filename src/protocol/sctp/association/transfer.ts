/** DATA and SACK as they arrive, and the timers that go with them (RFC 9260 §6.2, §6.3). */

import { invalidStreamIdentifier, noUserData, outOfResource, protocolViolation } from "../causes.ts";
import { encodeError } from "../chunks/abort.ts";
import { type DataChunk, DataFlag } from "../chunks/data.ts";
import type { SackChunk } from "../chunks/sack.ts";
import type { AckOutcome } from "../tx/outstanding.ts";
import type { Association } from "./association.ts";
import { sendHeartbeat } from "./heartbeat.ts";
import { transferOf } from "./state.ts";

/** A SACK goes with every second packet at the latest (§6.2). */
const PACKETS_PER_SACK = 2;

/** DATA. Whether it is acknowledged at once is settled by {@link afterDataPacket}, once for the packet. */
export function handleData(association: Association, data: DataChunk): void {
  const { host, state } = association;
  //= rfc9260#6/data-states
  if (state.name !== "ESTABLISHED" && state.name !== "SHUTDOWN-PENDING" && state.name !== "SHUTDOWN-SENT") {
    host.count("unexpected-chunk");
    return;
  }
  if (data.userData.length === 0) {
    //= rfc9260#6.2/no-user-data
    association.abort("protocol-violation", noUserData(data.tsn));
    return;
  }
  const { receiver } = state.transfer;
  const hadGaps = receiver.hasGaps;
  const received = receiver.receive(data);
  if (received === "violation") {
    association.abort("protocol-violation", protocolViolation("fragments out of order"));
    return;
  }
  if (received === "too-long") {
    association.abort("message-too-long", outOfResource());
    return;
  }
  if (received === "bad-stream") association.answer(encodeError([invalidStreamIdentifier(data.streamId)]));
  if (received === "duplicate") host.count("duplicate-data");
  else if (received !== "kept") host.count(received);
  //= rfc9260#5.1/first-data
  //= rfc9260#6.2/immediate
  //= rfc9260#6.2/duplicate-at-once
  const atOnce =
    !association.hasReceivedData ||
    received === "duplicate" ||
    received === "no-room" ||
    hadGaps ||
    receiver.hasGaps ||
    (data.flags & DataFlag.Immediate) !== 0;
  association.hasReceivedData = true;
  if (atOnce) association.sackDebt = "now";
  else if (association.sackDebt === "none") association.sackDebt = "delayed";
}

/** A packet with DATA has been taken whole. */
export function afterDataPacket(association: Association, nowMs: number): void {
  if (association.sackDebt === "none") return;
  if (association.state.name === "SHUTDOWN-SENT") {
    //= rfc9260#9.2/data-in-shutdown-sent
    association.sackDebt = "now";
    association.shutdownDue = true;
  }
  association.packetsUnacknowledged++;
  //= rfc9260#6.2/every-second-packet
  if (association.packetsUnacknowledged >= PACKETS_PER_SACK) association.sackDebt = "now";
  //= rfc9260#6.2/delay
  else if (!association.timers.isRunning("sack")) {
    association.timers.start("sack", nowMs + association.host.timing.sackDelayMs);
  }
}

/** A SACK was held back for long enough. */
export function onSackTimer(association: Association): void {
  if (association.sackDebt === "delayed") association.sackDebt = "now";
}

/** SACK. */
export function handleSack(association: Association, sack: SackChunk, nowMs: number): void {
  const { host, state } = association;
  //= rfc9260#6/sack-states
  if (state.name !== "ESTABLISHED" && state.name !== "SHUTDOWN-PENDING" && state.name !== "SHUTDOWN-RECEIVED") {
    host.count("unexpected-chunk");
    return;
  }
  const { sender } = state.transfer;
  const wasProbing = sender.isProbing;
  const outcome = sender.acknowledge(sack, nowMs);
  //= rfc9260#6.1/probe-no-error
  if (wasProbing && outcome.kind === "taken") association.clearErrors();
  afterAcknowledgement(association, outcome, nowMs);
}

/** What follows from a SACK, or from the acknowledgement within a SHUTDOWN. */
export function afterAcknowledgement(association: Association, outcome: AckOutcome, nowMs: number): void {
  const transfer = transferOf(association.state);
  if (transfer === undefined || outcome.kind === "old") return;
  if (outcome.kind === "beyond") {
    //= rfc9260#12.4/unsent-tsn
    association.abort("protocol-violation", protocolViolation("acknowledgement of a TSN that was never sent"));
    return;
  }
  const { cumulativeAdvance, ackedBytes } = outcome.acknowledged;
  if (ackedBytes > 0) association.clearErrors();
  const { timers, rto, host } = association;
  //= rfc9260#6.3.2/stop
  //= rfc9260#6.3.2/reneged
  // What only a gap ack block covers is still outstanding, so T3-rtx never has to start because it was taken back.
  if (!transfer.sender.hasOutstanding && !transfer.sender.awaitsWindow) timers.stop("t3-rtx");
  //= rfc9260#6.3.2/restart
  else if (cumulativeAdvance > 0) timers.start("t3-rtx", nowMs + rto.currentMs);
  if (association.owesWritable && transfer.sender.bufferedBytes <= host.limits.sendBufferBytes / 2) {
    association.owesWritable = false;
    const isOpen = association.state.name === "ESTABLISHED";
    if (isOpen) host.emit({ kind: "writable", association: association.id });
  }
}

/** T3-rtx expired: all that was on its way is lost, and goes again (§6.3.3); or it is time to ask for the peer's window. */
export function onT3(association: Association, nowMs: number): void {
  const transfer = transferOf(association.state);
  if (transfer === undefined) return;
  if (transfer.sender.awaitsWindow) {
    transfer.sender.probe();
    return;
  }
  //= rfc9260#6.3.3/t3
  if (!association.countError()) return;
  transfer.sender.timedOut();
  // The acknowledgement of DATA that went twice measures nothing (Karn), so the RTO would stay doubled until new DATA got
  // through. The answer to a heartbeat says which question it answers, and brings the RTO down at once; RFC 9260 §6.3.3
  // names this way.
  sendHeartbeat(association, nowMs);
}
