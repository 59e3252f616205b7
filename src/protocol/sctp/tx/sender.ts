/**
 * The sending half of an association: which DATA chunk may go now, given the peer's window, the congestion window and what
 * was lost (RFC 9260 §6.1).
 */

import { DATA_HEADER_BYTES } from "../chunks/data.ts";
import type { SackChunk } from "../chunks/sack.ts";
import { MESSAGE_OVERHEAD_BYTES } from "../constants.ts";
import type { Tsn } from "../serial.ts";
import { padded } from "../tlv.ts";
import { Congestion } from "./congestion.ts";
import { type Acknowledged, type Acknowledgement, type AckOutcome, Outstanding } from "./outstanding.ts";
import type { RetransmissionTimeout } from "./rto.ts";
import { SendQueue } from "./send-queue.ts";

/** A DATA chunk to put into a packet. */
export interface Outgoing {
  readonly chunk: Uint8Array;
  readonly retransmitted: boolean;
  /** Whether nothing before it is outstanding: sending it again starts T3-rtx anew (§7.2.4, rule 4). */
  readonly lowest: boolean;
}

/** The sending half of an association. */
export class Sender {
  readonly #queue = new SendQueue();
  readonly #outstanding: Outstanding;
  readonly #congestion: Congestion;
  readonly #rto: RetransmissionTimeout;
  /** The peer's window as it last said. */
  #peerRwnd: number;
  #bufferedBytes = 0;
  #lastSentMs: number | undefined;
  /** The next packet carries lost chunks whatever the congestion window says (§7.2.4, rule 3). */
  #fastRetransmit = false;
  /** What is on its way was sent although the peer's window had no room for it (§6.1, rule A). */
  #probing = false;
  /** The window has been shut for long enough: the next chunk may go, to ask whether it still is. */
  #probeDue = false;
  /** After T3-rtx: the one packet that may go before an acknowledgement comes is still to go, or is gone (§7.2.1). */
  #lonePacket: "none" | "to-go" | "gone" = "none";

  constructor(initialTsn: Tsn, peerRwnd: number, rto: RetransmissionTimeout) {
    this.#outstanding = new Outstanding(initialTsn);
    this.#congestion = new Congestion(peerRwnd);
    this.#peerRwnd = peerRwnd;
    this.#rto = rto;
  }

  /** Bytes of messages that are not acknowledged for good, with 64 for each message. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Whether every message was acknowledged. */
  get isDrained(): boolean {
    return this.#queue.isEmpty && this.#outstanding.isEmpty;
  }

  /** Whether something was sent that is not acknowledged for good: T3-rtx is to run. */
  get hasOutstanding(): boolean {
    return !this.#outstanding.isEmpty;
  }

  /** Whether the peer's window alone keeps DATA back, and nothing is on its way whose answer would tell that it opens. */
  get awaitsWindow(): boolean {
    return this.#outstanding.isEmpty && !this.#probeDue && this.#queue.nextBytes > this.#peerRwnd;
  }

  /** The window was awaited for an RTO: lets one chunk go. */
  probe(): void {
    this.#probeDue = true;
  }

  get isProbing(): boolean {
    return this.#probing;
  }

  /** The congestion window in bytes, for tests and metrics. */
  get cwnd(): number {
    return this.#congestion.cwnd;
  }

  /** What {@link queue} would add to {@link bufferedBytes}. */
  static costOf(message: Uint8Array): number {
    return message.length + MESSAGE_OVERHEAD_BYTES;
  }

  //= rfc9260#3.3.1/user-data
  /** Takes a copy of a message of at least one byte, to be sent in its turn. */
  queue(message: Uint8Array): void {
    this.#queue.add(message);
    this.#bufferedBytes += Sender.costOf(message);
  }

  /** What may be in flight at the end of this turn; ask once a turn. Forgets part of a window that lay idle. */
  allowance(nowMs: number): number {
    if (this.#outstanding.isEmpty && this.#lastSentMs !== undefined) {
      const idleRtos = Math.floor((nowMs - this.#lastSentMs) / this.#rto.currentMs);
      if (idleRtos > 0 && !this.#queue.isEmpty && !this.awaitsWindow) this.#congestion.idled(idleRtos);
    }
    return this.#congestion.allowance(this.#outstanding.flightBytes);
  }

  /**
   * The next DATA chunk for a packet with `room` bytes left; `undefined` when none may go or none fits.
   *
   * @param last - Whether no message will follow: the chunk that empties the queue then asks for an immediate SACK.
   */
  take(room: number, allowance: number, last: boolean, nowMs: number): Outgoing | undefined {
    //= rfc9260#7.2.1/after-timeout
    if (this.#lonePacket === "gone") return undefined;
    //= rfc9260#6.10/ascending
    const outgoing = this.#takeLost(room, allowance) ?? this.#takeNew(room, allowance, last, nowMs);
    if (outgoing !== undefined) this.#lastSentMs = nowMs;
    return outgoing;
  }

  #takeLost(room: number, allowance: number): Outgoing | undefined {
    //= rfc9260#6.1/lost-first
    const size = this.#outstanding.nextLostBytes;
    if (size === 0 || size > room) return undefined;
    const { flightBytes } = this.#outstanding;
    // After T3-rtx cwnd is one packet, and one packet is what goes (§6.3.3, E3).
    const fits = flightBytes === 0 || flightBytes + size <= allowance;
    //= rfc9260#7.2.4/ignore-cwnd
    if (!fits && !this.#fastRetransmit) return undefined;
    const lost = this.#outstanding.takeLost();
    return lost === undefined ? undefined : { ...lost, retransmitted: true };
  }

  #takeNew(room: number, allowance: number, last: boolean, nowMs: number): Outgoing | undefined {
    const userBytes = this.#queue.nextBytes;
    if (userBytes === 0 || this.#outstanding.hasLost) return undefined;
    //= rfc9260#6.1/cwnd
    if (this.#outstanding.flightBytes >= allowance || padded(DATA_HEADER_BYTES + userBytes) > room) return undefined;
    //= rfc9260#6.2.1/window
    const beyondWindow = userBytes > this.#peerRwnd - this.#outstanding.flightUserBytes;
    //= rfc9260#6.1/rwnd
    //= rfc9260#6.1/sws
    //= rfc9260#6.1/zero-window-probe
    if (beyondWindow && !(this.#outstanding.isEmpty && this.#probeDue)) return undefined;
    const fragment = this.#queue.take();
    if (fragment === undefined) return undefined;
    this.#probing = beyondWindow;
    this.#probeDue = false;
    //= rfc9260#6.1/i-bit
    const immediate = last && this.#queue.isEmpty;
    const lowest = this.#outstanding.isEmpty;
    return { chunk: this.#outstanding.add(fragment, 0, immediate, nowMs), retransmitted: false, lowest };
  }

  /** A packet is complete: a fast retransmission is one packet, and so is what goes after T3-rtx. */
  packetSent(): void {
    this.#fastRetransmit = false;
    if (this.#lonePacket === "to-go") this.#lonePacket = "gone";
  }

  /** Takes a SACK. */
  acknowledge(sack: SackChunk, nowMs: number): AckOutcome {
    const outcome = this.#acknowledge(sack, nowMs);
    if (outcome.kind === "taken") this.#peerRwnd = sack.aRwnd;
    return outcome;
  }

  /** Takes the acknowledgement within a SHUTDOWN, which says nothing of gaps, nor of the window. */
  acknowledgeCumulative(cumulativeTsnAck: Tsn, nowMs: number): AckOutcome {
    return this.#acknowledge({ cumulativeTsnAck }, nowMs);
  }

  #acknowledge(sack: Acknowledgement, nowMs: number): AckOutcome {
    const flightBytesBefore = this.#outstanding.flightBytes;
    const outcome = this.#outstanding.acknowledge(sack, this.#congestion.inFastRecovery, nowMs);
    if (outcome.kind === "taken") this.#account(outcome.acknowledged, flightBytesBefore);
    return outcome;
  }

  #account(acknowledged: Acknowledged, flightBytesBefore: number): void {
    const { cumulativeAdvance, ackedBytes, releasedUserBytes, releasedMessages, roundTripMs } = acknowledged;
    this.#bufferedBytes -= releasedUserBytes + releasedMessages * MESSAGE_OVERHEAD_BYTES;
    if (roundTripMs !== undefined) this.#rto.measured(roundTripMs);
    if (ackedBytes > 0) this.#lonePacket = "none";
    if (cumulativeAdvance > 0) {
      this.#probing = false;
      const { cumulativeTsn, isEmpty } = this.#outstanding;
      this.#congestion.acknowledged(cumulativeTsn, ackedBytes, flightBytesBefore, isEmpty);
    }
    if (acknowledged.lossDetected && !this.#congestion.inFastRecovery) {
      this.#congestion.lossByGaps(this.#outstanding.highestTsn);
      this.#fastRetransmit = true;
    }
  }

  /** T3-rtx expired. */
  timedOut(): void {
    this.#congestion.lossByTimeout();
    this.#rto.backOff();
    this.#outstanding.loseAll();
    // A window that is shut is no congestion, and lets one chunk through at a time anyhow.
    this.#lonePacket = this.#probing ? "none" : "to-go";
  }
}
