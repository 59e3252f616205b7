/** The access log of a running proxy: rotated, slow, full. A tunnel must never notice. */

import { describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync, renameSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { runSockeye, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, Refused } from "../support/socks-client.ts";

/** A request that leaves a line in the log: nothing listens on that port. */
async function request(proxyPort: number): Promise<void> {
  const error = await openTunnel({ proxyPort, host: "127.0.0.1", port: 9 }).catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(Refused);
}

const lineCount = (path: string): number => readFileSync(path, "utf8").split("\n").length - 1;

describe("the access log", () => {
  test("rotation by SIGHUP: each line is in one file, whole", async () => {
    using dir = scratchDir();
    const path = dir.file("access.log");
    await using proxy = await startProxy(["--access-log", path]);
    for (let i = 0; i < 20; i++) await request(proxy.port);
    renameSync(path, `${path}.1`);
    proxy.kill("SIGHUP");
    await proxy.stderr.waitFor((line) => line.includes("reloaded"));
    for (let i = 0; i < 10; i++) await request(proxy.port);
    expect(await proxy.stop()).toBe(0);
    const lines = [`${path}.1`, path].flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, -1));
    expect(lines).toHaveLength(30);
    expect(lineCount(path)).toBeGreaterThanOrEqual(10);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ destination: "127.0.0.1:9", reply: 5 });
    expect(proxy.stdout.lines).toEqual([]);
  });

  test("a reader that stands still: the proxy goes on, and the lines come when it reads", async () => {
    using dir = scratchDir();
    Bun.spawnSync(["mkfifo", dir.file("pipe")]);
    const reader = openSync(dir.file("pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
    await using proxy = await startProxy(["--access-log", dir.file("pipe")]);
    const count = 600;
    for (let done = 0; done < count; done += 20)
      await Promise.all(Array.from({ length: 20 }, () => request(proxy.port)));
    let text = "";
    const buffer = Buffer.alloc(1 << 16);
    const read = (): boolean => {
      try {
        text += buffer.toString("utf8", 0, readSync(reader, buffer));
      } catch (error) {
        expect(error).toHaveProperty("code", "EAGAIN");
      }
      return text.split("\n").length - 1 === count;
    };
    await until(read, 10_000, `${count} lines; the pipe alone holds fewer`);
    expect(Buffer.byteLength(text)).toBeGreaterThan(65_536);
    closeSync(reader);
    expect(await proxy.stop()).toBe(0);
  });

  test("a full disk: the proxy goes on and says so", async () => {
    await using proxy = await startProxy(["--access-log", "/dev/full"]);
    await request(proxy.port);
    const line = await proxy.stderr.waitFor((text) => text.includes("cannot be written"));
    expect(JSON.parse(line)).toMatchObject({ level: "warn", target: "/dev/full", error: "ENOSPC" });
    await request(proxy.port);
    expect(await proxy.stop()).toBe(0);
    expect(proxy.stderr.objects().at(-2)).toMatchObject({ level: "error", lost_lines: 2 });
  });

  test("a place that does not exist: the proxy does not start, and says why", async () => {
    const { status, stderr } = await runSockeye(["serve", "--port", "0", "--access-log", "/nonexistent/log"]);
    expect(status).toBe(1);
    expect(stderr).toContain("cannot open the access log /nonexistent/log: ENOENT");
  });
});
