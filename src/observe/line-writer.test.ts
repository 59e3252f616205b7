import { describe, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { until } from "../../test/support/deadline.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { FAILED_RETRY_MS, LineWriter, SLOW_RETRY_MS, type WriterChange } from "./line-writer.ts";
import { POOLED_GATHER_MS } from "./outlet.ts";

/** A writer on a clock that only the test moves. */
function open(path: string, queueBytesMax = 1_000_000, immediate = false) {
  const clock = new ManualClock();
  const changes: WriterChange[] = [];
  const onChange = (change: WriterChange) => void changes.push(change);
  const writer = new LineWriter({ target: { kind: "file", path }, queueBytesMax, immediate, onChange }, clock);
  return { clock, changes, writer };
}

/** A named pipe with its reading end, which holds 64 KiB and reads when the test says so. */
function fifo(path: string) {
  Bun.spawnSync(["mkfifo", path]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(1 << 20);
  let text = "";
  const read = (): string => {
    try {
      text += buffer.toString("utf8", 0, readSync(fd, buffer));
    } catch (error) {
      // Empty.
      expect(error).toHaveProperty("code", "EAGAIN");
    }
    return text;
  };
  return { read, [Symbol.dispose]: () => closeSync(fd) };
}

const numbered = (from: number, to: number): string[] => {
  return Array.from({ length: to - from }, (_, index) => `${from + index} ${"x".repeat(100)}`);
};
const fileLines = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

describe("a file", () => {
  test("gets lines in order, gathered for a moment", async () => {
    using dir = scratchDir();
    const { clock, changes, writer } = open(dir.file("log"));
    const lines = ["first", ...numbered(0, 5000), "ü"];
    writer.write("first");
    expect(readFileSync(dir.file("log"), "utf8")).toBe("");
    clock.advance(POOLED_GATHER_MS);
    await until(() => fileLines(dir.file("log")).length === 1, 5000, "the first line");
    for (const line of lines.slice(1)) writer.write(line);
    await writer.close(1000);
    expect(fileLines(dir.file("log"))).toEqual(lines);
    expect(changes).toEqual([]);
    expect(writer.lost()).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });

  test("is appended to, and nobody else may read it", async () => {
    using dir = scratchDir();
    await Bun.write(dir.file("log"), "old\n");
    const { writer } = open(dir.file("log"));
    writer.write("new");
    await writer.close(1000);
    expect(fileLines(dir.file("log"))).toEqual(["old", "new"]);
    const fresh = open(dir.file("fresh"));
    await fresh.writer.close(1000);
    expect((await Bun.file(dir.file("fresh")).stat()).mode & 0o007).toBe(0);
  });

  test("that cannot be opened is an error at the start", () => {
    using dir = scratchDir();
    expect(() => open(dir.file("nowhere/log"))).toThrow("ENOENT");
  });

  test("immediate: the line is out when write returns", () => {
    using dir = scratchDir();
    const { writer } = open(dir.file("log"), 1000, true);
    writer.write("now");
    expect(fileLines(dir.file("log"))).toEqual(["now"]);
  });
});

describe("reopen", () => {
  test("after a rotation loses and repeats nothing", async () => {
    using dir = scratchDir();
    const { clock, writer } = open(dir.file("log"));
    const lines = numbered(0, 4000);
    for (const [index, line] of lines.entries()) {
      writer.write(line);
      if (index % 1000 === 999) {
        renameSync(dir.file("log"), dir.file(`log.${index}`));
        writer.reopen();
        clock.advance(POOLED_GATHER_MS);
        await until(() => existsSync(dir.file("log")), 5000, "the new file");
      }
    }
    await writer.close(1000);
    const parts = [999, 1999, 2999, 3999].map((index) => dir.file(`log.${index}`));
    expect([...parts, dir.file("log")].flatMap(fileLines)).toEqual(lines);
  });

  test("that fails says so and goes on with the old file", async () => {
    using dir = scratchDir();
    mkdirSync(dir.file("logs"));
    const { changes, writer } = open(dir.file("logs/log"));
    renameSync(dir.file("logs"), dir.file("moved"));
    writer.reopen();
    writer.write("still here");
    await writer.close(1000);
    expect(changes).toEqual([{ kind: "not-reopened", code: "ENOENT" }]);
    expect(fileLines(dir.file("moved/log"))).toEqual(["still here"]);
  });
});

describe("a pipe with a slow reader", () => {
  test("holds nobody up; what is beyond the queue is lost and counted, the rest arrives whole", async () => {
    using dir = scratchDir();
    using reader = fifo(dir.file("pipe"));
    const { clock, changes, writer } = open(dir.file("pipe"), 100_000);
    const lines = numbered(0, 3000);
    for (const line of lines) writer.write(line);
    expect(changes).toEqual([{ kind: "losing" }]);
    const lost = writer.lost();
    expect(lost).toBeGreaterThan(1000);
    while (!reader.read().includes(`\n${lines.length - lost - 1} `)) clock.advance(SLOW_RETRY_MS);
    clock.advance(SLOW_RETRY_MS);
    expect(changes).toEqual([{ kind: "losing" }, { kind: "recovered", lostLines: lost }]);
    writer.write("after");
    await writer.close(1000);
    expect(reader.read().split("\n").slice(0, -1)).toEqual([...lines.slice(0, lines.length - lost), "after"]);
  });

  test("a slow reader that loses nothing is no news", async () => {
    using dir = scratchDir();
    using reader = fifo(dir.file("pipe"));
    const { clock, changes, writer } = open(dir.file("pipe"));
    for (const line of numbered(0, 1000)) writer.write(line);
    clock.advance(POOLED_GATHER_MS);
    while (!reader.read().includes("\n999 ")) clock.advance(SLOW_RETRY_MS);
    expect(changes).toEqual([]);
    await writer.close(1000);
  });

  test("close waits for it no longer than the limit, and counts what is left", async () => {
    using dir = scratchDir();
    using reader = fifo(dir.file("pipe"));
    const { clock, writer } = open(dir.file("pipe"));
    const lines = numbered(0, 3000);
    for (const line of lines) writer.write(line);
    const closed = writer.close(500);
    clock.advance(500);
    await closed;
    const arrived = reader.read().split("\n").slice(0, -1);
    expect(arrived.length + writer.lost()).toBe(lines.length);
    expect(writer.lost()).toBeGreaterThan(0);
    writer.write("late");
    expect(arrived.length + writer.lost()).toBe(lines.length + 1);
  });
});

test("a reader that goes away and comes back: EPIPE is told once, and nothing kept is lost", async () => {
  using dir = scratchDir();
  const path = dir.file("pipe");
  const first = fifo(path);
  const { clock, changes, writer } = open(path);
  first[Symbol.dispose]();
  writer.write("kept");
  clock.advance(POOLED_GATHER_MS);
  clock.advance(3 * FAILED_RETRY_MS);
  expect(changes).toEqual([{ kind: "failing", code: "EPIPE" }]);
  using second = fifo(path);
  clock.advance(FAILED_RETRY_MS);
  expect(second.read()).toBe("kept\n");
  expect(changes.at(-1)).toEqual({ kind: "recovered", lostLines: 0 });
  await writer.close(1000);
});

describe("a full disk", () => {
  test("is told once and tried again; a reopened file gets what was kept", async () => {
    using dir = scratchDir();
    symlinkSync("/dev/full", dir.file("log"));
    const { clock, changes, writer } = open(dir.file("log"), 1000);
    for (let i = 0; i < 20; i++) writer.write("x".repeat(99));
    clock.advance(10 * FAILED_RETRY_MS);
    expect(changes).toEqual([{ kind: "losing" }, { kind: "failing", code: "ENOSPC" }]);
    expect(writer.lost()).toBe(10);
    rmSync(dir.file("log"));
    writer.reopen();
    await until(() => changes.length === 3, 5000, "the recovery");
    expect(changes[2]).toEqual({ kind: "recovered", lostLines: 10 });
    expect(fileLines(dir.file("log"))).toHaveLength(10);
    await writer.close(1000);
  });

  test.skipIf(process.getuid?.() !== 0)("that has room again gets every kept line whole", async () => {
    using dir = scratchDir();
    const mount = dir.file("disk");
    mkdirSync(mount);
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount]).exitCode).toBe(0);
    try {
      await Bun.write(`${mount}/ballast`, Buffer.alloc(40_000));
      const { clock, changes, writer } = open(`${mount}/log`);
      const lines = numbered(0, 300);
      for (const line of lines) writer.write(line);
      clock.advance(POOLED_GATHER_MS);
      await until(() => changes.length > 0, 5000, "the disk to be full");
      expect(changes).toEqual([{ kind: "failing", code: "ENOSPC" }]);
      rmSync(`${mount}/ballast`);
      clock.advance(FAILED_RETRY_MS);
      await until(() => changes.length > 1, 5000, "the recovery");
      await writer.close(1000);
      expect(fileLines(`${mount}/log`)).toEqual(lines);
    } finally {
      Bun.spawnSync(["umount", mount]);
    }
  });
});
