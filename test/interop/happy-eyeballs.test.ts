/** The order and the times of attempts to connect (RFC 8305), as tcpdump sees their SYNs. */

import { expect, test } from "bun:test";
import { LineLog } from "../support/line-log.ts";
import { startProxy } from "../support/proxy-process.ts";
import { startWorld, WORLD_PORT } from "../support/started-world.ts";

/** "IP 192.0.2.1.40000 > 192.0.2.10.8000: Flags [S], …" behind the seconds since 1970. */
const SYN = new RegExp(`^(\\d+\\.\\d+) .*IP6? \\S+ > (\\S+)\\.${WORLD_PORT}: Flags \\[S\\]`);

test("SYNs to dead, refused and live addresses of both families", async () => {
  await using world = await startWorld();
  const filter = `tcp dst port ${WORLD_PORT}`;
  const tcpdump = Bun.spawn(
    [...world.space.prefix, "tcpdump", "-i", "any", "--immediate-mode", "-l", "-n", "-tt", filter],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const capture = new LineLog("tcpdump");
  const notes = new LineLog("stderr of tcpdump");
  const ended = Promise.all([capture.collect(tcpdump.stdout), notes.collect(tcpdump.stderr)]);
  await notes.waitFor((line) => line.includes("listening on"));
  {
    await using proxy = await startProxy(["--doh", world.doh], { prefix: world.space.prefix });
    expect(await world.connect(proxy.port, "race.test")).toBe("connected");
    await capture.waitFor((line) => line.includes(`192.0.2.10.${WORLD_PORT}: Flags [S]`));
  }
  tcpdump.kill("SIGINT");
  await tcpdump.exited;
  await ended;

  /** The first SYN to each address: the kernel repeats those that nobody answers. */
  const firstMs = new Map<string, number>();
  for (const line of capture.lines) {
    const [, seconds, address] = SYN.exec(line) ?? [];
    if (address !== undefined && !firstMs.has(address)) firstMs.set(address, Number(seconds) * 1000);
  }
  expect([...firstMs.keys()]).toEqual(["2001:db8:1::77", "198.51.100.77", "2001:db8:2::9", "192.0.2.10"]);
  const [first = 0, second = 0, third = 0, fourth = 0] = firstMs.values();
  // 250 ms from the moment at which the answers came; the first attempt itself begins a little later.
  expect(second - first).toBeGreaterThan(200);
  expect(third - second).toBeGreaterThan(200);
  // At once after the refusal.
  expect(fourth - third).toBeLessThan(200);
});
