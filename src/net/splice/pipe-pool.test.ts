import { describe, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { F_SETPIPE_SZ, type Libc, libc } from "../libc.ts";
import { type Pipe, PipePool } from "./pipe-pool.ts";

const pipeDescriptors = (): number =>
  readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith("pipe:");
    } catch (error) {
      // The descriptor by which the directory was read.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
      throw error;
    }
  }).length;

describe.skipIf(libc === undefined)("PipePool", () => {
  const c = libc as Libc;

  test("opens no pipe before one is wanted, and none beyond the limit", () => {
    const before = pipeDescriptors();
    const pool = new PipePool(c, 2);
    expect(pipeDescriptors()).toBe(before);
    const first = pool.take() as Pipe;
    const second = pool.take() as Pipe;
    expect(pool.take()).toBeUndefined();
    expect(pool.hasRoom).toBe(false);
    expect(pool.taken).toBe(2);
    expect(pipeDescriptors()).toBe(before + 4);
    pool.giveBack(first, true);
    expect(pool.hasRoom).toBe(true);
    expect(pool.take()).toBe(first);
    pool.giveBack(first, true);
    pool.giveBack(second, true);
    pool.close();
    expect(pipeDescriptors()).toBe(before);
  });

  test("a pipe with bytes in it is closed, and makes room for another", () => {
    const before = pipeDescriptors();
    const pool = new PipePool(c, 1);
    const pipe = pool.take() as Pipe;
    pool.giveBack(pipe, false);
    expect(pool.open).toBe(0);
    expect(pipeDescriptors()).toBe(before);
    expect(pool.take()).toBeDefined();
    expect(pool.open).toBe(1);
  });

  test("a pipe that may not be as large as it must be is none", () => {
    const before = pipeDescriptors();
    const poor: Libc = {
      ...c,
      fcntl: (fd, command, size) => (command === F_SETPIPE_SZ ? -1 : c.fcntl(fd, command, size)),
    };
    const pool = new PipePool(poor, 4);
    expect(pool.take()).toBeUndefined();
    expect(pool.open).toBe(0);
    expect(pipeDescriptors()).toBe(before);
  });

  test("no descriptors left: no pipe", () => {
    const pool = new PipePool({ ...c, pipe2: () => -1 }, 4);
    expect(pool.take()).toBeUndefined();
    expect(pool.hasRoom).toBe(true);
  });
});
