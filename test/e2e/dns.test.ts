/** Names through a whole proxy: DNS over HTTP, its cache, its failures, and that nothing else is asked. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { a, response, soa } from "../support/dns-message.ts";
import { type DohServer, startDohServer, TEST_CA_FILE } from "../support/doh-server.ts";
import { echoOrigin } from "../support/origin.ts";
import { type ProxyOptions, runSockeye, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, Refused } from "../support/socks-client.ts";
import { type StartedWorld, startWorld, WORLD_PORT } from "../support/started-world.ts";
import { startWatchedDohServer } from "../support/watched-doh-server.ts";

/** Knows `site.test`, at 127.0.0.1, for five minutes. */
const startZone = (options = {}): DohServer =>
  startDohServer(({ name, type }) => {
    if (name !== "site.test") return response(name, type, { rcode: 3, authorities: [soa("test", 60, 60)] });
    if (type === "AAAA") return response(name, type, { authorities: [soa("test", 60, 60)] });
    return response(name, type, { answers: [a(name, "127.0.0.1")] });
  }, options);

const sourcesOf = (line: Record<string, unknown> | undefined): unknown[] =>
  (line?.["lookups"] as { source: string }[] | undefined)?.map(({ source }) => source) ?? [];

async function refusalOf(proxyPort: number, host: string): Promise<number> {
  const error = await openTunnel({ proxyPort, host, port: 9 }).catch((fault: unknown) => fault);
  if (!(error instanceof Refused)) throw new Error(`${host} was not refused: ${error}`);
  return error.code;
}

/** With workers, each has a cache of its own, and their lines in the log need not come in the order of the requests. */
const ONE_CACHE: ProxyOptions = { withoutCommonOptions: true };

describe("a proxy with --doh", () => {
  test("connects by a name that only the server knows; the second time without asking", async () => {
    using zone = startZone();
    using origin = echoOrigin();
    await using proxy = await startProxy(["--doh", zone.url], ONE_CACHE);
    for (let round = 0; round < 2; round++) {
      const tunnel = await openTunnel({ proxyPort: proxy.port, host: "Site.Test", port: origin.port });
      tunnel.close();
      await proxy.stdout.waitFor((line) => line.includes('"ended"'), 10_000, round);
    }
    expect(zone.asked.toSorted()).toEqual(["A site.test", "AAAA site.test"]);
    const [first, second] = proxy.accessLog();
    expect(first).toMatchObject({
      reply: 0,
      destination: `Site.Test:${origin.port}`,
      connected: `127.0.0.1:${origin.port}`,
    });
    expect(sourcesOf(first)).toEqual(["doh", "doh"]);
    expect(sourcesOf(second)).toEqual(["cache", "cache"]);
  });

  test("tells what it has counted at a reload and at its end", async () => {
    using zone = startZone();
    using origin = echoOrigin();
    await using proxy = await startProxy(["--doh", zone.url], ONE_CACHE);
    const counted = (line: string): boolean => line.includes("DNS over HTTP since the start");
    for (let round = 0; round < 2; round++) {
      (await openTunnel({ proxyPort: proxy.port, host: "site.test", port: origin.port })).close();
    }
    expect(await refusalOf(proxy.port, "nowhere.test")).toBe(4);
    proxy.kill("SIGHUP");
    expect(JSON.parse(await proxy.stderr.waitFor(counted))).toMatchObject({
      level: "info",
      cache_hits: 2,
      cache_negative_hits: 1,
      cache_misses: 4,
      cache_entries: 4,
      queries: 4,
      query_failures: 0,
    });
    await proxy.stop();
    expect(proxy.stderr.lines.filter(counted)).toHaveLength(2);
  });

  test("GET", async () => {
    using zone = startZone();
    using origin = echoOrigin();
    await using proxy = await startProxy(["--doh", `${zone.url}{?dns}`, "--doh-method", "get"]);
    (await openTunnel({ proxyPort: proxy.port, host: "site.test", port: origin.port })).close();
    expect(zone.asked.length).toBe(2);
  });

  test("HTTPS with a certificate of one's own authority, under a name that nobody resolves", async () => {
    using zone = startZone({ tls: true, http2: true });
    using origin = echoOrigin();
    using dir = scratchDir();
    const url = `https://dns.test:${zone.port}/dns-query`;
    writeFileSync(
      dir.file("config.toml"),
      `[dns]\nservers = [{ url = "${url}", addresses = ["127.0.0.1"], ca_file = "${TEST_CA_FILE}" }]\n`,
    );
    await using proxy = await startProxy(["--config", dir.file("config.toml")]);
    (await openTunnel({ proxyPort: proxy.port, host: "site.test", port: origin.port })).close();
    expect(zone.connections.size).toBe(1);
  });

  test("a certificate file that is none: it does not start, and says why", async () => {
    using dir = scratchDir();
    writeFileSync(dir.file("ca.pem"), "nothing");
    const server = `{ url = "https://dns.test/", addresses = ["127.0.0.1"], ca_file = "${dir.file("ca.pem")}" }`;
    writeFileSync(dir.file("config.toml"), `[dns]\nservers = [${server}]\n`);
    const outcome = await runSockeye(["serve", "--config", dir.file("config.toml"), "--port", "0"]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("holds no certificate");
  });

  test("no such name, no host name, a server that fails: reply 4, and the log says which", async () => {
    using zone = startZone();
    await using proxy = await startProxy(["--doh", zone.url], ONE_CACHE);
    expect(await refusalOf(proxy.port, "other.test")).toBe(4);
    expect(await refusalOf(proxy.port, "no host.test")).toBe(4);
    zone[Symbol.dispose]();
    expect(await refusalOf(proxy.port, "third.test")).toBe(4);
    await proxy.stdout.waitFor((line) => line.includes("third.test"));
    expect(proxy.accessLog().map((line) => line["detail"])).toEqual([
      "the name does not exist",
      "a label has characters that no host name has",
      expect.stringMatching(/^http:.*: E[A-Z]+$/),
    ]);
    expect(zone.asked.some((question) => question.includes("no host"))).toBe(false);
  });

  test("SIGHUP changes the servers; the cache of servers that stay is kept", async () => {
    using zone = startZone();
    using other = startZone();
    using origin = echoOrigin();
    using dir = scratchDir();
    const path = dir.file("config.toml");
    const configure = (url: string) => writeFileSync(path, `[dns]\nservers = ["${url}"]\n`);
    configure(zone.url);
    await using proxy = await startProxy(["--config", path], ONE_CACHE);
    const connect = async () =>
      (await openTunnel({ proxyPort: proxy.port, host: "site.test", port: origin.port })).close();
    const reload = async () => {
      const from = proxy.stderr.lines.length;
      proxy.kill("SIGHUP");
      await proxy.stderr.waitFor((line) => line.includes("reloaded"), 10_000, from);
    };
    await connect();
    await reload();
    await connect();
    expect(zone.asked.length).toBe(2);
    configure(other.url);
    await reload();
    await connect();
    expect(zone.asked.length).toBe(2);
    expect(other.asked.length).toBe(2);
  });

  test("SIGHUP closes the idle connections to the servers of before", async () => {
    using server = await startWatchedDohServer();
    using other = startZone();
    using origin = echoOrigin();
    using dir = scratchDir();
    const path = dir.file("config.toml");
    writeFileSync(path, `[dns]\nquery_timeout = "1m"\ntimeout = "1m"\nservers = ["${server.url}"]\n`);
    await using proxy = await startProxy(["--config", path], ONE_CACHE);
    // While somebody waits for an answer, no collection of garbage closes what should have been closed.
    const waiting = openTunnel({ proxyPort: proxy.port, host: "held.test", port: origin.port });
    const ended = waiting.catch(() => undefined);
    await server.held;
    (await openTunnel({ proxyPort: proxy.port, host: "site.test", port: origin.port })).close();
    writeFileSync(path, `[dns]\nservers = ["${other.url}"]\n`);
    proxy.kill("SIGHUP");
    await server.closed;
    await proxy.stop("SIGKILL");
    await ended;
  });
});

describe("in a network of its own", () => {
  let world: StartedWorld;

  beforeAll(async () => {
    world = await startWorld();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const start = (...args: string[]) => startProxy(args, { prefix: world.space.prefix });

  test("dead, refused and live addresses of both families, in the order and at the times of RFC 8305", async () => {
    await using proxy = await start("--doh", world.doh);
    expect(await world.connect(proxy.port, "race.test")).toBe("connected");
    await proxy.stdout.waitFor((line) => line.includes("race.test"));
    const [line] = proxy.accessLog();
    const attempts = line?.["attempts"] as { address: string; outcome: string; start_ms: number }[];
    expect(attempts.map(({ address, outcome }) => `${address} ${outcome}`)).toEqual([
      "2001:db8:1::77 cancelled",
      "198.51.100.77 cancelled",
      "2001:db8:2::9 ECONNREFUSED",
      "192.0.2.10 connected",
    ]);
    const [first = 0, second = 0, third = 0, fourth = 0] = attempts.map((attempt) => attempt.start_ms);
    // 250 ms from the moment at which the answers came; the first attempt itself begins a little later.
    expect(second - first).toBeGreaterThan(200);
    expect(third - second).toBeGreaterThan(200);
    // At once after the refusal: long before the next 250 ms are over.
    expect(fourth - third).toBeLessThan(200);
    expect(line?.["connected"]).toBe(`192.0.2.10:${WORLD_PORT}`);
    expect(world.events.lines.some((said) => said.startsWith("accepted 192.0.2.10 "))).toBe(true);
  });

  test("all failed: the most informative reply", async () => {
    await using proxy = await start("--doh", world.doh);
    // Refused, refused, and no route.
    expect(await world.connect(proxy.port, "refused.test")).toBe("refused 5");
  });

  test("no packet to port 53 with DNS over HTTP; with the system's resolver there are some", async () => {
    using dir = scratchDir();
    const from = world.events.lines.length;
    const isPort53 = (line: string): boolean => line.startsWith("port 53");
    {
      await using proxy = await start("--doh", world.doh);
      expect(await world.connect(proxy.port, "unknown.test")).toBe("refused 4");
      expect(await world.connect(proxy.port, "localhost")).toBe("refused 5");
      expect(await world.connect(proxy.port, "live.test")).toBe("connected");
      // The world tells what it sees in order: with this line, everything before it is told.
      await world.events.waitFor((line) => line.startsWith("accepted 192.0.2.10 "), 10_000, from);
      expect(world.events.lines.slice(from).filter(isPort53)).toEqual([]);
    }
    {
      // Refused; and refused under a name that only the system could resolve, were its address not given.
      const config = dir.file("config.toml");
      writeFileSync(
        config,
        `[dns]\nservers = ["http://127.0.0.1:9/", { url = "http://system.test:9/", addresses = ["192.0.2.11"] }]\n`,
      );
      await using proxy = await start("--config", config);
      const heardBefore = world.events.lines.length;
      expect(await world.connect(proxy.port, "live.test")).toBe("refused 4");
      expect(await world.connect(proxy.port, "192.0.2.10")).toBe("connected");
      await world.events.waitFor((line) => line.startsWith("accepted 192.0.2.10 "), 10_000, heardBefore);
      expect(world.events.lines.slice(from).filter(isPort53)).toEqual([]);
      await proxy.stdout.waitFor((line) => line.includes("live.test"));
      expect(sourcesOf(proxy.accessLog()[0])).toEqual(["doh", "doh", "doh", "doh"]);
    }
    // The listener works: this is what it hears of a proxy without servers.
    await using proxy = await start();
    const heard = world.events.waitFor(isPort53, 10_000, from);
    const asked = world.connect(proxy.port, "system.test").catch(() => "no answer");
    await heard;
    await proxy.stop("SIGKILL");
    await asked;
  });
});
