/** Which lines a writer writes together, and what becomes of lines that fit no block. */

import { describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync, renameSync } from "node:fs";
import { until } from "../../test/support/deadline.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { LineWriter, SLOW_RETRY_MS } from "./line-writer.ts";
import { POOLED_GATHER_MS } from "./outlet.ts";

/** A writer on a clock that only the test moves; nothing is to go wrong with it. */
function open(path: string, queueBytesMax = 1_000_000) {
  const clock = new ManualClock();
  const onChange = (change: unknown) => expect(change).toBe("no change");
  const writer = new LineWriter({ target: { kind: "file", path }, queueBytesMax, immediate: false, onChange }, clock);
  return { clock, writer };
}

/** A named pipe, of which `read` takes what there is. */
function fifo(path: string) {
  Bun.spawnSync(["mkfifo", path]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(1 << 20);
  const read = (): Buffer => Buffer.from(buffer.subarray(0, readSync(fd, buffer)));
  return { read, [Symbol.dispose]: () => closeSync(fd) };
}

describe("a file", () => {
  test("lines that come during a write wait for the next one, as long as any", async () => {
    using dir = scratchDir();
    const { clock, writer } = open(dir.file("log"));
    const text = () => readFileSync(dir.file("log"), "utf8");
    writer.write("first");
    clock.advance(POOLED_GATHER_MS);
    writer.write("during the write");
    await until(() => clock.pendingCount === 1, 5000, "the end of the write");
    expect(text()).toBe("first\n");
    writer.write("after it");
    clock.advance(POOLED_GATHER_MS - 1);
    expect(clock.pendingCount).toBe(1);
    clock.advance(1);
    await until(() => clock.pendingCount === 1, 5000, "the end of the second write");
    expect(text()).toBe("first\nduring the write\nafter it\n");
    await writer.close(1000);
  });

  test("a small queue is written before it is full, and loses nothing", async () => {
    using dir = scratchDir();
    const { clock, writer } = open(dir.file("log"), 65_536);
    for (let i = 0; i < 600; i++) writer.write("x".repeat(99));
    await until(() => clock.pendingCount === 1, 5000, "the end of the first write");
    expect(readFileSync(dir.file("log")).length).toBeGreaterThan(30_000);
    for (let i = 0; i < 300; i++) writer.write("y".repeat(99));
    await writer.close(1000);
    expect(readFileSync(dir.file("log"), "utf8")).toBe(
      `${"x".repeat(99)}\n`.repeat(600) + `${"y".repeat(99)}\n`.repeat(300),
    );
  });

  test("gets lines of any length and any characters as they are", async () => {
    using dir = scratchDir();
    const { writer } = open(dir.file("log"), 10_000_000);
    const lines = [
      "",
      "ü".repeat(200_000),
      "",
      "half of a pair: \ud834",
      "𝄞€".repeat(50_000),
      "a".repeat(262_143),
      "end",
    ];
    for (let i = 0; i < 3; i++) for (const line of lines) writer.write(line);
    await writer.close(5000);
    const expected = lines
      .map((line) => `${line}\n`)
      .join("")
      .repeat(3);
    expect(readFileSync(dir.file("log")).equals(Buffer.from(expected))).toBe(true);
    expect(writer.lost()).toBe(0);
  });
});

describe("a pipe", () => {
  test("is given what it takes at once, so that no line stays behind in part", () => {
    using dir = scratchDir();
    using pipe = fifo(dir.file("pipe"));
    const { writer } = open(dir.file("pipe"));
    // The line that has no room in the block is the last one; the pipe takes the block as a whole.
    for (let i = 0; i < 65_536 / 100; i++) writer.write(`${i} ${"x".repeat(100)}`);
    const arrived = pipe.read().toString();
    expect(arrived.length).toBeGreaterThan(65_000);
    expect(arrived.endsWith("x\n")).toBe(true);
  });

  test("without lines has no timer", () => {
    using dir = scratchDir();
    using pipe = fifo(dir.file("pipe"));
    const { clock, writer } = open(dir.file("pipe"));
    expect(clock.pendingCount).toBe(0);
    for (let i = 0; i < 3; i++) {
      writer.write("line");
      clock.advance(POOLED_GATHER_MS);
      expect(pipe.read().toString()).toBe("line\n");
      clock.advance(POOLED_GATHER_MS);
      expect(clock.pendingCount).toBe(0);
    }
  });

  test("that has taken a part of a line: after a reopening, the file has it whole", async () => {
    using dir = scratchDir();
    using pipe = fifo(dir.file("log"));
    const { clock, writer } = open(dir.file("log"));
    const lines = Array.from({ length: 80 }, (_, i) => `${i} ${"€".repeat(333)}`);
    for (const line of lines.slice(0, 40)) writer.write(line);
    clock.advance(POOLED_GATHER_MS);
    for (const line of lines.slice(40)) writer.write(line);
    clock.advance(POOLED_GATHER_MS);
    clock.advance(SLOW_RETRY_MS);
    renameSync(dir.file("log"), dir.file("old"));
    writer.reopen();
    await writer.close(1000);
    const before = pipe.read().toString().split("\n");
    const torn = before.pop() ?? "";
    const after = readFileSync(dir.file("log"), "utf8").split("\n").slice(0, -1);
    expect([...before, ...after]).toEqual(lines);
    expect(torn).not.toBe("");
  });
});
