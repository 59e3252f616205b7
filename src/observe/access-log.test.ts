import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { until } from "../../test/support/deadline.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { openAccessLog } from "./access-log.ts";
import { createLog } from "./log.ts";

/** An access log, and the diagnostics that it causes, each as level and message. */
function open(path: string, queueBytes = 1_000_000) {
  const clock = new ManualClock();
  const diagnostics: { level: string; message: string; [field: string]: unknown }[] = [];
  const log = createLog(
    { level: "debug", format: "json" },
    { isTerminal: false, write: (line) => void diagnostics.push(JSON.parse(line)), wallMs: () => clock.wallMs() },
  );
  return { clock, diagnostics, accessLog: openAccessLog({ path, queueBytes }, log, clock) };
}

test("off: takes lines, and loses none, since none are wanted", async () => {
  const { accessLog, clock } = open("off");
  accessLog.write("line");
  accessLog.reopen();
  await accessLog.close(0);
  expect(accessLog.lost()).toBe(0);
  expect(clock.pendingCount).toBe(0);
});

test("a file gets the lines", async () => {
  using dir = scratchDir();
  const { accessLog, diagnostics } = open(dir.file("access.log"));
  accessLog.write('{"a":1}');
  accessLog.write('{"b":2}');
  await accessLog.close(1000);
  expect(readFileSync(dir.file("access.log"), "utf8")).toBe('{"a":1}\n{"b":2}\n');
  expect(diagnostics).toEqual([]);
});

test("lines given as bytes count like others, and their memory may be used again at once", async () => {
  using dir = scratchDir();
  const { accessLog, diagnostics } = open(dir.file("access.log"), 30);
  const bytes = Buffer.from("0123456789, and more that is not meant");
  accessLog.writeBytes(bytes, 10);
  bytes.write("9876543210");
  accessLog.writeBytes(bytes, 10);
  accessLog.write("short");
  // Of 30 bytes 28 are taken, newlines among them.
  accessLog.writeBytes(bytes, 2);
  await accessLog.close(1000);
  expect(readFileSync(dir.file("access.log"), "utf8")).toBe("0123456789\n9876543210\nshort\n");
  expect(accessLog.lost()).toBe(1);
  expect(diagnostics.map(({ level }) => level)).toEqual(["warn", "info"]);
});

describe("the operator learns", () => {
  test("that the disk is full, that lines are lost, and how many when it is over", async () => {
    using dir = scratchDir();
    symlinkSync("/dev/full", dir.file("log"));
    const { accessLog, clock, diagnostics } = open(dir.file("log"), 25);
    accessLog.write("0123456789");
    clock.advance(1000);
    for (let i = 0; i < 5; i++) accessLog.write("0123456789");
    clock.advance(10_000);
    rmSync(dir.file("log"));
    accessLog.reopen();
    await until(() => diagnostics.length === 3, 5000, "the recovery");
    expect(diagnostics).toMatchObject([
      {
        level: "warn",
        message: expect.stringContaining("cannot be written"),
        target: dir.file("log"),
        error: "ENOSPC",
      },
      { level: "warn", message: expect.stringContaining("loses lines") },
      { level: "info", message: expect.stringContaining("written again"), lost_lines: 4 },
    ]);
    await accessLog.close(1000);
  });

  test("how many lines the end has cost", async () => {
    const { accessLog, clock, diagnostics } = open("/dev/full");
    for (let i = 0; i < 3; i++) accessLog.write("0123456789");
    const closed = accessLog.close(1000);
    clock.advance(1000);
    await closed;
    expect(diagnostics.at(-1)).toMatchObject({ level: "error", target: "/dev/full", lost_lines: 3 });
    expect(accessLog.lost()).toBe(3);
  });

  test("that a rotated file could not be opened anew", async () => {
    using dir = scratchDir();
    mkdirSync(dir.file("logs"));
    const { accessLog, diagnostics } = open(dir.file("logs/log"));
    renameSync(dir.file("logs"), dir.file("moved"));
    accessLog.reopen();
    expect(diagnostics).toMatchObject([
      { level: "error", message: expect.stringContaining("the old file stays in use"), error: "ENOENT" },
    ]);
    await accessLog.close(1000);
  });
});
