/**
 * The benchmark: `npm run bench`. Runs every workload against every server in turn, round after round, so that what
 * disturbs the machine disturbs all of them alike. METHOD.md says what is measured and why.
 *
 * Prints the report on stdout and writes the data into bench/results.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "../test/support/seeded-random.ts";
import { build } from "./build.ts";
import { adopt } from "./children.ts";
import { thisMachine } from "./machine.ts";
import { startOrigin } from "./origin.ts";
import { report } from "./report.ts";
import type { Results, Sample } from "./results.ts";
import { type RunningServer, SERVERS, type Server, startServer, USER, versionOf } from "./servers.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const USAGE = `usage: npm run bench -- [options]

  --quick             fewer workloads, 3 short rounds: about five minutes
  --rounds N          rounds (5)
  --seconds S         how long one sample lasts (1.5)
  --servers A,B       only these: ${SERVERS.map((server) => server.id).join(", ")}
  --workloads A,B     only these: ${WORKLOADS.map((workload) => workload.id).join(", ")}
  --out FILE          where the data go (bench/results/DATE.json)
  --help
`;

interface Plan {
  readonly rounds: number;
  /** Of the workloads that want a server of their own for each sample. */
  readonly freshRounds: number;
  readonly seconds: number;
  readonly servers: readonly Server[];
  readonly workloads: readonly Workload[];
  readonly out: string;
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Picks the named ones of `all`; throws for a name that is none of them. */
function pick<Item extends { readonly id: string }>(all: readonly Item[], names: string | undefined): readonly Item[] {
  if (names === undefined) return all;
  return names.split(",").map((name) => {
    const item = all.find((candidate) => candidate.id === name);
    if (item === undefined) throw new Error(`unknown: ${name}`);
    return item;
  });
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be above 0: current value is ${text}`);
  return value;
}

function planOf(args: string[]): Plan {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      servers: { type: "string" },
      workloads: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const wanted = pick(WORKLOADS, values.workloads);
  return {
    rounds: Math.ceil(positive("rounds", values.rounds ?? (values.quick ? "3" : "5"))),
    freshRounds: values.quick ? FRESH_ROUNDS_QUICK : FRESH_ROUNDS_MAX,
    seconds: positive("seconds", values.seconds ?? (values.quick ? "0.5" : "1.5")),
    servers: pick(SERVERS, values.servers).filter(
      (server) => !values.quick || values.servers !== undefined || !server.variant,
    ),
    workloads: wanted.filter((workload) => !values.quick || values.workloads !== undefined || workload.quick),
    out: values.out ?? join(import.meta.dir, "results", `${new Date().toISOString().slice(0, 10)}.json`),
  };
}

/** Debian's own peers are installed when they can be; the others are taken where they are found. */
function installPeers(): void {
  const script = join(import.meta.dir, "..", "test", "interop", "install-packages.sh");
  const { exitCode, stderr } = Bun.spawnSync(["sh", script, "microsocks", "dante-server"]);
  if (exitCode !== 0) say(stderr.toString().trim());
}

/** One run of the load generator. */
async function generate(
  args: readonly string[],
  server: RunningServer,
  originPort: number,
  withUser: boolean,
): Promise<Record<string, unknown>> {
  const command = [
    build("load"),
    ...args,
    ...["--proxy", `${server.port}`, "--origin", `${originPort}`],
    ...(server.pid === undefined ? [] : ["--pid", `${server.pid}`]),
    ...(withUser ? ["--user", `${USER.name}:${USER.password}`] : []),
  ];
  const load = adopt(Bun.spawn(command, { stdout: "pipe", stderr: "pipe" }));
  const [status, stdout, stderr] = await Promise.all([
    load.exited,
    new Response(load.stdout).text(),
    new Response(load.stderr).text(),
  ]);
  if (status !== 0) return { error: stderr.trim() };
  const line = JSON.parse(stdout) as Record<string, unknown>;
  const rssKib = line["rss_kib"];
  return typeof rssKib === "number" ? { ...line, rss_mib: rssKib / 1024 } : line;
}

const suits = (workload: Workload, server: Server): boolean =>
  (workload.needs === undefined || server.can.includes(workload.needs)) &&
  !(workload.proxiesOnly && server.id === "direct");

/**
 * Warms a server whose memory is measured: more would fill a collected heap with garbage before the tunnels come, and
 * the first figure would be as much too high as the difference too low.
 */
const FRESH_CONNECTIONS = 1000;
const FRESH_ROUNDS_MAX = 3;
const FRESH_ROUNDS_QUICK = 1;

/** Starts servers and brings them to the state in which they are measured. */
class Starter {
  readonly #scratch: string;
  readonly #originPort: number;
  // BOUNDED by two for each of SERVERS.
  readonly #running = new Map<string, RunningServer | undefined>();

  constructor(scratch: string, originPort: number) {
    this.#scratch = scratch;
    this.#originPort = originPort;
  }

  /**
   * A new instance, warmed by so many connections; undefined when the server is not on this machine. A peer that does not start is left out of
   * the comparison; what is ours must start.
   */
  async start(server: Server, withUser: boolean, connections: number): Promise<RunningServer | undefined> {
    try {
      const instance = await startServer(server, this.#scratch, withUser);
      if (instance === undefined || connections === 0) return instance;
      const load = ["conn", "--concurrency", "50", "--count", `${connections}`];
      await generate(load, instance, this.#originPort, withUser);
      return instance;
    } catch (error) {
      if (server.kind !== "peer") throw error;
      say(`left out: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  /** The instance that runs for the whole benchmark, one with and one without a user. */
  async shared(server: Server, withUser: boolean): Promise<RunningServer | undefined> {
    const key = `${server.id} ${withUser}`;
    if (!this.#running.has(key)) {
      this.#running.set(key, await this.start(server, withUser, server.warmUpConnections));
    }
    return this.#running.get(key);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((server) => server?.stop()));
  }
}

/** In an order of its own for each round and workload, so that nobody always comes after the same other. */
function shuffled<Item>(items: readonly Item[], random: SeededRandom): readonly Item[] {
  const all = [...items];
  for (let last = all.length - 1; last > 0; last--) {
    const at = random.below(last + 1);
    [all[last], all[at]] = [all[at] as Item, all[last] as Item];
  }
  return all;
}

/** Every workload once, not counted: each has code of its own, which is compiled, and memory, which is taken, the first time. */
async function warmUp(plan: Plan, starter: Starter, originPort: number): Promise<void> {
  for (const workload of plan.workloads) {
    if (workload.fresh) continue;
    say(`warming up  ${workload.id}`);
    for (const server of plan.servers) {
      if (!suits(workload, server)) continue;
      const withUser = workload.needs === "users";
      const instance = await starter.shared(server, withUser);
      if (instance) await generate(workload.args(plan.seconds), instance, originPort, withUser);
    }
  }
}

async function runAll(plan: Plan, originPort: number, scratch: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  // The same order in every run.
  const random = new SeededRandom(1);
  const starter = new Starter(scratch, originPort);
  const add = async (workload: Workload, server: Server, round: number, instance: RunningServer): Promise<void> => {
    const load = await generate(workload.args(plan.seconds), instance, originPort, workload.needs === "users");
    samples.push({ server: server.id, workload: workload.id, round, load });
    const shown = workload.metrics.map(({ key }) => {
      const value = key.split(".").reduce<unknown>((at, part) => (at as Record<string, unknown> | null)?.[part], load);
      return `${key} ${value}`;
    });
    say(`round ${round + 1}  ${workload.id.padEnd(12)} ${server.id.padEnd(14)} ${shown.join("  ")}`);
    if (load["error"] !== undefined) say(`  ${load["error"]}`);
  };
  try {
    await warmUp(plan, starter, originPort);
    for (let round = 0; round < plan.rounds; round++) {
      for (const workload of plan.workloads) {
        // Each sample wants a server of its own, and seconds of waiting.
        if (workload.fresh && round >= plan.freshRounds) continue;
        for (const server of shuffled(plan.servers, random)) {
          if (!suits(workload, server)) continue;
          if (workload.fresh) {
            const instance = await starter.start(server, false, FRESH_CONNECTIONS);
            if (instance) await add(workload, server, round, instance);
            await instance?.stop();
          } else {
            const instance = await starter.shared(server, workload.needs === "users");
            if (instance) await add(workload, server, round, instance);
          }
        }
      }
    }
  } finally {
    await starter.stopAll();
  }
  return samples;
}

async function main(plan: Plan): Promise<void> {
  installPeers();
  const began = new Date().toISOString();
  const loadAverage = loadavg()[0] ?? 0;
  const scratch = mkdtempSync(join(tmpdir(), "sockeye-bench-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const origin = await startOrigin();
  try {
    const samples = await runAll(plan, origin.port, scratch);
    const results: Results = {
      began,
      command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
      rounds: plan.rounds,
      seconds: plan.seconds,
      loadAverage,
      machine: thisMachine(),
      servers: plan.servers
        .filter((server) => samples.some((sample) => sample.server === server.id))
        .map((server) => ({ id: server.id, title: server.title, kind: server.kind, version: versionOf(server) })),
      samples,
    };
    mkdirSync(join(plan.out, ".."), { recursive: true });
    writeFileSync(plan.out, `${JSON.stringify(results, null, 1)}\n`);
    say(`data: ${plan.out}`);
    process.stdout.write(report(results));
  } finally {
    await origin.stop();
  }
}

let plan: Plan;
try {
  plan = planOf(process.argv.slice(2));
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exit(2);
}
await main(plan);
