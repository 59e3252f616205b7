/** The logs on what a process inherits as its stdout and stderr: slow, full, gone. */

import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { until, within } from "../../test/support/deadline.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";

const program = join(dirname(dirname(import.meta.dir)), "test", "support", "log-flood.ts");
const dir = scratchDir();
/** BOUNDED by the tests below. */
const children: { kill(signal: NodeJS.Signals): void }[] = [];
afterAll(() => {
  // Those that a failed test has left; the others have ended.
  for (const child of children) child.kill("SIGKILL");
  dir[Symbol.dispose]();
});

let count = 0;

/** Runs the program with both of its streams on what `stdio` is, until it has shown that it lives. */
async function flood(stdio: number | "ignore") {
  const report = dir.file(`report-${count++}`);
  const child = Bun.spawn([process.execPath, program, report], { stdio: ["ignore", stdio, stdio] });
  children.push(child);
  const end = async (): Promise<number> => {
    child.kill("SIGTERM");
    return await within(child.exited, 5000, "the program to end");
  };
  try {
    const isThere = () => existsSync(report) && readFileSync(report, "utf8").endsWith("}");
    await until(isThere, 10_000, `a sign of life (exit code ${child.exitCode})`);
    return { pid: child.pid, report: JSON.parse(readFileSync(report, "utf8")), end };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/** Both ends of a pipe that nobody reads, in blocking mode, as a shell would hand it over. */
function pipe() {
  const path = dir.file(`pipe-${count++}`);
  Bun.spawnSync(["mkfifo", path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

describe("stdout and stderr", () => {
  test("a pipe that nobody reads stops nothing, not even the thread pool; the end comes in time", async () => {
    const { reader, writer } = pipe();
    const { report, end } = await flood(writer);
    expect(report.hashed).toBe(true);
    expect(report.lost).toBeGreaterThan(10_000);
    expect(await end()).toBe(0);
    closeSync(reader);
    closeSync(writer);
  });

  test("the flags of an inherited pipe stay as they were: others use it, too", async () => {
    const { reader, writer } = pipe();
    const { pid, end } = await flood(writer);
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/1`, "utf8"))?.[1] ?? "";
    expect(flags).not.toBe("");
    expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).toBe(0);
    await end();
    closeSync(reader);
    closeSync(writer);
  });

  test("a reader that has gone ends nothing", async () => {
    const { reader, writer } = pipe();
    closeSync(reader);
    const { report, end } = await flood(writer);
    expect(report.hashed).toBe(true);
    expect(await end()).toBe(0);
    closeSync(writer);
  });

  test("a full disk ends nothing", async () => {
    const full = openSync("/dev/full", "w");
    const { report, end } = await flood(full);
    expect(report.hashed).toBe(true);
    expect(await end()).toBe(0);
    closeSync(full);
  });

  test("a file gets all", async () => {
    const path = dir.file("both");
    const file = openSync(path, "a");
    const { end } = await flood(file);
    expect(await end()).toBe(0);
    const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
    expect(lines.filter((line) => line.includes('"i":'))).toHaveLength(20_000);
    closeSync(file);
  });

  // Python makes the pair: neither Bun nor the shell can hand a socket to a child.
  const python = Bun.which("python3");
  test.skipIf(python === null)("a socket that nobody reads, as systemd's journal may be, stops nothing", async () => {
    const report = dir.file("report-socket");
    const script = `
import os, socket, subprocess, sys, time
ours, theirs = socket.socketpair()
child = subprocess.Popen([sys.argv[1], sys.argv[2], sys.argv[3]], stdout=theirs, stderr=theirs)
end = time.time() + 10
while time.time() < end and not os.path.exists(sys.argv[3]): time.sleep(0.02)
child.terminate()
sys.exit(child.wait(5))
`;
    const run = Bun.spawn([python ?? "", "-c", script, process.execPath, program, report], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    expect(await within(run.exited, 15_000, "the program to end")).toBe(0);
    expect(JSON.parse(readFileSync(report, "utf8")).hashed).toBe(true);
  });
});
