/** The cache against the simplest model of it, over random commands and times. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Question } from "../protocol/dns/query.ts";
import { DnsCache } from "./dns-cache.ts";

const STALE_S = 20;

/** The question of a key such as "A a". */
const question = (key: string): Question => {
  const [type, name = ""] = key.split(" ");
  return { type: type === "A" ? "A" : "AAAA", name };
};

test("what is found was stored, is not older than it may be, and the limits hold", () => {
  const command = fc.oneof(
    fc.record({
      kind: fc.constant("store" as const),
      key: fc.constantFrom("A a", "A b", "A c", "AAAA a"),
      ttlS: fc.nat(30),
      isFound: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("lookup" as const), key: fc.constantFrom("A a", "A b", "A c", "AAAA a") }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20_000) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const counters = zeroDnsCounters();
      const cache = new DnsCache({ entriesMax: 3, bytesMax: 100_000, staleS: STALE_S }, counters);
      /** The last outcome stored for each key, whatever the cache has forgotten since. */
      const model = new Map<string, { detail: string; isFound: boolean; expiresAtMs: number }>();
      let nowMs = 0;
      let count = 0;
      for (const step of commands) {
        if (step.kind === "wait") nowMs += step.ms;
        if (step.kind === "store") {
          count += 1;
          const detail = `192.0.2.${count}`;
          const outcome = step.isFound
            ? ({ kind: "addresses", addresses: [detail] } as const)
            : ({ kind: "none", detail } as const);
          cache.store(question(step.key), { outcome, ttlS: step.ttlS }, nowMs);
          model.set(step.key, { detail, isFound: step.isFound, expiresAtMs: nowMs + step.ttlS * 1000 });
        }
        if (step.kind === "lookup") {
          const hit = cache.lookup(question(step.key), nowMs);
          const known = model.get(step.key);
          if (hit !== undefined) {
            const { outcome } = hit;
            const detail = outcome.kind === "addresses" ? outcome.addresses[0] : outcome.detail;
            expect(detail).toBe(known?.detail);
            expect(hit.isStale).toBe(nowMs >= (known?.expiresAtMs ?? 0));
            const keptMs = (known?.expiresAtMs ?? 0) + (known?.isFound ? STALE_S * 1000 : 0);
            expect(nowMs).toBeLessThan(keptMs);
          }
        }
        expect(counters.cacheEntries).toBeLessThanOrEqual(3);
        expect(counters.cacheBytes > 0).toBe(counters.cacheEntries > 0);
      }
    }),
  );
});
