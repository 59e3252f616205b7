import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { AnswerSource, TimedOutcome } from "./answer-source.ts";
import { CachingSource, QUESTIONS_MAX, STALE_PATIENCE_MS } from "./caching-source.ts";
import { DNS_CACHE_LIMITS, DnsCache, FAILURE_TTL_S } from "./dns-cache.ts";

const QUESTION: Question = { name: "a.example", type: "A" };
const found = (address: string, ttlS: number): TimedOutcome => ({
  outcome: { kind: "addresses", addresses: [address] },
  ttlS,
});
const FAILED: TimedOutcome = { outcome: { kind: "failed", detail: "all down" }, ttlS: 0 };

/** A cache before a source whose answers the test gives by hand, the oldest question first. */
function setUp() {
  const clock = new ManualClock();
  const counters = zeroDnsCounters();
  const pending: PromiseWithResolvers<TimedOutcome>[] = [];
  let askedCount = 0;
  const source: AnswerSource = {
    ask: () => {
      const answer = Promise.withResolvers<TimedOutcome>();
      pending.push(answer);
      askedCount += 1;
      return answer.promise;
    },
  };
  const caching = new CachingSource(source, new DnsCache(DNS_CACHE_LIMITS, counters), clock, counters);
  const give = (outcome: TimedOutcome) => pending.shift()?.resolve(outcome);
  return {
    clock,
    counters,
    caching,
    give,
    asked: () => askedCount,
    /** Asks and answers in one go. */
    seed: (outcome: TimedOutcome) => {
      const answer = caching.ask(QUESTION);
      give(outcome);
      return answer;
    },
  };
}

const textOf = ({ outcome }: TimedOutcome): string =>
  outcome.kind === "addresses" ? outcome.addresses.join(" ") : outcome.kind;

describe("CachingSource", () => {
  test("asks once for as long as the answer holds", async () => {
    const { caching, clock, counters, asked, seed } = setUp();
    await seed(found("192.0.2.1", 60));
    clock.advance(59_999);
    expect(textOf(await caching.ask(QUESTION))).toBe("192.0.2.1");
    expect(asked()).toBe(1);
    expect(counters).toMatchObject({ cacheHits: 1, cacheMisses: 1, cacheEntries: 1 });
  });

  test("A and AAAA are two questions", async () => {
    const { caching, asked, seed, give } = setUp();
    await seed(found("192.0.2.1", 60));
    const other = caching.ask({ name: "a.example", type: "AAAA" });
    give({ outcome: { kind: "none", detail: "" }, ttlS: 60 });
    expect(textOf(await other)).toBe("none");
    expect(asked()).toBe(2);
  });

  test("equal questions in flight are asked once, and all hear of the steps", async () => {
    const clock = new ManualClock();
    const counters = zeroDnsCounters();
    const { promise, resolve } = Promise.withResolvers<TimedOutcome>();
    let tell: (() => void) | undefined;
    const source: AnswerSource = {
      ask: (_, onStep) => {
        tell = () => onStep?.({ source: "doh", detail: "asked", ms: 1 });
        return promise;
      },
    };
    const caching = new CachingSource(source, new DnsCache(DNS_CACHE_LIMITS, counters), clock, counters);
    const heard: string[] = [];
    const both = [caching.ask(QUESTION, () => heard.push("first")), caching.ask(QUESTION, () => heard.push("second"))];
    tell?.();
    resolve(found("192.0.2.1", 0));
    expect((await Promise.all(both)).map(textOf)).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect(heard).toEqual(["first", "second"]);
    expect(counters.coalesced).toBe(1);
  });

  test("at the limit of questions, the next one fails at once and is not kept; equal ones are no more", async () => {
    const { caching, asked, give } = setUp();
    const held = Array.from({ length: QUESTIONS_MAX }, (_, index) =>
      caching.ask({ name: `n${index}.example`, type: "A" }),
    );
    const equal = caching.ask({ name: "n0.example", type: "A" });
    expect(await caching.ask(QUESTION)).toEqual({
      outcome: { kind: "failed", detail: "4096 questions are being asked already" },
      ttlS: 0,
    });
    expect(asked()).toBe(QUESTIONS_MAX);
    give(found("192.0.2.1", 60));
    expect(textOf(await equal)).toBe("192.0.2.1");
    const next = caching.ask(QUESTION);
    expect(asked()).toBe(QUESTIONS_MAX + 1);
    for (let count = 0; count < QUESTIONS_MAX; count++) give(found("192.0.2.2", 60));
    expect(textOf(await next)).toBe("192.0.2.2");
    await Promise.all(held);
  });

  test("a failure is kept for a short while only", async () => {
    const { caching, clock, counters, asked, seed, give } = setUp();
    expect(textOf(await seed(FAILED))).toBe("failed");
    expect(textOf(await caching.ask(QUESTION))).toBe("failed");
    expect(asked()).toBe(1);
    expect(counters.cacheNegativeHits).toBe(1);
    clock.advance(FAILURE_TTL_S * 1000);
    const again = caching.ask(QUESTION);
    give(found("192.0.2.1", 60));
    expect(textOf(await again)).toBe("192.0.2.1");
  });

  test("with all servers down, the old answer is given, and they are left in peace for a while", async () => {
    const { caching, clock, counters, asked, seed, give } = setUp();
    await seed(found("192.0.2.1", 60));
    clock.advance(60_000);
    const stale = caching.ask(QUESTION);
    give(FAILED);
    expect(textOf(await stale)).toBe("192.0.2.1");
    expect(textOf(await caching.ask(QUESTION))).toBe("192.0.2.1");
    expect(asked()).toBe(2);
    expect(counters.cacheStale).toBe(2);
    clock.advance(30_000);
    const fresh = caching.ask(QUESTION);
    give(found("192.0.2.2", 60));
    expect(textOf(await fresh)).toBe("192.0.2.2");
  });

  test("a slow refresh: the old answer after a while, the new one for the next", async () => {
    const { caching, clock, seed, give, asked } = setUp();
    await seed(found("192.0.2.1", 60));
    clock.advance(60_000);
    const impatient = caching.ask(QUESTION);
    clock.advance(STALE_PATIENCE_MS);
    expect(textOf(await impatient)).toBe("192.0.2.1");
    const joining = caching.ask(QUESTION);
    give(found("192.0.2.2", 60));
    expect(textOf(await joining)).toBe("192.0.2.2");
    expect(asked()).toBe(2);
    expect(clock.pendingCount).toBe(0);
  });

  test("a name that has gone is gone, however stale its old answer", async () => {
    const { caching, clock, seed, give } = setUp();
    await seed(found("192.0.2.1", 60));
    clock.advance(60_000);
    const gone = caching.ask(QUESTION);
    give({ outcome: { kind: "none", detail: "the name does not exist" }, ttlS: 60 });
    expect(textOf(await gone)).toBe("none");
    expect(textOf(await caching.ask(QUESTION))).toBe("none");
  });
});
