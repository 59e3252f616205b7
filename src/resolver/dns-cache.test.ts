import { describe, expect, test } from "bun:test";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { Outcome } from "./answer-source.ts";
import { DnsCache, type DnsCacheLimits, NEGATIVE_TTL_S_MAX, STALE_RETRY_S, TTL_S_MAX } from "./dns-cache.ts";

const A = (name: string): Question => ({ type: "A", name });
const AAAA = (name: string): Question => ({ type: "AAAA", name });
const found = (...addresses: string[]): Outcome => ({ kind: "addresses", addresses });
const NONE: Outcome = { kind: "none", detail: "the name does not exist" };

function cacheWith(limits: Partial<DnsCacheLimits> = {}) {
  const counters = zeroDnsCounters();
  return { counters, cache: new DnsCache({ entriesMax: 3, bytesMax: 10_000, staleS: 100, ...limits }, counters) };
}

describe("DnsCache", () => {
  test("keeps an answer for its TTL, to the millisecond", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 1000);
    expect(cache.lookup(A("a"), 1000)).toMatchObject({ isStale: false, ttlS: 10 });
    expect(cache.lookup(A("a"), 10_999)).toMatchObject({ isStale: false, ttlS: 1 });
    expect(cache.lookup(A("a"), 11_000)).toMatchObject({ isStale: true, ttlS: 0, outcome: found("192.0.2.1") });
    expect(cache.lookup(AAAA("a"), 1000)).toBeUndefined();
  });

  test("a hit is told in words; who asks within the same second of its time gets the same one", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1", "192.0.2.2"), ttlS: 10 }, 0.5);
    cache.store(AAAA("a"), { outcome: NONE, ttlS: 10 }, 0.5);
    const told = (question: Question, nowMs: number) => {
      const hit = cache.lookup(question, nowMs);
      return `${hit?.source} ${hit?.detail}`;
    };
    expect(told(A("a"), 1)).toBe("cache A a: 192.0.2.1, 192.0.2.2 (for 10 s more)");
    expect(told(A("a"), 1000.4)).toBe("cache A a: 192.0.2.1, 192.0.2.2 (for 10 s more)");
    expect(told(A("a"), 1000.5)).toBe("cache A a: 192.0.2.1, 192.0.2.2 (for 9 s more)");
    expect(told(A("a"), 10_000.4)).toBe("cache A a: 192.0.2.1, 192.0.2.2 (for 1 s more)");
    expect(told(A("a"), 10_000.5)).toBe("stale A a: 192.0.2.1, 192.0.2.2");
    expect(told(AAAA("a"), 3000)).toBe("cache AAAA a: the name does not exist (for 8 s more)");
    expect(cache.lookup(AAAA("a"), 3100)).toBe(cache.lookup(AAAA("a"), 3900));
  });

  test("a new answer takes the place of the old one's hit at once", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    cache.lookup(A("a"), 0);
    cache.store(A("a"), { outcome: found("192.0.2.2"), ttlS: 10 }, 0);
    expect(cache.lookup(A("a"), 0)?.outcome).toEqual(found("192.0.2.2"));
  });

  test("one that another has taken the place of counts no longer", () => {
    const { cache: old, counters } = cacheWith({ entriesMax: 1 });
    old.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    old.retire();
    const before = { ...counters };
    old.store(A("b"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    old.lookup(A("b"), 1_000_000);
    expect(counters).toEqual(before);
  });

  test("a stale answer is there for its time, and then gone", () => {
    const { cache, counters } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    expect(cache.lookup(A("a"), 109_999)).toMatchObject({ isStale: true, isRefreshDue: true });
    expect(cache.lookup(A("a"), 110_000)).toBeUndefined();
    expect(counters.cacheEntries).toBe(0);
    expect(counters.cacheBytes).toBe(0);
  });

  test("negative answers and failures are never stale", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: NONE, ttlS: 10 }, 0);
    expect(cache.lookup(A("a"), 9999)?.outcome).toEqual(NONE);
    expect(cache.lookup(A("a"), 10_000)).toBeUndefined();
  });

  test("a refresh that failed is not due again at once", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    cache.postponeRefresh(A("a"), 20_000);
    expect(cache.lookup(A("a"), 20_000 + STALE_RETRY_S * 1000 - 1)).toMatchObject({ isRefreshDue: false });
    expect(cache.lookup(A("a"), 20_000 + STALE_RETRY_S * 1000)).toMatchObject({ isRefreshDue: true });
  });

  test("TTLs are capped", () => {
    const { cache } = cacheWith({ staleS: 0 });
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 1e9 }, 0);
    cache.store(A("b"), { outcome: NONE, ttlS: 1e9 }, 0);
    expect(cache.lookup(A("a"), 0)?.ttlS).toBe(TTL_S_MAX);
    expect(cache.lookup(A("b"), 0)?.ttlS).toBe(NEGATIVE_TTL_S_MAX);
    expect(cache.lookup(A("a"), TTL_S_MAX * 1000)).toBeUndefined();
  });

  test("a TTL of 0 is not kept, and takes away what was there", () => {
    const { cache } = cacheWith();
    cache.store(A("a"), { outcome: found("192.0.2.1"), ttlS: 10 }, 0);
    cache.store(A("a"), { outcome: found("192.0.2.2"), ttlS: 0 }, 0);
    expect(cache.lookup(A("a"), 0)).toBeUndefined();
  });

  test("the least recently used entry goes at the limit of entries", () => {
    const { cache, counters } = cacheWith();
    for (const name of ["a", "b", "c"]) cache.store(A(name), { outcome: NONE, ttlS: 10 }, 0);
    cache.lookup(A("a"), 0);
    cache.store(A("d"), { outcome: NONE, ttlS: 10 }, 0);
    expect(["a", "b", "c", "d"].map((name) => cache.lookup(A(name), 0) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(counters).toMatchObject({ cacheEvictions: 1, cacheEntries: 3 });
  });

  test("and at the limit of bytes, which also holds for one entry", () => {
    const { cache, counters } = cacheWith({ entriesMax: 1000, bytesMax: 1000 });
    for (let index = 0; index < 100; index++) cache.store(A(`n${index}.example`), { outcome: NONE, ttlS: 10 }, 0);
    expect(counters.cacheBytes).toBeLessThanOrEqual(1000);
    expect(counters.cacheEntries).toBeGreaterThan(1);
    const many = Array.from({ length: 32 }, (_, index) => `192.0.2.${index}`);
    cache.store(A("large"), { outcome: found(...many), ttlS: 10 }, 0);
    expect(counters).toMatchObject({ cacheEntries: 0, cacheBytes: 0 });
  });
});
