/** Answers by question, for as long as they hold and then for a while as stale ones. No clock and no I/O. */

import type { DnsCounters } from "../ports/dns-counters.ts";
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

export interface CacheHit {
  readonly outcome: Outcome;
  readonly isStale: boolean;
  /** Whether a stale answer should be asked for again now. */
  readonly isRefreshDue: boolean;
  /** Seconds that a fresh answer still holds. */
  readonly ttlS: number;
}

class Entry extends Recent<Entry> {
  readonly key: string;
  readonly outcome: Outcome;
  readonly bytes: number;
  readonly expiresAtMs: number;
  refreshAtMs: number;

  constructor(key: string, outcome: Outcome, expiresAtMs: number) {
    super();
    this.key = key;
    this.outcome = outcome;
    this.bytes = sizeOf(key, outcome);
    this.expiresAtMs = expiresAtMs;
    this.refreshAtMs = expiresAtMs;
  }
}

/** Estimate of what an entry takes besides its texts. */
const ENTRY_BYTES = 256;
const ADDRESS_BYTES = 48;

export class DnsCache {
  readonly #limits: DnsCacheLimits;
  readonly #counters: DnsCounters;
  /** BOUNDED by entriesMax and bytesMax. */
  readonly #entries = new Map<string, Entry>();
  /** The same entries, by their last use. */
  readonly #uses = new RecencyList<Entry>();
  #bytes = 0;
  #isRetired = false;

  constructor(limits: DnsCacheLimits, counters: DnsCounters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  /** What is known about `key`; `undefined` when there is nothing, or what there was is too old. */
  lookup(key: string, nowMs: number): CacheHit | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const isStale = nowMs >= entry.expiresAtMs;
    if (isStale && (entry.outcome.kind !== "addresses" || nowMs >= entry.expiresAtMs + this.#limits.staleS * 1000)) {
      this.#remove(entry);
      return undefined;
    }
    this.#uses.touch(entry);
    return {
      outcome: entry.outcome,
      isStale,
      isRefreshDue: isStale && nowMs >= entry.refreshAtMs,
      ttlS: Math.max(0, Math.ceil((entry.expiresAtMs - nowMs) / 1000)),
    };
  }

  /** Keeps an outcome for its time; one that holds for no time at all only replaces what was there. */
  store(key: string, { outcome, ttlS }: TimedOutcome, nowMs: number): void {
    const old = this.#entries.get(key);
    if (old !== undefined) this.#remove(old);
    const keptS = Math.min(ttlS, outcome.kind === "none" ? NEGATIVE_TTL_S_MAX : TTL_S_MAX);
    if (keptS <= 0) return;
    const entry = new Entry(key, outcome, nowMs + keptS * 1000);
    this.#entries.set(key, entry);
    this.#uses.add(entry);
    this.#bytes += entry.bytes;
    while (this.#entries.size > this.#limits.entriesMax || this.#bytes > this.#limits.bytesMax) {
      const { oldest } = this.#uses;
      if (oldest === undefined) break;
      this.#remove(oldest);
      if (!this.#isRetired) this.#counters.cacheEvictions += 1;
    }
    this.#count();
  }

  /** Notes that a stale entry could not be refreshed: it is not tried again for {@link STALE_RETRY_S}. */
  postponeRefresh(key: string, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.refreshAtMs = nowMs + STALE_RETRY_S * 1000;
  }

  /** Counts no longer: another cache has taken this one's place, while answers are still under way to it. */
  retire(): void {
    this.#isRetired = true;
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#uses.remove(entry);
    this.#bytes -= entry.bytes;
    this.#count();
  }

  #count(): void {
    if (this.#isRetired) return;
    this.#counters.cacheEntries = this.#entries.size;
    this.#counters.cacheBytes = this.#bytes;
  }
}

function sizeOf(key: string, outcome: Outcome): number {
  const held = outcome.kind === "addresses" ? outcome.addresses.length * ADDRESS_BYTES : outcome.detail.length * 2;
  return ENTRY_BYTES + key.length * 2 + held;
}
