/**
 * Happy Eyeballs version 2 (RFC 8305) as a pure machine: the addresses of a name come in, family by family, with time and
 * with what became of each attempt; which attempt to start and which to give up comes out.
 *
 * ```txt
 * AAAA answer ──┐            ┌─ 250 ms, or a failure ─┐  (never within 10 ms)
 * A answer ─────┴─ (50 ms) ─ attempt 1 ─ attempt 2 ─ attempt 3 … ─→ the first that connects wins, the others are given up
 * ```
 */

import { allowsFamily, type FamilyPolicy, familyOf, type IpFamily, preferredFamily } from "./family.ts";

export interface HappyEyeballsOptions {
  readonly policy: FamilyPolicy;
  /** How long the first attempt waits for the preferred family's addresses once the other's are there (§3). */
  readonly resolutionDelayMs: number;
  /** How long an attempt is left alone before the next one starts beside it (§5). */
  readonly attemptDelayMs: number;
  /** From the beginning until everything is given up; `Infinity` where somebody else counts. */
  readonly deadlineMs: number;
  /** Attempts in all; addresses beyond them are not tried. */
  readonly attemptsMax: number;
  /** The addresses in the order of RFC 6724. */
  readonly sort: (addresses: readonly string[]) => readonly string[];
}

/** The delays that RFC 8305 §8 recommends, and our limit. */
export const HAPPY_EYEBALLS_DEFAULTS = { resolutionDelayMs: 50, attemptDelayMs: 250, attemptsMax: 16 } as const;

/** Attempts are never closer to one another (§5). */
const ATTEMPT_GAP_MS_MIN = 10;

export type HappyEyeballsEvent =
  /** Start connecting to `address`. Attempts count from 0. */
  | { readonly kind: "connect"; readonly attempt: number; readonly address: string }
  /** Close what became of `attempt`, or stop it. */
  | { readonly kind: "abandon"; readonly attempt: number }
  /** `attempt` is the connection. The last event. */
  | { readonly kind: "won"; readonly attempt: number; readonly address: string }
  /** There is no connection. The last event. */
  | { readonly kind: "lost"; readonly reason: LostReason };

/** "deadline": time ran out; "exhausted": every address failed; "no-addresses": there was none. */
export type LostReason = "deadline" | "exhausted" | "no-addresses";

/**
 * The address that a race tries first when all are known at once.
 *
 * @param addresses - In the order of RFC 6724.
 * @returns `undefined` when there is none that may be used.
 */
export function firstAddress(addresses: readonly string[], policy: FamilyPolicy): string | undefined {
  let other: string | undefined;
  for (const address of addresses) {
    const family = familyOf(address);
    if (policy === "auto" || family === preferredFamily(policy)) return address;
    if (allowsFamily(policy, family)) other ??= address;
  }
  return other;
}

/** One race for one connection. */
export class HappyEyeballs {
  readonly #options: HappyEyeballsOptions;
  readonly #deadlineAtMs: number;
  /** Untried addresses of each family, in order. BOUNDED by what the resolver gives. */
  readonly #untried: Record<IpFamily, string[]> = { 4: [], 6: [] };
  /** Whether a family's answer is still to come. */
  readonly #isAwaited: Record<IpFamily, boolean>;
  /** Addresses of the attempts in flight, by their number; `undefined` for one that has ended. BOUNDED by attemptsMax. */
  readonly #live: (string | undefined)[] = [];
  #liveCount = 0;
  readonly #events: HappyEyeballsEvent[] = [];
  #attemptCount = 0;
  #lastFamily: IpFamily | undefined;
  /** When the first attempt starts although the preferred family has not answered. */
  #beginAtMs = Number.POSITIVE_INFINITY;
  #nextAttemptAtMs = Number.NEGATIVE_INFINITY;
  /** When the last two attempts started that were any. */
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #startBeforeMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(options: HappyEyeballsOptions, nowMs: number) {
    this.#options = options;
    this.#deadlineAtMs = nowMs + options.deadlineMs;
    this.#isAwaited = { 4: allowsFamily(options.policy, 4), 6: allowsFamily(options.policy, 6) };
  }

  /**
   * Takes the answer for one family, or for both at once: all its addresses, or none.
   *
   * @param families - The families that are thereby answered; each counts once.
   */
  handleAddresses(families: readonly IpFamily[], addresses: readonly string[], nowMs: number): void {
    if (this.#isOver) return;
    for (const family of families) {
      if (!this.#isAwaited[family]) continue;
      this.#isAwaited[family] = false;
      const own = addresses.filter((address) => familyOf(address) === family);
      if (own.length === 0) continue;
      //= rfc8305#3/late-answer
      this.#untried[family] = [...this.#options.sort(own)];
      //= rfc8305#3/resolution-delay
      this.#beginAtMs = Math.min(this.#beginAtMs, nowMs + this.#options.resolutionDelayMs);
    }
    this.#step(nowMs);
  }

  /** Takes the news that an attempt connected. One that comes second is given up. */
  handleConnected(attempt: number, nowMs: number): void {
    const address = this.#live[attempt];
    if (this.#isOver || address === undefined || nowMs >= this.#deadlineAtMs) {
      this.#step(nowMs);
      return;
    }
    this.#take(attempt);
    //= rfc8305#5/cancel-losers
    this.#end({ kind: "won", attempt, address });
  }

  /**
   * Takes the news that an attempt failed.
   *
   * @param wasMade - Whether anything may have left the machine; if not, and this was the last one, it delays nothing.
   */
  handleFailed(attempt: number, nowMs: number, wasMade = true): void {
    if (this.#isOver || !this.#take(attempt)) return;
    if (!wasMade && attempt === this.#attemptCount - 1) this.#lastStartMs = this.#startBeforeMs;
    //= rfc8305#5/never-within-10-ms
    this.#nextAttemptAtMs = Math.max(nowMs, this.#lastStartMs + ATTEMPT_GAP_MS_MIN);
    this.#step(nowMs);
  }

  handleTimeout(nowMs: number): void {
    this.#step(nowMs);
  }

  pollEvent(): HappyEyeballsEvent | undefined {
    return this.#events.shift();
  }

  /** When `handleTimeout` is due; `Infinity` when nothing is. */
  pollTimeout(): number {
    if (this.#isOver) return Number.POSITIVE_INFINITY;
    const isWaitingToBegin = this.#attemptCount === 0;
    const nextMs = isWaitingToBegin
      ? this.#beginAtMs
      : this.#hasUntried()
        ? this.#nextAttemptAtMs
        : Number.POSITIVE_INFINITY;
    return Math.min(nextMs, this.#deadlineAtMs);
  }

  #step(nowMs: number): void {
    if (this.#isOver) return;
    if (nowMs >= this.#deadlineAtMs) {
      this.#end({ kind: "lost", reason: "deadline" });
      return;
    }
    if (this.#attemptCount === 0 && !this.#mayBegin(nowMs)) {
      if (!this.#isWaiting()) this.#end({ kind: "lost", reason: "no-addresses" });
      return;
    }
    //= rfc8305#5/attempt-delay
    while (this.#hasUntried() && nowMs >= this.#nextAttemptAtMs) this.#start(nowMs);
    if (this.#liveCount === 0 && !this.#hasUntried() && (!this.#isWaiting() || this.#isSpent())) {
      this.#end({ kind: "lost", reason: "exhausted" });
    }
  }

  /** Whether the first attempt may start: not while the preferred family's answer is awaited and worth its short wait. */
  #mayBegin(nowMs: number): boolean {
    if (!this.#hasUntried()) return false;
    //= rfc8305#3/aaaa-first
    //= rfc8305#3/no-aaaa
    return !this.#isAwaited[preferredFamily(this.#options.policy)] || nowMs >= this.#beginAtMs;
  }

  #start(nowMs: number): void {
    const family = this.#nextFamily();
    const address = this.#untried[family].shift();
    if (address === undefined) throw new Error("an attempt without an address");
    const attempt = this.#attemptCount;
    this.#attemptCount += 1;
    this.#lastFamily = family;
    this.#live[attempt] = address;
    this.#liveCount += 1;
    this.#startBeforeMs = this.#lastStartMs;
    this.#lastStartMs = nowMs;
    this.#nextAttemptAtMs = nowMs + this.#options.attemptDelayMs;
    this.#events.push({ kind: "connect", attempt, address });
  }

  /** The family of the next attempt: in turn, beginning with the preferred one. */
  #nextFamily(): IpFamily {
    const untried = this.#untried;
    if (untried[4].length === 0) return 6;
    if (untried[6].length === 0) return 4;
    //= rfc8305#4/interleave
    if (this.#lastFamily !== undefined) return this.#lastFamily === 4 ? 6 : 4;
    const { policy, sort } = this.#options;
    if (policy !== "auto") return preferredFamily(policy);
    //= rfc8305#4/sorted
    const first = sort([...untried[6], ...untried[4]])[0] ?? "";
    return familyOf(first);
  }

  #hasUntried(): boolean {
    return !this.#isSpent() && (this.#untried[4].length > 0 || this.#untried[6].length > 0);
  }

  #isWaiting(): boolean {
    return this.#isAwaited[4] || this.#isAwaited[6];
  }

  #isSpent(): boolean {
    return this.#attemptCount >= this.#options.attemptsMax;
  }

  /** Takes an attempt out of those in flight; returns whether it was one. */
  #take(attempt: number): boolean {
    if (this.#live[attempt] === undefined) return false;
    this.#live[attempt] = undefined;
    this.#liveCount -= 1;
    return true;
  }

  /** Ends the race: every attempt still in flight is given up, then the last event. */
  #end(event: HappyEyeballsEvent): void {
    this.#isOver = true;
    for (const [attempt, address] of this.#live.entries()) {
      if (address !== undefined) this.#events.push({ kind: "abandon", attempt });
    }
    this.#live.length = 0;
    this.#liveCount = 0;
    this.#events.push(event);
  }
}
