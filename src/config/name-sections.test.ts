/** The sections `[dns]` and `[outgoing]`, and `outgoing` of a user. */

import { describe, expect, test } from "bun:test";
import type { Config } from "./config.ts";
import { parseConfig } from "./load.ts";
import { formatMistake } from "./mistake.ts";

function config(text: string): Config {
  const result = parseConfig({ file: { name: "sockeye.toml", text } });
  if (result.kind === "invalid") throw new Error(result.mistakes.map(formatMistake).join("\n"));
  return result.value;
}

function placesOfMistakes(text: string): string[] {
  const result = parseConfig({ file: { name: "sockeye.toml", text } });
  return result.kind === "invalid" ? result.mistakes.map(({ path }) => path).sort() : [];
}

describe("[dns]", () => {
  test("by default the system resolves, and nothing else is asked", () => {
    expect(config("").dns).toMatchObject({ servers: [], fallback: "none", method: "post", hostsFile: "/etc/hosts" });
  });

  test("servers as URLs and as tables", () => {
    const { servers } = config(`[dns]
servers = [
  "http://127.0.0.1:8053/dns-query",
  { url = "https://dns.example/q{?dns}", addresses = ["192.0.2.53", "[2001:DB8::53]"], ca_file = "/ca.pem", http = "2" },
]`).dns;
    expect(servers).toEqual([
      { url: "http://127.0.0.1:8053/dns-query", addresses: [], caFile: undefined, httpVersion: "auto" },
      {
        url: "https://dns.example/q{?dns}",
        addresses: ["192.0.2.53", "2001:db8::53"],
        caFile: "/ca.pem",
        httpVersion: "2",
      },
    ]);
  });

  test.each([
    "dns.example",
    "ftp://dns.example/",
    "https://user:secret@dns.example/",
    "https://dns.example/#x",
    "https://dns.example/#",
    "https://dns.example/#{?dns}",
    "https://dns.example/q ",
    "https://dns.example/{?name}",
    "https://",
    "",
  ])("%p is no server", (url) => {
    expect(placesOfMistakes(`[dns]\nservers = ["${url}"]`)).toEqual(["dns.servers[0]"]);
  });

  test("what means nothing beside its URL is a mistake, not passed over", () => {
    const mistakesOf = (server: string) => placesOfMistakes(`[dns]\nservers = [{ ${server} }]`);
    const addresses = 'addresses = ["192.0.2.53"]';
    expect(mistakesOf(`url = "https://192.0.2.1/q{?dns}", ${addresses}`)).toEqual(["dns.servers[0].addresses"]);
    expect(mistakesOf(`url = "https://[2001:db8::1]/", ${addresses}`)).toEqual(["dns.servers[0].addresses"]);
    expect(mistakesOf(`url = "http://dns.example/", ${addresses}, ca_file = "/ca.pem", http = "2"`)).toEqual([
      "dns.servers[0].ca_file",
      "dns.servers[0].http",
    ]);
    expect(mistakesOf(`url = "http://dns.example/", ${addresses}, http = "1.1"`)).toEqual([]);
  });

  test("every mistake is found", () => {
    const text = `[dns]
method = "put"
fallback = "google"
query_timeout = "0s"
timeout = 0
cache_entries = -1
servers = [{ url = "https://dns.example/", addresses = ["dns.example"], http = "3" }]`;
    expect(placesOfMistakes(text)).toEqual([
      "dns.cache_entries",
      "dns.fallback",
      "dns.method",
      "dns.query_timeout",
      "dns.servers[0].addresses[0]",
      "dns.servers[0].http",
      "dns.timeout",
    ]);
  });
});

describe("[outgoing]", () => {
  test("the delays of RFC 8305 by default, and no way but the system's", () => {
    expect(config("").outgoing).toEqual({
      way: {
        family: "auto",
        sourceIpv4: undefined,
        sourceIpv6: undefined,
        interfaceName: undefined,
        mark: undefined,
      },
      resolutionDelayMs: 50,
      attemptDelayMs: 250,
      attempts: 16,
    });
  });

  test("for everybody and for a user", () => {
    const { outgoing, users } = config(`[outgoing]
family = "prefer-ipv4"
source = ["2001:db8::1", "192.0.2.1"]
interface = "eth1"
mark = 4294967295
[[users]]
name = "alice"
password = "x"
outgoing = { source = ["192.0.2.2"], mark = 0 }`);
    expect(outgoing.way).toEqual({
      family: "prefer-ipv4",
      sourceIpv4: "192.0.2.1",
      sourceIpv6: "2001:db8::1",
      interfaceName: "eth1",
      mark: 4_294_967_295,
    });
    expect(users[0]?.outgoing).toEqual({
      family: undefined,
      sourceIpv4: "192.0.2.2",
      sourceIpv6: undefined,
      interfaceName: undefined,
      mark: 0,
    });
  });

  test("the delay between attempts has a least and a greatest [rfc8305#5/attempt-delay-bounds]", () => {
    expect(config('[outgoing]\nattempt_delay = "10ms"').outgoing.attemptDelayMs).toBe(10);
    expect(config('[outgoing]\nattempt_delay = "2s"').outgoing.attemptDelayMs).toBe(2000);
    for (const delay of ["9ms", "2001ms"]) {
      expect(placesOfMistakes(`[outgoing]\nattempt_delay = "${delay}"`)).toEqual(["outgoing.attempt_delay"]);
    }
  });

  test("every mistake is found", () => {
    const text = `[outgoing]
family = "ipv5"
source = ["192.0.2.1", "192.0.2.2"]
interface = "much-too-long-for-linux"
mark = 4294967296
attempts = 0`;
    expect(placesOfMistakes(text)).toEqual([
      "outgoing.attempts",
      "outgoing.family",
      "outgoing.interface",
      "outgoing.mark",
      "outgoing.source",
    ]);
  });
});
