/** `bin/sockeye serve` as a child process, as a user would run it. For the end-to-end, interop and soak tests. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { within } from "./deadline.ts";
import { LineLog } from "./line-log.ts";

const root = dirname(dirname(import.meta.dir));

/** The program under test: this clone's, unless SOCKEYE_EXECUTABLE names another, such as an installed one. */
const executable = process.env["SOCKEYE_EXECUTABLE"] ?? join(root, "bin", "sockeye");

/** Free ports for everything that listens besides SOCKS, so that any number of proxies run side by side. */
export const OTHER_PORTS: readonly string[] = ["--admin-port", "0", "--admin-udp-port", "0"];
const OWN_PORTS: readonly string[] = ["--port", "0", ...OTHER_PORTS];

let stateDirectory: string | undefined;

/** Where the proxies of this process keep a generated administrator's password: not in the home of who runs the tests. */
function ownStateDirectory(): string {
  if (stateDirectory === undefined) {
    const made = mkdtempSync(join(tmpdir(), "sockeye-test-state-"));
    stateDirectory = made;
    process.on("exit", () => rmSync(made, { recursive: true }));
  }
  return stateDirectory;
}

/**
 * Options that every proxy of a test run gets besides its own, such as `SOCKEYE_TEST_OPTIONS="--splice always"`: the same
 * tests for another way of doing the same.
 */
const COMMON_OPTIONS: readonly string[] = (process.env["SOCKEYE_TEST_OPTIONS"] ?? "").split(" ").filter(Boolean);

/** An address that the ready line names. */
export interface BoundAddress {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface ProxyOptions {
  /** Put before the command, such as `["ip", "netns", "exec", "x"]` or {@link Namespace.prefix}. */
  readonly prefix?: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another installation's program. */
  readonly executable?: string;
  /**
   * The most descriptors the process may have (RLIMIT_NOFILE); the test's own limit when absent. Leaves out
   * `SOCKEYE_TEST_OPTIONS`, for with workers each of them has as many.
   */
  readonly descriptorsMax?: number;
  /** Leaves out the free ports that are given otherwise: the arguments say all. */
  readonly argumentsOnly?: boolean;
  /** Leaves out `SOCKEYE_TEST_OPTIONS`: the test is about one way of doing it. */
  readonly withoutCommonOptions?: boolean;
  /** Milliseconds until the ready line must be there; 15,000 when absent. */
  readonly readyLimitMs?: number;
}

/** A proxy that runs. */
export interface ProxyProcess extends AsyncDisposable {
  readonly pid: number;
  /** All addresses of the ready line, in its order. */
  readonly addresses: readonly BoundAddress[];
  /** The SOCKS port: the one of the first address. */
  readonly port: number;
  /** The fields of the ready line, where it is JSON. */
  readonly readyFields: Readonly<Record<string, unknown>>;
  readonly stdout: LineLog;
  readonly stderr: LineLog;
  /** Resolves with the exit status, 128 + number for a signal, once the process and its output have ended. */
  readonly exited: Promise<number>;
  /** Sends a signal and returns at once. */
  kill(signal: NodeJS.Signals): void;
  /** Sends `signal` (SIGTERM when absent), waits for the end, at most `limitMs` (15,000), and returns the exit status. */
  stop(signal?: NodeJS.Signals, limitMs?: number): Promise<number>;
  /** The access log's lines, when it goes to stdout, as it does by default. */
  accessLog(): Record<string, unknown>[];
}

/**
 * Starts `bin/sockeye serve` with `args` on free ports and waits until it is ready.
 *
 * @throws Error with the whole of its stderr when it ends, or is not ready in time.
 */
export async function startProxy(args: readonly string[] = [], options: ProxyOptions = {}): Promise<ProxyProcess> {
  const serve = [
    "serve",
    ...(options.argumentsOnly ? [] : OWN_PORTS),
    ...(options.withoutCommonOptions || options.descriptorsMax !== undefined ? [] : COMMON_OPTIONS),
    ...args,
  ];
  const limit =
    options.descriptorsMax === undefined ? [] : ["sh", "-c", `ulimit -n ${options.descriptorsMax}; exec "$0" "$@"`];
  const child = Bun.spawn([...(options.prefix ?? []), ...limit, options.executable ?? executable, ...serve], {
    cwd: options.cwd ?? root,
    env: { ...process.env, SOCKEYE_STATE_DIR: ownStateDirectory(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout = new LineLog("stdout of the proxy");
  const stderr = new LineLog("stderr of the proxy");
  const output = Promise.all([stdout.collect(child.stdout), stderr.collect(child.stderr)]);
  const exited = Promise.all([child.exited, output]).then(([status]) => status);

  const stop = async (signal: NodeJS.Signals = "SIGTERM", limitMs = 15_000): Promise<number> => {
    child.kill(signal);
    try {
      return await within(exited, limitMs, `the proxy to end on ${signal}`);
    } catch (error) {
      child.kill("SIGKILL");
      await exited;
      throw error;
    }
  };

  let ready: string;
  try {
    ready = await stderr.waitFor(isReadyLine, options.readyLimitMs ?? 15_000);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const addresses = parseReadyLine(ready);
  return {
    pid: child.pid,
    addresses,
    port: addresses[0]?.port ?? 0,
    readyFields: ready.startsWith("{") ? (JSON.parse(ready) as Record<string, unknown>) : {},
    stdout,
    stderr,
    exited,
    kill: (signal) => child.kill(signal),
    stop,
    accessLog: () => stdout.objects(),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await exited;
      }
    },
  };
}

/** What a run of `bin/sockeye` that ends by itself has left. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bin/sockeye` with `args` to its end: wrong usage, `--help`, `ctl`, `hash-password`. */
export async function runSockeye(
  args: readonly string[],
  options: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<CommandResult> {
  const child = Bun.spawn([executable, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdin: new Blob([options.stdin ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [status, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status, stdout, stderr };
}

const isReadyLine = (line: string): boolean => /\bready\b/.test(line);

/** `127.0.0.1:1080` and `[::1]:1080`, wherever they stand in the line. */
function parseReadyLine(line: string): BoundAddress[] {
  const matches = line.matchAll(/\[([0-9a-fA-F:.%\w]+)\]:(\d{1,5})\b|\b(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})\b/g);
  return [...matches].map((match) => ({ host: match[1] ?? match[3] ?? "", port: Number(match[2] ?? match[4]) }));
}
