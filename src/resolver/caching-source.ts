/** A cache before a source of answers: equal questions are asked once at a time, and old answers help out. */

import type { Clock } from "../ports/clock.ts";
import type { DnsCounters } from "../ports/dns-counters.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { AnswerSource, OnStep, TimedOutcome } from "./answer-source.ts";
import { type CacheHit, type DnsCache, FAILURE_TTL_S } from "./dns-cache.ts";

/** How long a client waits for a refresh before it gets the stale answer (RFC 8767 §5 suggests 1.8 seconds). */
export const STALE_PATIENCE_MS = 1800;

/** Questions asked at once. Each one holds a client's handshake, whose number is limited; this is a second belt. */
export const QUESTIONS_MAX = 4096;

interface InFlight {
  readonly answer: Promise<TimedOutcome>;
  /** Those who hear of the steps. BOUNDED by the clients that wait. */
  readonly watchers: OnStep[];
}

/** Implements {@link AnswerSource} by another one and a cache. */
export class CachingSource implements AnswerSource {
  readonly #source: AnswerSource;
  readonly #cache: DnsCache;
  readonly #clock: Clock;
  readonly #counters: DnsCounters;
  /** BOUNDED by QUESTIONS_MAX, and in time by the source's deadline. */
  readonly #inFlight = new Map<string, InFlight>();

  constructor(source: AnswerSource, cache: DnsCache, clock: Clock, counters: DnsCounters) {
    this.#source = source;
    this.#cache = cache;
    this.#clock = clock;
    this.#counters = counters;
  }

  ask(question: Question, onStep?: OnStep): TimedOutcome | Promise<TimedOutcome> {
    const hit = this.#cache.lookup(question, this.#clock.nowMs());
    if (hit !== undefined && !hit.isStale) {
      this.#counters.cacheHits += 1;
      if (hit.outcome.kind !== "addresses") this.#counters.cacheNegativeHits += 1;
      onStep?.(hit);
      return hit;
    }
    this.#counters.cacheMisses += 1;
    if (hit === undefined) return this.#fetch(question, onStep);
    return hit.isRefreshDue ? this.#refresh(question, hit, onStep) : this.#stale(hit, onStep);
  }

  /** The source's answer, or after a while the stale one; the source's answer then still reaches the cache. */
  async #refresh(question: Question, hit: CacheHit, onStep?: OnStep): Promise<TimedOutcome> {
    const patience = Promise.withResolvers<undefined>();
    const timer = this.#clock.setTimer(STALE_PATIENCE_MS, () => patience.resolve(undefined));
    const answer = await Promise.race([this.#fetch(question, onStep), patience.promise]);
    timer.cancel();
    if (answer !== undefined && answer.outcome.kind !== "failed") return answer;
    return this.#stale(hit, onStep);
  }

  #stale(hit: CacheHit, onStep?: OnStep): TimedOutcome {
    this.#counters.cacheStale += 1;
    onStep?.(hit);
    return hit;
  }

  #fetch(question: Question, onStep?: OnStep): Promise<TimedOutcome> {
    const key = `${question.type} ${question.name}`;
    const running = this.#inFlight.get(key);
    if (running !== undefined) {
      this.#counters.coalesced += 1;
      if (onStep !== undefined) running.watchers.push(onStep);
      return running.answer;
    }
    if (this.#inFlight.size >= QUESTIONS_MAX) {
      const detail = `${QUESTIONS_MAX} questions are being asked already`;
      return Promise.resolve({ outcome: { kind: "failed", detail }, ttlS: 0 });
    }
    const watchers = onStep === undefined ? [] : [onStep];
    const tell: OnStep = (step) => {
      for (const watcher of watchers) watcher(step);
    };
    const answer = Promise.resolve(this.#source.ask(question, tell))
      .then((given) => this.#keep(question, given))
      .finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, { answer, watchers });
    return answer;
  }

  #keep(question: Question, given: TimedOutcome): TimedOutcome {
    const nowMs = this.#clock.nowMs();
    if (given.outcome.kind !== "failed") this.#cache.store(question, given, nowMs);
    else if (this.#cache.lookup(question, nowMs) !== undefined) this.#cache.postponeRefresh(question, nowMs);
    else this.#cache.store(question, { outcome: given.outcome, ttlS: FAILURE_TTL_S }, nowMs);
    return given;
  }
}
