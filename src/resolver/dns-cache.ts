/** Answers by question, for as long as they hold and then for a while as stale ones. No clock and no I/O. */

import type { DnsCounters } from "../ports/dns-counters.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { Outcome, TimedOutcome } from "./answer-source.ts";
import { RecencyList, Recent } from "./recency-list.ts";

export interface DnsCacheLimits {
  /** The least recently used entries go first when either is exceeded. */
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** How long an answer may be given after its TTL when nobody gives a new one, in seconds; 0 is never. */
  readonly staleS: number;
}

export const DNS_CACHE_LIMITS: DnsCacheLimits = { entriesMax: 16_384, bytesMax: 8_388_608, staleS: 86_400 };

/** No answer is kept longer, whatever its TTL (RFC 8767 §4 says seven days; we change servers more often). */
export const TTL_S_MAX = 86_400;
/** No negative answer is kept longer (RFC 2308 §5 finds one to three hours sensible). */
export const NEGATIVE_TTL_S_MAX = 10_800;
/** How long a failure is kept: RFC 9520 §3.2 wants one second at least and five minutes at most. */
export const FAILURE_TTL_S = 2;
/** How long after a failed refresh the next one is tried, while stale answers are given (RFC 8767 §5). */
export const STALE_RETRY_S = 30;

/**
 * What is known about a question at the moment, and what is told of it. Whoever asks within the same second gets the same
 * one: to make it, and the words for the logs, would cost more than to find it.
 */
export class CacheHit implements TimedOutcome, ResolutionStep {
  readonly outcome: Outcome;
  /** Seconds that a fresh answer still holds, the last one counted whole; 0 for a stale one. */
  readonly ttlS: number;
  readonly isStale: boolean;
  /** Whether a stale answer should be asked for again now. */
  readonly isRefreshDue: boolean;
  readonly ms: number = 0;
  readonly #question: Question;
  #detail: string | undefined;

  constructor(question: Question, outcome: Outcome, ttlS: number, isRefreshDue: boolean) {
    this.#question = question;
    this.outcome = outcome;
    this.ttlS = ttlS;
    this.isStale = ttlS === 0;
    this.isRefreshDue = isRefreshDue;
  }

  get source(): "cache" | "stale" {
    return this.isStale ? "stale" : "cache";
  }

  /** Put into words only when somebody reads it. */
  get detail(): string {
    this.#detail ??= this.#words();
    return this.#detail;
  }

  #words(): string {
    const { outcome, ttlS } = this;
    const { type, name } = this.#question;
    const what = outcome.kind === "addresses" ? outcome.addresses.join(", ") : outcome.detail;
    return ttlS > 0 ? `${type} ${name}: ${what} (for ${ttlS} s more)` : `${type} ${name}: ${what}`;
  }
}

class Entry extends Recent<Entry> {
  readonly question: Question;
  readonly outcome: Outcome;
  readonly bytes: number;
  readonly expiresAtMs: number;
  refreshAtMs: number;
  /** The last hit, until which time it is still true. */
  hit: CacheHit | undefined;
  hitUntilMs: number = Number.NEGATIVE_INFINITY;

  constructor(question: Question, outcome: Outcome, expiresAtMs: number) {
    super();
    this.question = question;
    this.outcome = outcome;
    this.bytes = sizeOf(question, outcome);
    this.expiresAtMs = expiresAtMs;
    this.refreshAtMs = expiresAtMs;
  }
}

/** Estimate of what an entry takes besides its texts, its last hit included. */
const ENTRY_BYTES = 384;
const ADDRESS_BYTES = 48;

export class DnsCache {
  readonly #limits: DnsCacheLimits;
  readonly #counters: DnsCounters;
  /** By name, for either type: a text made of both would have to be made for every look-up. BOUNDED by the limits. */
  readonly #entries = { A: new Map<string, Entry>(), AAAA: new Map<string, Entry>() };
  /** The same entries, by their last use. */
  readonly #uses = new RecencyList<Entry>();
  #bytes = 0;
  #isRetired = false;

  constructor(limits: DnsCacheLimits, counters: DnsCounters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  /** What is known; `undefined` when there is nothing, or what there was is too old. */
  lookup(question: Question, nowMs: number): CacheHit | undefined {
    const entry = this.#find(question);
    if (entry === undefined) return undefined;
    if (nowMs >= entry.hitUntilMs && !this.#renewHit(entry, nowMs)) return undefined;
    this.#uses.touch(entry);
    return entry.hit;
  }

  /** Says anew what is known, until that changes; `false` when the entry was too old, and is gone. */
  #renewHit(entry: Entry, nowMs: number): boolean {
    const { question, outcome, expiresAtMs } = entry;
    if (nowMs < expiresAtMs) {
      const ttlS = Math.ceil((expiresAtMs - nowMs) / 1000);
      entry.hit = new CacheHit(question, outcome, ttlS, false);
      entry.hitUntilMs = expiresAtMs - (ttlS - 1) * 1000;
      return true;
    }
    if (outcome.kind !== "addresses" || nowMs >= expiresAtMs + this.#limits.staleS * 1000) {
      this.#remove(entry);
      return false;
    }
    entry.hit = new CacheHit(question, outcome, 0, nowMs >= entry.refreshAtMs);
    return true;
  }

  /** Keeps an outcome for its time; one that holds for no time at all only replaces what was there. */
  store(question: Question, { outcome, ttlS }: TimedOutcome, nowMs: number): void {
    const old = this.#find(question);
    if (old !== undefined) this.#remove(old);
    const keptS = Math.min(ttlS, outcome.kind === "none" ? NEGATIVE_TTL_S_MAX : TTL_S_MAX);
    if (keptS <= 0) return;
    const entry = new Entry(question, outcome, nowMs + keptS * 1000);
    this.#entries[question.type].set(question.name, entry);
    this.#uses.add(entry);
    this.#bytes += entry.bytes;
    while (this.#size > this.#limits.entriesMax || this.#bytes > this.#limits.bytesMax) {
      const { oldest } = this.#uses;
      if (oldest === undefined) break;
      this.#remove(oldest);
      if (!this.#isRetired) this.#counters.cacheEvictions += 1;
    }
    this.#count();
  }

  /** Notes that a stale entry could not be refreshed: it is not tried again for {@link STALE_RETRY_S}. */
  postponeRefresh(question: Question, nowMs: number): void {
    const entry = this.#find(question);
    if (entry !== undefined) entry.refreshAtMs = nowMs + STALE_RETRY_S * 1000;
  }

  /** Counts no longer: another cache has taken this one's place, while answers are still under way to it. */
  retire(): void {
    this.#isRetired = true;
  }

  get #size(): number {
    return this.#entries.A.size + this.#entries.AAAA.size;
  }

  #find({ type, name }: Question): Entry | undefined {
    return this.#entries[type].get(name);
  }

  #remove(entry: Entry): void {
    const { type, name } = entry.question;
    this.#entries[type].delete(name);
    this.#uses.remove(entry);
    this.#bytes -= entry.bytes;
    this.#count();
  }

  #count(): void {
    if (this.#isRetired) return;
    this.#counters.cacheEntries = this.#size;
    this.#counters.cacheBytes = this.#bytes;
  }
}

function sizeOf({ name }: Question, outcome: Outcome): number {
  const held = outcome.kind === "addresses" ? outcome.addresses.length * ADDRESS_BYTES : outcome.detail.length * 2;
  return ENTRY_BYTES + name.length * 2 + held;
}
