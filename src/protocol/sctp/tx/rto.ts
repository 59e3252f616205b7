/** The retransmission timeout, from measured round trips (RFC 9260 §6.3.1). */

import type { SctpTiming } from "../api.ts";

/** RTO.Alpha and RTO.Beta of RFC 9260 §16. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
/** G in RFC 9260 §6.3.1: timers are not more exact than this. */
const CLOCK_MS = 1;

/** The RTO of the one path of an association. */
export class RetransmissionTimeout {
  readonly #minMs: number;
  readonly #maxMs: number;
  #currentMs: number;
  #smoothedMs: number | undefined;
  #variationMs = 0;

  constructor({ rtoInitialMs, rtoMinMs, rtoMaxMs }: Pick<SctpTiming, "rtoInitialMs" | "rtoMinMs" | "rtoMaxMs">) {
    this.#minMs = rtoMinMs;
    this.#maxMs = rtoMaxMs;
    //= rfc9260#6.3.1/initial
    this.#currentMs = rtoInitialMs;
  }

  /** How long to wait for an answer, in milliseconds. */
  get currentMs(): number {
    return this.#currentMs;
  }

  /** Takes the round trip of something that was sent once only (Karn). Ends any backing off. */
  measured(roundTripMs: number): void {
    if (this.#smoothedMs === undefined) {
      //= rfc9260#6.3.1/first-measurement
      this.#smoothedMs = roundTripMs;
      this.#variationMs = roundTripMs / 2;
    } else {
      //= rfc9260#6.3.1/next-measurement
      this.#variationMs = (1 - BETA) * this.#variationMs + BETA * Math.abs(this.#smoothedMs - roundTripMs);
      this.#smoothedMs = (1 - ALPHA) * this.#smoothedMs + ALPHA * roundTripMs;
    }
    //= rfc9260#6.3.1/granularity
    if (this.#variationMs === 0) this.#variationMs = CLOCK_MS;
    this.#currentMs = this.#clamp(this.#smoothedMs + 4 * this.#variationMs);
  }

  /** Doubles the timeout, because an answer did not come in time (§6.3.3, E2). */
  backOff(): void {
    //= rfc9260#6.3.3/back-off
    this.#currentMs = this.#clamp(2 * this.#currentMs);
  }

  #clamp(ms: number): number {
    //= rfc9260#6.3.1/bounds
    return Math.min(Math.max(ms, this.#minMs), this.#maxMs);
  }
}
