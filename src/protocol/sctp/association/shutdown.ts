/** The graceful end, from either side and from both at once (RFC 9260 §9.2). */

import { userInitiatedAbort } from "../causes.ts";
import { encodeShutdownAck, encodeShutdownComplete } from "../chunks/bare.ts";
import type { ShutdownChunk } from "../chunks/shutdown.ts";
import type { Association } from "./association.ts";
import { stopHeartbeats } from "./heartbeat.ts";
import type { OpenState } from "./state.ts";
import { afterAcknowledgement } from "./transfer.ts";

/** Whoever uses us wants to end. Harmless when the end has begun. */
export function requestShutdown(association: Association, nowMs: number): void {
  const { state } = association;
  //= rfc9260#9.2/request-ignored
  if (state.name !== "ESTABLISHED") return;
  association.state = { name: "SHUTDOWN-PENDING", transfer: state.transfer };
  guard(association, nowMs);
}

/** Bounds the whole of the shutdown, the draining too: a peer that never opens its window cannot hold us. */
function guard(association: Association, nowMs: number): void {
  //= rfc9260#9.2/guard
  association.timers.start("t5-guard", nowMs + association.host.timing.shutdownGuardMs);
}

/** Takes the next step when all that was accepted for sending has been acknowledged. */
export function progressShutdown(association: Association, nowMs: number): void {
  const { state } = association;
  if (state.name !== "SHUTDOWN-PENDING" && state.name !== "SHUTDOWN-RECEIVED") return;
  //= rfc9260#9.2/drain-first
  if (!state.transfer.sender.isDrained) return;
  stopHeartbeats(association);
  association.timers.stop("t3-rtx");
  if (state.name === "SHUTDOWN-PENDING") {
    association.state = { name: "SHUTDOWN-SENT", transfer: state.transfer };
    association.shutdownDue = true;
  } else enterShutdownAckSent(association, state);
  startT2(association, nowMs);
}

function enterShutdownAckSent(association: Association, { transfer }: OpenState): void {
  association.state = { name: "SHUTDOWN-ACK-SENT", transfer };
  association.shutdownDue = false;
  association.sackDebt = "none";
  association.control.push(encodeShutdownAck());
}

/** Starts T2-shutdown, or starts it again. */
function startT2(association: Association, nowMs: number): void {
  association.timers.start("t2-shutdown", nowMs + association.rto.currentMs);
}

/** A packet of the peer's has been taken: it is still there, and may need more time for what it has to send. */
export function noteSignOfLife(association: Association, nowMs: number): void {
  if (association.state.name !== "SHUTDOWN-SENT") return;
  //= rfc9260#9.2/any-packet
  association.clearErrors();
  startT2(association, nowMs);
}

/** T2-shutdown expired: says it again. */
export function onT2(association: Association, nowMs: number): void {
  //= rfc9260#9.2/t2
  if (!association.countError()) return;
  association.rto.backOff();
  if (association.state.name === "SHUTDOWN-SENT") association.shutdownDue = true;
  else association.control.push(encodeShutdownAck());
  startT2(association, nowMs);
}

/** T5-shutdown-guard expired. */
export function onT5(association: Association): void {
  association.abort("unreachable", userInitiatedAbort(), "the shutdown took too long");
}

/** SHUTDOWN. */
export function handleShutdown(association: Association, { cumulativeTsnAck }: ShutdownChunk, nowMs: number): void {
  const { state } = association;
  switch (state.name) {
    case "ESTABLISHED":
    case "SHUTDOWN-PENDING":
    case "SHUTDOWN-RECEIVED":
      //= rfc9260#9.2/shutdown-acks
      afterAcknowledgement(association, state.transfer.sender.acknowledgeCumulative(cumulativeTsnAck, nowMs), nowMs);
      if (association.state.name === "CLOSED" || state.name === "SHUTDOWN-RECEIVED") return;
      //= rfc9260#9.2/shutdown-received
      association.state = { name: "SHUTDOWN-RECEIVED", transfer: state.transfer };
      guard(association, nowMs);
      association.deliver();
      association.host.emit({ kind: "peer-shutdown", association: association.id });
      return;
    case "SHUTDOWN-SENT":
      //= rfc9260#9.2/collision
      enterShutdownAckSent(association, state);
      startT2(association, nowMs);
      return;
    case "SHUTDOWN-ACK-SENT":
      association.control.push(encodeShutdownAck());
      return;
    default:
      //= rfc9260#9.2/shutdown-while-connecting
      association.host.count("unexpected-chunk");
  }
}

/** SHUTDOWN ACK with the right tag. */
export function handleShutdownAck(association: Association): void {
  const { name } = association.state;
  if (name !== "SHUTDOWN-SENT" && name !== "SHUTDOWN-ACK-SENT") {
    association.host.count("unexpected-chunk");
    return;
  }
  //= rfc9260#9.2/complete
  association.sendPacket([encodeShutdownComplete(false)]);
  association.close("shutdown", "closed by both sides");
}

/** SHUTDOWN COMPLETE with a tag that §8.5.1 allows. */
export function handleShutdownComplete(association: Association): void {
  //= rfc9260#8.5.1/shutdown-complete-state
  if (association.state.name !== "SHUTDOWN-ACK-SENT") {
    association.host.count("unexpected-chunk");
    return;
  }
  association.close("shutdown", "closed by both sides");
}
