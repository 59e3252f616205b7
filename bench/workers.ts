/**
 * Whether two workers do twice the work of one, on a machine whose cores the load generator needs, too: each worker gets a
 * small part of a core and no more, so that there is always room for all others.
 *
 * usage: bun bench/workers.ts [--share 0.2] [--rounds 5]      (root, for control groups)
 */

import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ProxyProcess, startProxy } from "../test/support/proxy-process.ts";
import { build } from "./build.ts";
import { CpuQuota } from "./cpu-quota.ts";
import { startOrigin } from "./origin.ts";
import { summarise } from "./statistics.ts";

const WARM_UP = 30_000;
/** Of one round and one worker: a second or two at a fifth of a core. */
const CONNECTIONS_EACH = 1500;

/** The processes that serve: the proxy itself, or its workers. */
function servingProcesses(proxy: ProxyProcess, workers: number): number[] {
  if (workers === 1) return [proxy.pid];
  const children = readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, "utf8").trim().split(" ").map(Number);
  if (children.length !== workers) throw new Error(`${children.length} of ${workers} workers run`);
  return children;
}

async function connectionsPerSecond(proxy: ProxyProcess, originPort: number, count: number): Promise<number> {
  const ends = ["--proxy", `${proxy.port}`, "--origin", `${originPort}`];
  const load = Bun.spawn([build("load"), "conn", ...ends, "--concurrency", "50", "--count", `${count}`]);
  const text = await new Response(load.stdout).text();
  if ((await load.exited) !== 0) throw new Error(`the load generator failed: ${text}`);
  const { per_second, failed } = JSON.parse(text) as { per_second: number; failed: number };
  if (failed > 0) throw new Error(`${failed} connections failed`);
  return per_second;
}

const { values } = parseArgs({ options: { share: { type: "string" }, rounds: { type: "string" } } });
const share = Number(values.share ?? "0.2");
const rounds = Number(values.rounds ?? "5");
const origin = await startOrigin();
const disposables = new AsyncDisposableStack();
try {
  const start = async (workers: number): Promise<ProxyProcess> => {
    const log = join(tmpdir(), `sockeye-bench-workers-${process.pid}-${workers}.log`);
    const proxy = await startProxy(["--workers", `${workers}`, "--access-log", log]);
    const quotas = servingProcesses(proxy, workers).map((pid, index) => {
      const quota = disposables.use(new CpuQuota(`sockeye-bench-${process.pid}-${workers}-${index}`, share));
      return { pid, quota };
    });
    disposables.use(proxy);
    disposables.defer(() => Bun.file(log).delete());
    await connectionsPerSecond(proxy, origin.port, WARM_UP * workers);
    for (const { pid, quota } of quotas) quota.add(pid);
    return proxy;
  };
  const one = await start(1);
  const two = await start(2);
  const samples: { readonly one: number; readonly two: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    samples.push({
      one: await connectionsPerSecond(one, origin.port, CONNECTIONS_EACH),
      two: await connectionsPerSecond(two, origin.port, 2 * CONNECTIONS_EACH),
    });
  }
  const show = (what: string, numbers: readonly number[], digits: number): void => {
    const { median = 0, min = 0, max = 0 } = summarise(numbers) ?? {};
    const [middle, ...ends] = [median, min, max].map((value) => value.toFixed(digits));
    process.stdout.write(`${what}: ${middle} (${ends.join(" – ")})\n`);
  };
  process.stdout.write(`each worker has ${share} of a core; ${rounds} rounds, medians, lowest and highest\n`);
  show(
    "connections a second, one worker",
    samples.map((sample) => sample.one),
    0,
  );
  show(
    "connections a second, two workers",
    samples.map((sample) => sample.two),
    0,
  );
  show(
    "two over one",
    samples.map((sample) => sample.two / sample.one),
    2,
  );
} finally {
  await disposables.disposeAsync();
  await origin.stop();
}
