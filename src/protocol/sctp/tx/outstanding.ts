/**
 * The DATA chunks that were sent and not yet acknowledged for good: what is in flight, what is lost, which SACK says so
 * (RFC 9260 §6.2.1, §6.3.3, §7.2.4).
 */

import { type DataChunk, DataFlag, encodeData } from "../chunks/data.ts";
import type { SackChunk } from "../chunks/sack.ts";
import { type Tsn, tsnAdd, tsnBefore, tsnDistance } from "../serial.ts";
import type { OutgoingFragment } from "./send-queue.ts";

/** A chunk that may have to be sent again. */
interface Sent {
  readonly tsn: Tsn;
  readonly chunk: Uint8Array;
  readonly userBytes: number;
  readonly endsMessage: boolean;
  /** Acknowledged by a gap ack block, so far; lost, and to be sent again; or on its way. */
  fate: "in-flight" | "acked" | "lost";
  /** SACKs that acknowledged something later. */
  misses: number;
  /** Sent again on the third miss, which happens once only (§7.2.4). */
  fastRetransmitted: boolean;
}

/** What a SACK acknowledges, or a SHUTDOWN, which says nothing of gaps. */
export interface Acknowledgement {
  readonly cumulativeTsnAck: Tsn;
  readonly gapAckBlocks?: SackChunk["gapAckBlocks"];
}

/** What an acknowledgement changed. */
export interface Acknowledged {
  /** How far the cumulative TSN went on. */
  readonly cumulativeAdvance: number;
  /** Bytes of DATA chunks that are acknowledged for the first time. */
  readonly ackedBytes: number;
  /** Bytes and messages that need not be kept any more. */
  readonly releasedUserBytes: number;
  readonly releasedMessages: number;
  /** The round trip of a chunk that was sent once, if this SACK ended a measurement. */
  readonly roundTripMs: number | undefined;
  /** Some chunk is lost, by the count of its misses. */
  readonly lossDetected: boolean;
}

/** What to make of an acknowledgement. */
export type AckOutcome =
  | { readonly kind: "taken"; readonly acknowledged: Acknowledged }
  /** Overtaken by a later one. */
  | { readonly kind: "old" }
  /** Acknowledges what was never sent. */
  | { readonly kind: "beyond" };

/** Misses after which a chunk counts as lost (§7.2.4). */
const MISSES_UNTIL_LOST = 3;

/** The chunks after the peer's cumulative TSN, without a hole: the first is that TSN plus one. */
export class Outstanding {
  #cumulative: Tsn;
  /** BOUNDED by sendBufferBytes: each comes from a message that counts there until it is released. */
  readonly #sent: Sent[] = [];
  #flightBytes = 0;
  #flightUserBytes = 0;
  #lostCount = 0;
  /** The chunk whose round trip is being measured: one at a time (§6.3.1, C4). */
  #timed: { readonly tsn: Tsn; readonly atMs: number } | undefined;

  constructor(initialTsn: Tsn) {
    //= rfc9260#5.1/initial-tsn
    this.#cumulative = tsnAdd(initialTsn, -1);
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  /** Bytes of DATA chunks on their way, headers and padding included: what the congestion window limits. */
  get flightBytes(): number {
    return this.#flightBytes;
  }

  /** Bytes of user data on their way: what the peer's window limits. */
  get flightUserBytes(): number {
    return this.#flightUserBytes;
  }

  get hasLost(): boolean {
    return this.#lostCount > 0;
  }

  /** The last TSN that the peer has acknowledged for good. */
  get cumulativeTsn(): Tsn {
    return this.#cumulative;
  }

  /** The last TSN that was sent. */
  get highestTsn(): Tsn {
    return tsnAdd(this.#cumulative, this.#sent.length);
  }

  /** Gives the fragment the next TSN; it is on its way from now. Returns the chunk to send. */
  add(fragment: OutgoingFragment, ppid: number, immediate: boolean, nowMs: number): Uint8Array {
    //= rfc9260#3.3.1/next-tsn
    const tsn = tsnAdd(this.#cumulative, this.#sent.length + 1);
    const data: DataChunk = {
      tsn,
      streamId: 0,
      streamSeq: fragment.streamSeq,
      ppid,
      flags: fragment.flags | (immediate ? DataFlag.Immediate : 0),
      userData: fragment.userData,
    };
    const chunk = encodeData(data);
    const sent: Sent = {
      tsn,
      chunk,
      userBytes: data.userData.length,
      endsMessage: (fragment.flags & DataFlag.End) !== 0,
      fate: "in-flight",
      misses: 0,
      fastRetransmitted: false,
    };
    this.#sent.push(sent);
    this.#fly(sent, 1);
    //= rfc9260#6.3.1/one-measurement
    this.#timed ??= { tsn, atMs: nowMs };
    return chunk;
  }

  #fly(sent: Sent, sign: 1 | -1): void {
    this.#flightBytes += sign * sent.chunk.length;
    this.#flightUserBytes += sign * sent.userBytes;
  }

  #setFate(sent: Sent, fate: Sent["fate"]): void {
    if (sent.fate === "in-flight") this.#fly(sent, -1);
    if (sent.fate === "lost") this.#lostCount--;
    if (fate === "in-flight") this.#fly(sent, 1);
    if (fate === "lost") this.#lostCount++;
    sent.fate = fate;
  }

  /** The size of the first lost chunk; 0 when there is none. */
  get nextLostBytes(): number {
    return this.#firstLost()?.chunk.length ?? 0;
  }

  #firstLost(): Sent | undefined {
    return this.#lostCount === 0 ? undefined : this.#sent.find((sent) => sent.fate === "lost");
  }

  /** The first lost chunk, to be sent again: it is on its way from now. */
  takeLost(): { readonly chunk: Uint8Array; readonly lowest: boolean } | undefined {
    const sent = this.#firstLost();
    if (sent === undefined) return undefined;
    this.#setFate(sent, "in-flight");
    sent.misses = 0;
    return { chunk: sent.chunk, lowest: sent === this.#sent[0] };
  }

  /** T3-rtx expired: all that is on its way is lost (§6.3.3, E3). */
  loseAll(): void {
    for (const sent of this.#sent) {
      if (sent.fate === "in-flight") this.#lose(sent);
      sent.fastRetransmitted = false;
    }
  }

  #lose(sent: Sent): void {
    this.#setFate(sent, "lost");
    //= rfc9260#6.3.1/karn
    //= rfc9260#6.3.1/none-behind
    if (this.#timed !== undefined && !tsnBefore(this.#timed.tsn, sent.tsn)) this.#timed = undefined;
  }

  /** Takes a SACK (§6.2.1), or the acknowledgement within a SHUTDOWN. */
  acknowledge(sack: Acknowledgement, inRecovery: boolean, nowMs: number): AckOutcome {
    const cumulativeAdvance = tsnDistance(this.#cumulative, sack.cumulativeTsnAck);
    //= rfc9260#6.2.1/old-sack
    if (cumulativeAdvance < 0) return { kind: "old" };
    const { gapAckBlocks } = sack;
    const furthest = (gapAckBlocks ?? []).reduce((furthest, { end }) => Math.max(furthest, end), 0);
    if (cumulativeAdvance + furthest > this.#sent.length) return { kind: "beyond" };

    let ackedBytes = 0;
    let roundTripMs: number | undefined;
    let highestNewlyAcked = -1;
    const acked = (sent: Sent): void => {
      if (this.#timed?.tsn === sent.tsn) {
        roundTripMs = nowMs - this.#timed.atMs;
        this.#timed = undefined;
      }
      ackedBytes += sent.chunk.length;
      highestNewlyAcked = Math.max(highestNewlyAcked, tsnDistance(sack.cumulativeTsnAck, sent.tsn));
      this.#setFate(sent, "acked");
    };

    //= rfc9260#6.7/release
    let releasedUserBytes = 0;
    let releasedMessages = 0;
    for (const sent of this.#sent.splice(0, cumulativeAdvance)) {
      if (sent.fate !== "acked") acked(sent);
      releasedUserBytes += sent.userBytes;
      if (sent.endsMessage) releasedMessages++;
    }
    this.#cumulative = sack.cumulativeTsnAck;

    //= rfc9260#3.3.8/no-renege
    const reported = gapAckBlocks === undefined ? undefined : this.#reportedBy(gapAckBlocks);
    if (reported !== undefined) {
      for (const [index, sent] of this.#sent.entries()) {
        if (reported[index] === 1 && sent.fate !== "acked") acked(sent);
        //= rfc9260#6.2.1/reneged
        else if (reported[index] !== 1 && sent.fate === "acked") this.#setFate(sent, "in-flight");
      }
    }
    // In fast recovery, an advance counts as a miss for all that the SACK reports missing (§7.2.4).
    const missedBelow = inRecovery && cumulativeAdvance > 0 ? furthest : highestNewlyAcked;
    const lossDetected = this.#countMisses(missedBelow);
    return {
      kind: "taken",
      acknowledged: { cumulativeAdvance, ackedBytes, releasedUserBytes, releasedMessages, roundTripMs, lossDetected },
    };
  }

  /** For each chunk: 1 when a gap ack block covers it. */
  #reportedBy(gapAckBlocks: SackChunk["gapAckBlocks"]): Uint8Array {
    const reported = new Uint8Array(this.#sent.length);
    for (const { start, end } of gapAckBlocks) reported.fill(1, start - 1, end);
    return reported;
  }

  /** Counts a miss for each chunk on its way that is less than `below` after the cumulative TSN. */
  #countMisses(below: number): boolean {
    let lossDetected = false;
    for (const sent of this.#sent.slice(0, Math.max(0, below - 1))) {
      if (sent.fate !== "in-flight") continue;
      //= rfc9260#6.7/missing
      sent.misses++;
      //= rfc9260#7.2.4/three-misses
      if (sent.misses < MISSES_UNTIL_LOST || sent.fastRetransmitted) continue;
      sent.fastRetransmitted = true;
      this.#lose(sent);
      lossDetected = true;
    }
    return lossDetected;
  }
}
