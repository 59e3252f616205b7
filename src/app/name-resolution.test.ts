import { describe, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { a, response } from "../../test/support/dns-message.ts";
import { startDohServer, TEST_CA_FILE } from "../../test/support/doh-server.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import type { DnsConfig } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { systemClock } from "../net/system-clock.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import { CertificateError, familiesOf, openNameResolution, serversTimeMs } from "./name-resolution.ts";

function dnsOf(text: string): DnsConfig {
  const result = parseConfig({ file: { name: "sockeye.toml", text } });
  if (result.kind === "invalid") throw new Error(JSON.stringify(result.mistakes));
  return result.value.dns;
}

const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };
const ports = () => ({
  clock: systemClock,
  log,
  sort: (addresses: readonly string[]) => addresses,
  counters: zeroDnsCounters(),
});

describe("openNameResolution", () => {
  test("what is configured as before stays, with its cache; a change or another certificate makes a new one", async () => {
    using zone = startDohServer(({ name, type }) => response(name, type, { answers: [a(name, "192.0.2.1")] }), {
      tls: true,
      http2: true,
    });
    using dir = scratchDir();
    const ca = dir.file("ca.pem");
    copyFileSync(TEST_CA_FILE, ca);
    const config = dnsOf(`[dns]\nservers = [{ url = "${zone.url}", ca_file = "${ca}" }]\n`);
    const given = ports();
    const first = openNameResolution(config, [4], given);
    await first.resolver.resolve("a.example");
    const same = openNameResolution(config, [4], given, first);
    expect(same).toBe(first);
    await same.resolver.resolve("a.example");
    expect(zone.asked.length).toBe(1);
    expect(given.counters).toMatchObject({ queries: 1, cacheHits: 1, cacheEntries: 1 });

    expect(openNameResolution(config, [6, 4], given, first)).not.toBe(first);
    writeFileSync(ca, "", { flag: "a" });
    expect(openNameResolution(config, [4], given, first)).toBe(first);
    writeFileSync(ca, "\n", { flag: "a" });
    const next = openNameResolution(config, [4], given, first);
    expect(next).not.toBe(first);
    expect(given.counters).toMatchObject({ queries: 1, cacheEntries: 0 });
    next.close();
  });

  test("certificates that cannot be read, or are none", () => {
    using dir = scratchDir();
    writeFileSync(dir.file("empty.pem"), "");
    for (const name of ["absent.pem", "empty.pem"]) {
      const config = dnsOf(`[dns]\nservers = [{ url = "https://dns.example/", ca_file = "${dir.file(name)}" }]\n`);
      expect(() => openNameResolution(config, [4], ports())).toThrow(CertificateError);
    }
  });
});

test("familiesOf: what any user may connect to is asked for, AAAA first", () => {
  const families = (text: string) => {
    const result = parseConfig({ file: { name: "sockeye.toml", text } });
    if (result.kind === "invalid") throw new Error(JSON.stringify(result.mistakes));
    return familiesOf(result.value.outgoing, result.value.users);
  };
  const user = '[[users]]\nname = "a"\npassword = "x"\n';
  expect(families("")).toEqual([6, 4]);
  expect(families('[outgoing]\nfamily = "ipv4-only"')).toEqual([4]);
  expect(families(`${user}[outgoing]\nfamily = "ipv4-only"`)).toEqual([4]);
  expect(families(`${user}outgoing = { family = "prefer-ipv6" }\n[outgoing]\nfamily = "ipv4-only"`)).toEqual([6, 4]);
});

test("a system's resolver that may stand in is left its part of the time", () => {
  const timeOf = (text: string) => serversTimeMs(dnsOf(`[dns]\nservers = ["http://192.0.2.1/"]\n${text}`));
  expect(timeOf("")).toBe(8000);
  expect(timeOf('fallback = "system"')).toBe(5500);
  expect(timeOf('fallback = "system"\ntimeout = "2s"')).toBe(1000);
});
