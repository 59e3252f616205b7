/** Fills packets with what is to be sent: control chunks first, then a SACK, then DATA (RFC 9260 §6.10). */

import { DATA_HEADER_BYTES } from "../chunks/data.ts";
import { encodeSack } from "../chunks/sack.ts";
import { encodeShutdown } from "../chunks/shutdown.ts";
import { TLV_HEADER_BYTES } from "../constants.ts";
import { Bundle } from "../packet.ts";
import type { Sender } from "../tx/sender.ts";
import type { Association } from "./association.ts";
import { progressShutdown } from "./shutdown.ts";
import { type Transfer, transferOf } from "./state.ts";

/** A SACK without gaps and duplicates. */
const SACK_BYTES_MIN: number = TLV_HEADER_BYTES + 12;
/** A gap ack block or a duplicate. */
const SACK_ENTRY_BYTES = 4;

/** Sends whatever may be sent now. */
export function transmit(association: Association, nowMs: number): void {
  progressShutdown(association, nowMs);
  const transfer = transferOf(association.state);
  // In COOKIE-ECHOED nothing but control chunks goes: the peer might not have us yet.
  if (transfer === undefined || association.state.name === "COOKIE-ECHOED") {
    sendControl(association);
    return;
  }
  const allowance = transfer.sender.allowance(nowMs);
  for (;;) {
    const bundle = new Bundle();
    addControl(association, bundle);
    if (association.shutdownDue && bundle.add(encodeShutdown(transfer.receiver.cumulativeTsn))) {
      association.shutdownDue = false;
    }
    if (association.sackDebt === "now") addSack(association, transfer, bundle);
    addData(association, transfer, bundle, allowance, nowMs);
    if (bundle.chunks.length === 0) return;
    association.sendPacket(bundle.chunks);
  }
}

function sendControl(association: Association): void {
  while (association.control.length > 0) {
    const bundle = new Bundle();
    addControl(association, bundle);
    association.sendPacket(bundle.chunks);
  }
}

function addControl(association: Association, bundle: Bundle): void {
  //= rfc9260#6.10/control-first
  const { control } = association;
  let count = 0;
  for (const chunk of control) {
    if (!bundle.add(chunk)) break;
    count++;
  }
  control.splice(0, count);
}

function addSack(association: Association, { receiver }: Transfer, bundle: Bundle): void {
  const room = bundle.room - SACK_BYTES_MIN;
  if (room < 0) return;
  //= rfc9260#6.2/one-sack
  const sack = receiver.sack(Math.floor(room / SACK_ENTRY_BYTES));
  bundle.add(encodeSack(sack));
  association.sackDebt = "none";
  association.packetsUnacknowledged = 0;
  association.advertisedWindow = sack.aRwnd;
  association.timers.stop("sack");
}

function addData(association: Association, transfer: Transfer, bundle: Bundle, allowance: number, nowMs: number): void {
  const { name } = association.state;
  //= rfc9260#6/send-states
  if (name !== "ESTABLISHED" && name !== "SHUTDOWN-PENDING" && name !== "SHUTDOWN-RECEIVED") return;
  const { sender } = transfer;
  //= rfc9260#6.1/sack-rides
  // A SACK that is held back rides along where there is room for both.
  const rides = association.sackDebt === "delayed";
  let data = rides ? takeData(association, sender, bundle.room - SACK_BYTES_MIN, allowance, nowMs) : [];
  if (data.length > 0) addSack(association, transfer, bundle);
  else data = takeData(association, sender, bundle.room, allowance, nowMs);
  for (const chunk of data) bundle.add(chunk);
  const { rto, timers } = association;
  if (data.length > 0) sender.packetSent();
  //= rfc9260#6.1/probe-after-rto
  else if (sender.awaitsWindow && !timers.isRunning("t3-rtx")) timers.start("t3-rtx", nowMs + rto.currentMs);
}

function takeData(
  association: Association,
  sender: Sender,
  roomBytes: number,
  allowance: number,
  nowMs: number,
): Uint8Array[] {
  const { host, rto, state, timers } = association;
  const isLast = state.name !== "ESTABLISHED";
  const data: Uint8Array[] = [];
  let room = roomBytes;
  while (room > DATA_HEADER_BYTES) {
    const outgoing = sender.take(room, allowance, isLast, nowMs);
    if (outgoing === undefined) break;
    if (outgoing.retransmitted) host.countRetransmitted();
    //= rfc9260#6.3.2/start
    //= rfc9260#6.1/t3-start
    const starts = !timers.isRunning("t3-rtx") || (outgoing.retransmitted && outgoing.lowest);
    if (starts) timers.start("t3-rtx", nowMs + rto.currentMs);
    data.push(outgoing.chunk);
    room -= outgoing.chunk.length;
  }
  return data;
}
