/**
 * Congestion control (RFC 9260 §7.2): how many bytes of DATA chunks may be in flight. One path, so one of each variable.
 */

import { DATA_CHUNK_BYTES_MAX, MAX_BURST } from "../constants.ts";
import { type Tsn, tsnBefore } from "../serial.ts";

/** PMDCS in RFC 9260: the longest DATA chunk of a packet. */
const PMDCS = DATA_CHUNK_BYTES_MAX;
/** The congestion window before anything was learnt (§7.2.1): that for IPv6, since an address is opaque here. */
const INITIAL_CWND: number = Math.min(4 * PMDCS, Math.max(2 * PMDCS, 4_344));
/** The least to which ssthresh, and an idle cwnd, fall. */
const SSTHRESH_MIN: number = 4 * PMDCS;

/** The congestion window of the one path of an association. */
export class Congestion {
  //= rfc9260#7.2.1/initial-cwnd
  #cwnd: number = INITIAL_CWND;
  #ssthresh: number;
  #partialBytesAcked = 0;
  /** Fast recovery lasts until this TSN is acknowledged. */
  #recoveryUntil: Tsn | undefined;

  /** @param peerRwnd - The peer's first window, in bytes: the first ssthresh (§7.2.1). */
  constructor(peerRwnd: number) {
    this.#ssthresh = Math.max(peerRwnd, SSTHRESH_MIN);
  }

  /** The bytes that may be in flight. */
  get cwnd(): number {
    return this.#cwnd;
  }

  get inFastRecovery(): boolean {
    return this.#recoveryUntil !== undefined;
  }

  /** What may be in flight after this transmission at most, given what is: §6.1 D, the burst limit. */
  allowance(flightBytes: number): number {
    //= rfc9260#6.1/max-burst
    return Math.min(this.#cwnd, flightBytes + MAX_BURST * PMDCS);
  }

  /**
   * Takes a SACK that moved the cumulative TSN to `cumulativeTsn` and newly acknowledged `ackedBytes`.
   *
   * @param flightBytesBefore - What was in flight before: a window that was not used does not grow.
   */
  acknowledged(cumulativeTsn: Tsn, ackedBytes: number, flightBytesBefore: number, nothingOutstanding: boolean): void {
    if (this.#recoveryUntil !== undefined && !tsnBefore(cumulativeTsn, this.#recoveryUntil)) {
      this.#recoveryUntil = undefined;
    } else if (this.#recoveryUntil === undefined) {
      const fullyUsed = flightBytesBefore >= this.#cwnd;
      //= rfc9260#7.2.1/slow-start
      if (this.#cwnd <= this.#ssthresh) {
        if (fullyUsed) this.#cwnd += Math.min(ackedBytes, PMDCS);
      } else {
        //= rfc9260#7.2.2/avoidance
        this.#partialBytesAcked += ackedBytes;
        if (this.#partialBytesAcked >= this.#cwnd && fullyUsed) {
          this.#partialBytesAcked -= this.#cwnd;
          this.#cwnd += PMDCS;
        } else this.#partialBytesAcked = Math.min(this.#partialBytesAcked, this.#cwnd);
      }
    }
    if (nothingOutstanding) this.#partialBytesAcked = 0;
  }

  /** Three SACKs missed a TSN: halves the window, once until `highestOutstanding` is acknowledged (§7.2.3, §7.2.4). */
  lossByGaps(highestOutstanding: Tsn): void {
    //= rfc9260#7.2.4/once
    if (this.#recoveryUntil !== undefined) return;
    this.#recoveryUntil = highestOutstanding;
    //= rfc9260#7.2.3/halve
    this.#ssthresh = Math.max(this.#cwnd / 2, SSTHRESH_MIN);
    this.#cwnd = this.#ssthresh;
    this.#partialBytesAcked = 0;
  }

  /** T3-rtx expired: one packet at a time from here (§7.2.3). */
  lossByTimeout(): void {
    //= rfc9260#7.2.3/timeout
    this.#ssthresh = Math.max(this.#cwnd / 2, SSTHRESH_MIN);
    this.#cwnd = PMDCS;
    this.#partialBytesAcked = 0;
    this.#recoveryUntil = undefined;
  }

  /** Nothing was sent for `rtoCount` timeouts: the window shrinks (§7.2.1). */
  idled(rtoCount: number): void {
    //= rfc9260#7.2.1/idle
    if (this.#cwnd > SSTHRESH_MIN) this.#ssthresh = this.#cwnd;
    for (let count = 0; count < rtoCount && this.#cwnd > SSTHRESH_MIN; count++) {
      this.#cwnd = Math.max(this.#cwnd / 2, SSTHRESH_MIN);
    }
  }
}
