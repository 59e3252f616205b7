/** A network namespace with addresses that answer, refuse and keep silent, and with the servers of `name-world.ts`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LineLog } from "./line-log.ts";
import type { World } from "./name-world.ts";
import { createNamespace, type Namespace } from "./namespace.ts";

/** The port at which `192.0.2.10` listens, and at which everybody else is tried. */
export const WORLD_PORT = 8000;

export interface StartedWorld extends AsyncDisposable {
  readonly space: Namespace;
  /** The URL of the DNS-over-HTTP server inside, which knows race.test, refused.test and live.test. */
  readonly doh: string;
  /** What `name-world.ts` tells. */
  readonly events: LineLog;
  /**
   * One CONNECT to port {@link WORLD_PORT} of `host`, by a client inside: "connected", or "refused REP".
   *
   * @param user - Whose password is "secret".
   */
  connect(proxyPort: number, host: string, user?: string): Promise<string>;
}

/** The system's name servers, so that queries to them can be seen. */
const nameservers = [...readFileSync("/etc/resolv.conf", "utf8").matchAll(/^nameserver\s+(\S+)/gm)]
  .map((match) => match[1] ?? "")
  .filter((address) => !address.includes("%"));

const WORLD: World = {
  zone: {
    // Silent, refusing; silent, listening.
    "race.test": { AAAA: ["2001:db8:1::77", "2001:db8:2::9"], A: ["198.51.100.77", "192.0.2.10"] },
    // Refusing; refusing, without a route.
    "refused.test": { AAAA: ["2001:db8:2::9"], A: ["192.0.2.11", "203.0.113.1"] },
    "live.test": { A: ["192.0.2.10"] },
  },
  live: ["192.0.2.10"],
  port: WORLD_PORT,
  nameservers: nameservers.length > 0 ? nameservers : ["127.0.0.1"],
};

export async function startWorld(): Promise<StartedWorld> {
  const space = await createNamespace();
  const ip = (text: string) => space.run("ip", ...text.split(" "));
  // What goes to the two addresses reaches the other end of the pair, where nobody has them: silence.
  await ip("link add v0 type veth peer name v1");
  await ip("link set v0 up");
  await ip("link set v1 up");
  await ip("address add 198.51.100.1/24 dev v0");
  await ip("-6 address add 2001:db8:1::1/64 dev v0 nodad");
  await ip("neighbour add 198.51.100.77 lladdr 02:00:00:00:00:77 dev v0 nud permanent");
  await ip("-6 neighbour add 2001:db8:1::77 lladdr 02:00:00:00:00:77 dev v0 nud permanent");
  // Ours, so that what is not listened at is refused.
  for (const address of ["192.0.2.10/32", "192.0.2.11/32", "2001:db8:2::9/128"]) {
    await ip(`address add ${address} dev lo`);
  }
  for (const address of WORLD.nameservers) {
    if (!/^127\.|^::1$/.test(address)) await ip(`address add ${address} dev lo`);
  }
  const events = new LineLog("the world");
  const program = join(import.meta.dir, "name-world.ts");
  const servers = Bun.spawn([...space.prefix, process.execPath, program, JSON.stringify(WORLD)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const ended = events.collect(servers.stdout);
  const ready = await events.waitFor((line) => line.startsWith("ready "));
  const client = join(import.meta.dir, "socks-once.ts");
  return {
    space,
    doh: `http://127.0.0.1:${ready.split(" ")[1]}/dns-query`,
    events,
    connect: async (proxyPort, host, user) => {
      const who = user === undefined ? [] : [user];
      return (await space.run(process.execPath, client, `${proxyPort}`, host, `${WORLD_PORT}`, ...who)).trim();
    },
    [Symbol.asyncDispose]: async () => {
      servers.stdin.end();
      await servers.exited;
      await ended;
      await space[Symbol.asyncDispose]();
    },
  };
}
