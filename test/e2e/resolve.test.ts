/** `sockeye resolve`, run as a command. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { a, cname, response, soa } from "../support/dns-message.ts";
import { type DohServer, startDohServer } from "../support/doh-server.ts";
import { runSockeye } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";

/** Knows `site.test`, at 127.0.0.1, for five minutes. */
const startZone = (): DohServer =>
  startDohServer(({ name, type }) => {
    if (name !== "site.test") return response(name, type, { rcode: 3, authorities: [soa("test", 60, 60)] });
    if (type === "AAAA") return response(name, type, { authorities: [soa("test", 60, 60)] });
    return response(name, type, { answers: [a(name, "127.0.0.1")] });
  });

describe("sockeye resolve", () => {
  test("says each step, the order of attempts, and who may not connect there", async () => {
    using zone = startZone();
    const { status, stdout } = await runSockeye(["resolve", "--doh", zone.url, "site.test"]);
    expect(status).toBe(0);
    expect(stdout.split("\n").slice(0, 1)).toEqual(["site.test"]);
    expect(stdout).toContain(`A site.test, ${zone.url} (127.0.0.1): 127.0.0.1 (TTL 300 s)`);
    expect(stdout).toMatch(/\n {2}0 ms +127\.0\.0\.1 {2}from 127\.0\.0\.1, forbidden to clients of other machines\n/);
  });

  test("takes the way out of the user that it is told", async () => {
    using zone = startZone();
    using dir = scratchDir();
    writeFileSync(
      dir.file("config.toml"),
      `[dns]\nservers = ["${zone.url}"]
[[users]]\nname = "alice"\npassword = "x"\noutgoing = { source = ["127.0.0.9"], family = "prefer-ipv4" }\n`,
    );
    const resolve = async (...args: string[]) =>
      (await runSockeye(["resolve", "--config", dir.file("config.toml"), ...args, "site.test"])).stdout;
    expect(await resolve()).toMatch(/^attempts \(auto\).*127\.0\.0\.1 {2}from 127\.0\.0\.1,/ms);
    expect(await resolve("--user", "alice")).toMatch(/^attempts \(prefer-ipv4\).*127\.0\.0\.1 {2}from 127\.0\.0\.9,/ms);
  });

  test("a name without an address: exit status 1; no name: 2; --help: 0", async () => {
    using zone = startZone();
    const missing = await runSockeye(["resolve", "--doh", zone.url, "other.test"]);
    expect(missing.status).toBe(1);
    expect(missing.stdout).toContain("not-found the name does not exist");
    expect((await runSockeye(["resolve"])).status).toBe(2);
    expect((await runSockeye(["resolve", "--user", "nobody", "a.test"])).status).toBe(2);
    const help = await runSockeye(["resolve", "--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("Usage: sockeye resolve");
  });

  test("what a server says neither steers the terminal nor forges a line", async () => {
    using zone = startDohServer(({ name, type }) => {
      if (name === "type.test") return new Response("", { headers: { "content-type": "text/\u009b31mhtml" } });
      const alias = "\u001b]0;owned\u0007\n  hosts     alias.test: 192.0.2.1";
      return response(name, type, { authorities: [soa("test", 60, 60)], answers: [cname(name, alias)] });
    });
    for (const name of ["alias.test", "type.test", "\u001b[2J"]) {
      const { stdout } = await runSockeye(["resolve", "--doh", zone.url, name]);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(stdout).not.toMatch(/^ {2}hosts/m);
    }
    expect(zone.asked.length).toBe(4);
  });
});
