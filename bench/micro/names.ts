/**
 * What a name costs that the cache knows: look-ups a second without a network, and the proxy's CPU for a CONNECT by name
 * beside a CONNECT by address, over real sockets, round by round.
 *
 *     node_modules/.bin/bun run bench/micro/names.ts
 */

import { writeFileSync } from "node:fs";
import { systemClock } from "../../src/net/system-clock.ts";
import { zeroDnsCounters } from "../../src/ports/dns-counters.ts";
import { CachingSource } from "../../src/resolver/caching-source.ts";
import { DNS_CACHE_LIMITS, DnsCache } from "../../src/resolver/dns-cache.ts";
import { NameResolver } from "../../src/resolver/name-resolver.ts";
import { a, aaaa, response, soa } from "../../test/support/dns-message.ts";
import { startDohServer } from "../../test/support/doh-server.ts";
import { startProxy } from "../../test/support/proxy-process.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { build } from "../build.ts";
import { startOrigin } from "../origin.ts";

const LOOKUPS = 500_000;
const LOOKUP_ROUNDS = 7;
const NAMES = 1000;
const CONNECTS = 2000;
const WARMUP_CONNECTS = 40_000;
/** Many and short: the machine is disturbed for seconds at a time. */
const ROUNDS = 41;

const median = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[values.length >> 1] ?? Number.NaN;

async function lookupsFromCache(): Promise<void> {
  const counters = zeroDnsCounters();
  const source = new CachingSource(
    {
      ask: async ({ type }) => ({
        outcome: { kind: "addresses", addresses: [type === "A" ? "192.0.2.1" : "2001:db8::1"] },
        ttlS: 3600,
      }),
    },
    new DnsCache(DNS_CACHE_LIMITS, counters),
    systemClock,
    counters,
  );
  const resolver = new NameResolver({
    clock: systemClock,
    source,
    hosts: undefined,
    system: undefined,
    timeoutMs: 8000,
    families: [6, 4],
    sort: (addresses) => addresses,
  });
  const names = Array.from({ length: NAMES }, (_, index) => `host${index}.example.org`);
  const rates: number[] = [];
  for (let round = 0; round < LOOKUP_ROUNDS; round++) {
    const beforeMs = performance.now();
    for (let index = 0; index < LOOKUPS; index++) await resolver.resolve(names[index % NAMES] ?? "");
    rates.push(LOOKUPS / ((performance.now() - beforeMs) / 1000));
  }
  const rate = median(rates);
  console.log(
    `from the cache, A and AAAA each: ${Math.round(rate)} names a second, ${(1e6 / rate).toFixed(2)} µs a name`,
  );
}

async function connectsByName(): Promise<void> {
  using zone = startDohServer(({ name, type }) => {
    if (type === "A") return response(name, type, { answers: [a(name, "127.0.0.1", 3600)] });
    return name.startsWith("both")
      ? response(name, type, { answers: [aaaa(name, "::1", 3600)] })
      : response(name, type, { authorities: [soa("test", 3600, 3600)] });
  });
  using dir = scratchDir();
  // Both families end at the IPv4 address, as the other ways do: connecting to ::1 costs more by itself.
  writeFileSync(dir.file("config.toml"), `[dns]\nservers = ["${zone.url}"]\n[outgoing]\nfamily = "prefer-ipv4"\n`);
  await using proxy = await startProxy(["--config", dir.file("config.toml"), "--access-log", dir.file("log")]);
  const load = build("load");
  const origin = await startOrigin();
  /** CPU microseconds of the proxy for each of `count` connections. */
  const cpuOf = async (count: number, ...target: string[]): Promise<number> => {
    const ends = ["--proxy", `${proxy.port}`, "--origin", `${origin.port}`, "--pid", `${proxy.pid}`];
    const child = Bun.spawn([load, "conn", ...ends, "--concurrency", "20", "--count", `${count}`, ...target]);
    const text = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`the load generator failed: ${text}`);
    return Number((JSON.parse(text) as { cpu_us_each: number }).cpu_us_each);
  };
  const ways = {
    "by address": [],
    "by name, one address": ["--name", "one.test"],
    "by name, both families": ["--name", "both.test"],
  };
  for (const target of Object.values(ways)) await cpuOf(WARMUP_CONNECTS, ...target);
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const samples: number[] = [];
    for (const target of Object.values(ways)) samples.push(await cpuOf(CONNECTS, ...target));
    rounds.push(samples);
  }
  for (const [index, way] of Object.keys(ways).entries()) {
    const each = rounds.map((samples) => samples[index] ?? Number.NaN);
    const more = rounds.map((samples) => (samples[index] ?? Number.NaN) - (samples[0] ?? Number.NaN));
    console.log(
      `${way}: ${median(each).toFixed(1)} µs of CPU a CONNECT, ${median(more).toFixed(1)} more than by address`,
    );
  }
  console.log(`${zone.asked.length} queries were asked`);
  await origin.stop();
}

await lookupsFromCache();
await connectsByName();
