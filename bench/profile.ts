/**
 * Where Sockeye's CPU time goes, workload by workload: which threads take it, which system calls are made how often, and
 * which functions are running when a sample is taken. Prints the tables of docs/profiles.md.
 *
 * usage: bun bench/profile.ts [WORKLOAD,WORKLOAD …]      (Linux; strace for the system calls)
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../test/support/deadline.ts";
import { freePort } from "../test/support/free-port.ts";
import { OTHER_PORTS } from "../test/support/proxy-process.ts";
import { build } from "./build.ts";
import { adopt } from "./children.ts";
import { startOrigin } from "./origin.ts";
import { accepts, USER } from "./servers.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const PROFILED = ["conn", "conn-user", "conn-name", "echo-100", "bulk-down-8", "udp-100-1200"];
const WARM_UP = 40_000;
/** Of the runs that are measured and sampled. */
const SECONDS = 3;
/** Of the run under strace, which takes ten times as long. */
const TRACED_SECONDS = 0.4;
const ROWS = 8;
const WRITE_LIMIT_MS = 10_000;

const root = join(import.meta.dir, "..");
const scratch = mkdtempSync(join(tmpdir(), "sockeye-profile-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const samplesFile = join(scratch, "samples.json");

type Count = readonly [name: string, count: number];

/** A proxy under a workload. */
class Subject {
  readonly #workload: Workload;
  readonly #originPort: number;
  readonly #port: number;
  readonly #child: Bun.Subprocess;

  private constructor(workload: Workload, originPort: number, port: number, child: Bun.Subprocess) {
    this.#workload = workload;
    this.#originPort = originPort;
    this.#port = port;
    this.#child = child;
  }

  /** Starts a proxy and warms it by connections. @param preload - A module that Bun loads before it. */
  static async start(workload: Workload, originPort: number, ...preload: readonly string[]): Promise<Subject> {
    const port = freePort();
    const serve = ["serve", "--listen", "127.0.0.1", "--port", `${port}`, ...OTHER_PORTS];
    const user = workload.needs === "users" ? ["--user", `${USER.name}:${USER.password}`] : [];
    const diagnostics = Bun.file(join(scratch, "stderr.log"));
    const bun = [process.execPath, "--no-env-file", "--no-install", ...preload.flatMap((path) => ["--preload", path])];
    // As bin/sockeye has it.
    const engine = { BUN_JSC_forceCodeBlockLiveness: "1" };
    const env = { ...process.env, ...engine, SOCKEYE_STATE_DIR: join(scratch, "state"), SAMPLES_FILE: samplesFile };
    const log = ["--access-log", join(scratch, "access.log")];
    const command = [...bun, join(root, "src", "cli", "main.ts"), ...serve, ...user, ...log];
    const child = adopt(Bun.spawn(command, { stdin: "ignore", stderr: diagnostics, env }));
    await accepts(port, child, "the proxy", diagnostics);
    const subject = new Subject(workload, originPort, port, child);
    await subject.load(["conn", "--concurrency", "50", "--count", `${WARM_UP}`]);
    return subject;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Runs the workload; the line of the load generator. */
  run(seconds: number, ...more: readonly string[]): Promise<Record<string, number>> {
    return this.load([...this.#workload.args(seconds), ...more]);
  }

  async load(args: readonly string[]): Promise<Record<string, number>> {
    const user = this.#workload.needs === "users" ? ["--user", `${USER.name}:${USER.password}`] : [];
    const ends = ["--proxy", `${this.#port}`, "--origin", `${this.#originPort}`, "--pid", `${this.pid}`];
    const child = adopt(Bun.spawn([build("load"), ...args, ...ends, ...user], { stdout: "pipe", stderr: "inherit" }));
    const text = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`the load generator failed: ${text}`);
    return JSON.parse(text) as Record<string, number>;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.exited;
  }
}

/** CPU nanoseconds of each thread so far, by its number, with its name. */
function threads(pid: number): Map<string, Count> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((id) => {
      const task = `/proc/${pid}/task/${id}`;
      const name = readFileSync(`${task}/comm`, "utf8").trim();
      return [id, [name, Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0])]];
    }),
  );
}

/** What the threads took between two looks, in percent, those of a kind together, most first. */
function threadShares(before: Map<string, Count>, after: Map<string, Count>, main: number): Count[] {
  const sums = new Map<string, number>();
  for (const [id, [name, ns]] of after) {
    const kind = Number(id) === main ? "the program" : name.replace(/ \d+$/, "");
    sums.set(kind, (sums.get(kind) ?? 0) + ns - (before.get(id)?.[1] ?? 0));
  }
  const all = [...sums.values()].reduce((sum, ns) => sum + ns, 0);
  return [...sums].map(([name, ns]): Count => [name, (100 * ns) / all]).sort((a, b) => b[1] - a[1]);
}

/** System calls while `run` goes on, most first. */
async function systemCalls(pid: number, run: () => Promise<void>): Promise<Count[]> {
  const out = join(scratch, "strace");
  const strace = adopt(Bun.spawn(["strace", "-f", "-c", "-o", out, "-p", `${pid}`], { stderr: "pipe" }));
  // It says when it has attached.
  await strace.stderr.getReader().read();
  await run();
  strace.kill("SIGINT");
  await strace.exited;
  return readFileSync(out, "utf8")
    .split("\n")
    .flatMap((line): Count[] => {
      const [, calls, name] = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/.exec(line) ?? [];
      return name === undefined || name === "total" ? [] : [[name, Number(calls)]];
    })
    .sort((a, b) => b[1] - a[1]);
}

/** Units of a run: connections with those that warm up, messages, or GiB. */
function unitsOf(line: Record<string, number>): number {
  if (line["count"] === undefined) return (line["gib_per_second"] ?? 0) * (line["seconds"] ?? 0);
  return String(line["mode"]) === "conn" ? line["count"] * 1.1 : line["count"];
}

/** Share of the samples, function and place, most first. */
async function hotFunctions(workload: Workload, originPort: number): Promise<string[]> {
  const subject = await Subject.start(workload, originPort, join(import.meta.dir, "sample-on-signal.ts"));
  subject.signal("SIGUSR2");
  await subject.run(SECONDS);
  subject.signal("SIGUSR2");
  await until(() => existsSync(samplesFile), WRITE_LIMIT_MS, "the samples");
  const rows = JSON.parse(readFileSync(samplesFile, "utf8")) as [name: string, place: string, hits: number][];
  rmSync(samplesFile);
  await subject.stop();
  const all = rows.reduce((sum, [, , hits]) => sum + hits, 0);
  return rows.slice(0, ROWS).map(([name, place, hits]) => {
    const where = place.replace(`${root}/`, "");
    return `| \`${name || "(anonymous)"}\` | ${where} | ${((100 * hits) / all).toFixed(1)} % |`;
  });
}

const table = (head: readonly string[], rows: readonly string[]): string =>
  [
    `| ${head.join(" | ")} |`,
    `| ${head.map((_, at) => (at < head.length - 1 ? "---" : "---:")).join(" | ")} |`,
    ...rows,
  ].join("\n");

async function profile(workload: Workload, originPort: number): Promise<string> {
  const subject = await Subject.start(workload, originPort);
  const before = threads(subject.pid);
  const line = await subject.run(SECONDS);
  const shares = threadShares(before, threads(subject.pid), subject.pid).filter(([, percent]) => percent >= 0.5);
  let units = 0;
  const calls = await systemCalls(subject.pid, async () => {
    units = unitsOf(await subject.run(TRACED_SECONDS, "--warmup", "0"));
  });
  await subject.stop();
  const each = line["cpu_us_each"];
  const cost = each === undefined ? `${line["cpu_s_per_gib"]} s a GiB` : `${each.toFixed(1)} µs each`;
  return [
    `## ${workload.title}`,
    `CPU: ${cost}; of it ${shares.map(([name, percent]) => `${name} ${percent.toFixed(1)} %`).join(", ")}.`,
    table(
      ["system call", "a unit"],
      calls.slice(0, ROWS).map(([name, count]) => `| ${name} | ${(count / units).toFixed(2)} |`),
    ),
    table(["function", "where", "samples"], await hotFunctions(workload, originPort)),
  ].join("\n\n");
}

const wanted = process.argv[2]?.split(",") ?? PROFILED;
if (Bun.which("strace") === null) throw new Error("strace is not installed");
const origin = await startOrigin();
try {
  for (const id of wanted) {
    const workload = WORKLOADS.find((candidate) => candidate.id === id);
    if (workload === undefined) throw new Error(`unknown workload: ${id}`);
    process.stdout.write(`${await profile(workload, origin.port)}\n\n`);
  }
} finally {
  await origin.stop();
}
