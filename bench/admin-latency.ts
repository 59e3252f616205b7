/**
 * How long an administrator waits: requests of the admin protocol, one after the other, each with its association and
 * its login, while nothing else happens and while clients come and go as fast as they can.
 *
 * usage: bun bench/admin-latency.ts [REQUESTS]      (500)
 */

import { connectAdmin } from "../src/admin/client.ts";
import { type ProxyProcess, startProxy } from "../test/support/proxy-process.ts";
import { build } from "./build.ts";
import { startOrigin } from "./origin.ts";

const ADMIN = { username: "admin", password: "correct horse" } as const;
const LOAD_SECONDS_MAX = 60;

/** Latencies of `count` requests, in milliseconds, in ascending order. */
async function ask(proxy: ProxyProcess, count: number): Promise<number[]> {
  const { admin, admin_udp_port: udpPort } = proxy.readyFields;
  const port = Number(String(admin).match(/:(\d+)/)?.[1]);
  const client = await connectAdmin({ ...ADMIN, transport: "udp", port, udpPort: Number(udpPort) });
  const latencies: number[] = [];
  for (let done = 0; done < count; done++) {
    const began = performance.now();
    await client.concurrent();
    latencies.push(performance.now() - began);
  }
  return latencies.sort((a, b) => a - b);
}

/** Clients that come and go, 50 at once, until the function that is returned is called. */
function startLoad(proxy: ProxyProcess, originPort: number): () => Promise<void> {
  const child = Bun.spawn(
    [
      ...[build("load"), "conn", "--concurrency", "50", "--count", "1000000"],
      ...["--proxy", `${proxy.port}`, "--origin", `${originPort}`],
    ],
    { stdout: "ignore", timeout: LOAD_SECONDS_MAX * 1000 },
  );
  return async () => {
    child.kill();
    await child.exited;
  };
}

function show(what: string, sorted: readonly number[]): void {
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(2);
  process.stdout.write(
    `${what}: ${sorted.length} requests, median ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms\n`,
  );
}

const count = Number(process.argv[2] ?? 500);
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write("usage: bun bench/admin-latency.ts [REQUESTS]\n");
  process.exit(2);
}
const origin = await startOrigin();
const proxy = await startProxy([
  ...["--admin-transport", "udp", "--admin", `${ADMIN.username}:${ADMIN.password}`, "--access-log", "off"],
]);
try {
  await ask(proxy, 50);
  show("at rest", await ask(proxy, count));
  const stopLoad = startLoad(proxy, origin.port);
  await ask(proxy, 50);
  show("under load", await ask(proxy, count));
  await stopLoad();
} finally {
  await proxy.stop("SIGKILL");
  await origin.stop();
}
