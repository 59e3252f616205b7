/** That each key of `[dns]` reaches what it is about. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { a, response } from "../../test/support/dns-message.ts";
import { type DohScript, startDohServer } from "../../test/support/doh-server.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { startWatchedDohServer } from "../../test/support/watched-doh-server.ts";
import type { DnsConfig } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import type { Clock } from "../ports/clock.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Resolution } from "../ports/resolver.ts";
import { type NameResolution, openNameResolution } from "./name-resolution.ts";

const good: DohScript = ({ name }) => response(name, "A", { answers: [a(name, "192.0.2.1", 300)] });
const silent: DohScript = () => new Promise(() => undefined);

/** The section `[dns]` with this server and these lines. */
function dnsOf(url: string, lines: string): DnsConfig {
  const result = parseConfig({ file: { name: "sockeye.toml", text: `[dns]\nservers = ["${url}"]\n${lines}\n` } });
  if (result.kind === "invalid") throw new Error(JSON.stringify(result.mistakes));
  return result.value.dns;
}

function open(url: string, lines: string, clock: Clock = new ManualClock(), current?: NameResolution) {
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const counters = zeroDnsCounters();
  const ports = { clock, log, sort: (addresses: readonly string[]) => addresses, counters };
  const names = openNameResolution(dnsOf(url, lines), [4], ports, current);
  return { ...names, ports, counters, [Symbol.dispose]: () => names.close() };
}

const textOf = (said: Resolution): string => (said.kind === "addresses" ? said.addresses.join(" ") : said.detail);

describe("hosts_file", () => {
  test('comes before the servers; with "off" it does not', async () => {
    using zone = startDohServer(good);
    using dir = scratchDir();
    writeFileSync(dir.file("hosts"), "192.0.2.77 listed.example\n");
    using listed = open(zone.url, `hosts_file = "${dir.file("hosts")}"`);
    expect(textOf(await listed.resolver.resolve("listed.example"))).toBe("192.0.2.77");
    expect(zone.asked).toEqual([]);
    using off = open(zone.url, 'hosts_file = "off"');
    expect(textOf(await off.resolver.resolve("listed.example"))).toBe("192.0.2.1");
  });
});

describe("the size of the cache", () => {
  // An entry with one address counts as some 300 bytes.
  const sizes: [string, number][] = [
    ["cache_entries = 2", 2],
    ["cache_entries = 1", 3],
    ["cache_entries = 0", 3],
    ["cache_bytes = 1000", 2],
    ["cache_bytes = 500", 3],
  ];
  for (const [line, questions] of sizes) {
    test(`${line}: of two names in turn, ${questions} questions are asked for three look-ups`, async () => {
      using zone = startDohServer(good);
      using names = open(zone.url, line);
      for (const name of ["a.example", "b.example", "a.example"]) await names.resolver.resolve(name);
      expect(zone.asked.length).toBe(questions);
    });
  }
});

describe("serve_stale", () => {
  /** What is said of a name `ms` after its 300 seconds, when the server is down. */
  async function saidAfter(ms: number, line: string): Promise<string> {
    let isDown = false;
    using zone = startDohServer((question, request) =>
      isDown ? new Response("", { status: 500 }) : good(question, request),
    );
    const clock = new ManualClock();
    using names = open(zone.url, line, clock);
    await names.resolver.resolve("a.example");
    isDown = true;
    clock.advance(300_000 + ms);
    return textOf(await names.resolver.resolve("a.example"));
  }

  test("an old address is given for as long, and no longer", async () => {
    expect(await saidAfter(3_599_000, 'serve_stale = "1h"')).toBe("192.0.2.1");
    expect(await saidAfter(3_600_000, 'serve_stale = "1h"')).toContain("HTTP 500");
    expect(await saidAfter(0, "serve_stale = 0")).toContain("HTTP 500");
  });
});

describe("how long a server may be silent", () => {
  const limits: [string, string][] = [
    ["query_timeout", 'query_timeout = "60ms"\ntimeout = "20s"'],
    ["timeout", 'query_timeout = "20s"\ntimeout = "60ms"'],
  ];
  for (const [what, lines] of limits) {
    test(`${what} ends a query`, async () => {
      using zone = startDohServer(silent);
      using names = open(zone.url, lines);
      expect(textOf(await names.resolver.resolve("a.example"))).toMatch(/ within 60 ms$/);
    });
  }
});

describe("what another resolver has taken the place of", () => {
  test("closes its connections when it is closed", async () => {
    using server = await startWatchedDohServer();
    const names = open(server.url, "");
    expect(textOf(await names.resolver.resolve("a.example"))).toBe("127.0.0.1");
    names.close();
    await server.closed;
  });

  test("counts no longer in the cache's gauges", async () => {
    using zone = startDohServer(good);
    const first = open(zone.url, "");
    await first.resolver.resolve("a.example");
    const next = openNameResolution(dnsOf(zone.url, "cache_entries = 7"), [4], first.ports, first);
    first.close();
    await next.resolver.resolve("a.example");
    expect(first.counters.cacheEntries).toBe(1);
    const { cacheBytes } = first.counters;
    for (const name of ["b.example", "c.example"]) await first.resolver.resolve(name);
    expect(first.counters).toMatchObject({ cacheEntries: 1, cacheBytes });
    next.close();
  });
});
