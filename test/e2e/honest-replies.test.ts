/**
 * What a client is told when its target cannot be reached, in a network namespace where each way of not being reachable
 * is made for real.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Asked } from "../support/ask-program.ts";
import { createNamespace, hasNamespaces, type Namespace } from "../support/namespace.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { type ScratchDir, scratchDir } from "../support/scratch-dir.ts";

const CONNECT_LIMIT_MS = 1200;
const CLOSED_PORT = "9";

let scratch: ScratchDir;
let namespace: Namespace;
let proxy: ProxyProcess;

/** Asks the proxy from inside. */
async function ask(host: string, port = CLOSED_PORT): Promise<Asked> {
  const program = join(import.meta.dir, "../support/ask-program.ts");
  return JSON.parse(await namespace.run(process.execPath, program, `${proxy.port}`, host, port)) as Asked;
}

/** The access log's line about `host`. */
async function lineAbout(host: string): Promise<string> {
  return await proxy.stdout.waitFor((line) =>
    line.includes(`"destination":"${host.includes(":") ? `[${host}]` : host}:`),
  );
}

describe.skipIf(!hasNamespaces())("a target that cannot be reached", () => {
  beforeAll(async () => {
    scratch = scratchDir();
    namespace = await createNamespace();
    // A device on which one neighbour has an address that nobody answers to, and the others are looked for in vain.
    await namespace.run(
      "sh",
      "-ec",
      `ip link add near type veth peer name far
       ip addr add 192.0.2.1/24 dev near
       ip link set near up
       ip link set far up
       ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev near nud permanent
       sysctl -qw net.ipv4.neigh.near.retrans_time_ms=20
       ip route add unreachable 203.0.113.0/26
       ip route add prohibit 203.0.113.64/26
       ip route add blackhole 203.0.113.128/26`,
    );
    const file = scratch.file("sockeye.toml");
    writeFileSync(
      file,
      `[timeouts]\nconnect = "${CONNECT_LIMIT_MS}ms"\n[destinations]\ndeny = ["10.0.0.0/8"]\nallow = ["10.1.0.0/16"]\n`,
    );
    proxy = await startProxy(["--config", file], { prefix: namespace.prefix });
  });

  afterAll(async () => {
    expect(proxy.stderr.text()).not.toContain("bug");
    expect(await proxy.stop()).toBe(0);
    await namespace[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
  });

  const CASES: readonly [what: string, host: string, rep: number, outcome: string, clause: string][] = [
    ["no route", "203.0.114.1", 3, "ENETUNREACH", "[rfc1928#6/rep-network-unreachable]"],
    ["an unreachable route", "203.0.113.1", 4, "EHOSTUNREACH", "[rfc1928#6/rep-host-unreachable]"],
    ["a neighbour that does not answer", "192.0.2.9", 4, "EHOSTUNREACH", "[rfc1928#6/rep-host-unreachable]"],
    ["a blackhole", "203.0.113.129", 4, "EINVAL", "[rfc1928#6/rep-host-unreachable]"],
    ["a prohibited route", "203.0.113.65", 2, "EACCES", "[rfc1928#6/rep-not-allowed]"],
    ["nobody listens", "127.0.0.1", 5, "ECONNREFUSED", "[rfc1928#6/rep-connection-refused]"],
    ["no IPv6 but loopback", "2001:db8::1", 3, "ENETUNREACH", "[rfc1928#6/rep-network-unreachable]"],
    ["denied by the rules", "10.0.0.1", 2, "denied", "[rfc1928#6/rep-not-allowed] [rfc1928#6/connect-evaluate]"],
    ["an exception from the rules, and no route", "10.1.0.1", 3, "ENETUNREACH", ""],
  ];
  for (const [what, host, rep, outcome, clause] of CASES) {
    test(`${what}: REP ${rep}, at once ${clause}`.trim(), async () => {
      const asked = await ask(host);
      expect(asked.reply).toBe(`050${rep}0001000000000000`);
      expect(asked.end).toBe("fin");
      expect(asked.ms).toBeLessThan(CONNECT_LIMIT_MS);
      expect(await lineAbout(host)).toContain(`"${outcome}"`);
    });
  }

  test("silence: REP 6 when the time is over, and not before [rfc1928#6/rep-ttl-expired]", async () => {
    const asked = await ask("192.0.2.77");
    expect(asked.reply).toBe("05060001000000000000");
    expect(asked.ms).toBeGreaterThanOrEqual(CONNECT_LIMIT_MS - 5);
    expect(asked.ms).toBeLessThan(CONNECT_LIMIT_MS + 1500);
    expect(await lineAbout("192.0.2.77")).toContain('"timeout"');
  });

  test("a name that nobody knows: REP 4 [rfc1928#6/rep-host-unreachable]", async () => {
    const asked = await ask("no-such-name.invalid");
    expect(asked.reply).toBe("05040001000000000000");
  });

  test("what is no name: REP 4, and nobody is asked", async () => {
    const asked = await ask("no such name");
    expect(asked.reply).toBe("05040001000000000000");
    expect(asked.ms).toBeLessThan(CONNECT_LIMIT_MS);
  });

  test("port 0: REP 5, at once", async () => {
    const asked = await ask("127.0.0.1", "0");
    expect(asked.reply).toBe("05050001000000000000");
    expect(asked.ms).toBeLessThan(CONNECT_LIMIT_MS);
  });

  test("the machine's IPv6 switched off: REP 3", async () => {
    await namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1");
    expect((await ask("2001:db8::2")).reply).toBe("05030001000000000000");
  });
});
