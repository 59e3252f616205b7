/** `--workers`: several processes that a client, an administrator and a reader of the log take for one server. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connectAdmin } from "../../src/admin/client.ts";
import { until } from "../support/deadline.ts";
import { childrenOf, socketCount } from "../support/descriptors.ts";
import { echoOrigin, type Origin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { type ScratchDir, scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, type TestConnection } from "../support/socks-client.ts";

const ADMIN = ["--admin-transport", "udp", "--admin", "root:secret"];

let proxy: ProxyProcess;
let origin: Origin;
let scratch: ScratchDir;
const tunnels: TestConnection[] = [];

async function start(...args: string[]): Promise<void> {
  origin = echoOrigin();
  proxy = await startProxy(["--workers", "2", ...ADMIN, ...args]);
}

beforeEach(() => {
  scratch = scratchDir();
});
afterEach(async () => {
  for (const tunnel of tunnels.splice(0)) tunnel.close();
  await proxy.stop();
  origin[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

async function open(): Promise<TestConnection> {
  const tunnel = await openTunnel({ proxyPort: proxy.port, host: "127.0.0.1", port: origin.port });
  tunnels.push(tunnel);
  return tunnel;
}

async function echo(tunnel: TestConnection, text: string): Promise<void> {
  tunnel.send(text);
  expect(new TextDecoder().decode(await tunnel.read(text.length))).toBe(text);
}

/** Workers, found as the children of the supervisor. */
const workerPids = (): number[] => childrenOf(proxy.pid);

async function admin(): ReturnType<typeof connectAdmin> {
  const ready = proxy.stderr.objects().find((line) => String(line["message"]).startsWith("ready"));
  const [endpoint] = (ready?.["admin"] ?? []) as string[];
  return await connectAdmin({
    host: "127.0.0.1",
    port: Number(endpoint?.split(":").at(-1)),
    transport: "udp",
    udpPort: Number(ready?.["admin_udp_port"]),
    username: "root",
    password: "secret",
  });
}

describe.skipIf(process.platform !== "linux")("two workers", () => {
  test("serve one port, and the administrator sees their sums", async () => {
    await start();
    const before = workerPids().map(socketCount);
    for (let i = 0; i < 40; i++) await echo(await open(), "hello");
    // The kernel chooses by a hash of the addresses: 40 clients all on one worker is a chance of 2 in 2^40.
    const after = workerPids().map(socketCount);
    expect(after.every((count, index) => count > (before[index] ?? 0))).toBe(true);
    expect(await (await admin()).historical()).toBe(40);
    expect(await (await admin()).concurrent()).toBe(40);
    expect(await (await admin()).bytes()).toBe(400);
  });

  test("keep one limit for an address, whichever worker takes the client", async () => {
    const config = scratch.file("sockeye.toml");
    writeFileSync(config, "[limits]\nconnections_per_address = 6\n");
    await start("--config", config);
    for (let i = 0; i < 6; i++) await echo(await open(), "x");
    for (let i = 0; i < 10; i++) await expect(open()).rejects.toThrow();
    for (const tunnel of tunnels.splice(0, 1)) tunnel.close();
    await until(() => proxy.accessLog().length === 1, 5000, "the first tunnel to end");
    await echo(await open(), "x");
  });

  test("write one access log, line by line", async () => {
    await start();
    for (let i = 0; i < 30; i++) await echo(await open(), "x");
    for (const tunnel of tunnels.splice(0)) tunnel.close();
    await until(() => proxy.accessLog().length === 30, 5000, "30 lines");
    for (const line of proxy.accessLog()) expect(line).toMatchObject({ reply: 0, bytes_up: 1, bytes_down: 1 });
  });

  test("one that dies takes only its own tunnels, stays counted, and is started again", async () => {
    await start();
    for (let i = 0; i < 40; i++) await echo(await open(), "x");
    const [victim = 0, survivor = 0] = workerPids();
    process.kill(victim, "SIGKILL");
    await proxy.stderr.waitFor((line) => line.includes("starting another"), 5000);
    await until(() => workerPids().length === 2 && !workerPids().includes(victim), 5000, "another worker");
    expect(workerPids()).toContain(survivor);
    const ends = await Promise.all(
      tunnels.map(async (tunnel) => {
        tunnel.send("y");
        return await tunnel.read(1).then(
          () => "alive",
          () => "gone",
        );
      }),
    );
    const alive = ends.filter((end) => end === "alive").length;
    expect(alive).toBeGreaterThan(0);
    expect(alive).toBeLessThan(40);
    expect(await (await admin()).historical()).toBe(40);
    expect(await (await admin()).concurrent()).toBe(alive);
    for (let i = 0; i < 10; i++) await echo(await open(), "z");
  });

  test("take a new buffer size and a new configuration together", async () => {
    const config = scratch.file("sockeye.toml");
    writeFileSync(config, "[relay]\nbuffer_size = 1000\n");
    await start("--config", config);
    await echo(await open(), "x");
    expect(await (await admin()).setBufferSize(4096)).toBe(4096);
    writeFileSync(config, '[[users]]\nname = "alice"\npassword = "x"\n');
    proxy.kill("SIGHUP");
    await proxy.stderr.waitFor((line) => line.includes("reloaded"), 5000);
    // The supervisor has told both workers when it says so, and each acts when it hears: the last of them does, as soon as
    // so many clients in a row are refused that they cannot all have been the other one's.
    for (let refused = 0; refused < 20; ) {
      const isRefused = await open().then(
        () => false,
        () => true,
      );
      refused = isRefused ? refused + 1 : 0;
    }
  });

  test("end with their supervisor, however it ends", async () => {
    await start();
    const pids = workerPids();
    expect(pids.length).toBe(2);
    proxy.kill("SIGKILL");
    await proxy.exited;
    await until(() => pids.every((pid) => !isAlive(pid)), 5000, "the workers to end");
  });
});

test("workers keep compiled code, as whoever starts Sockeye by its command does (docs/adr/0034-compiled-code.md)", async () => {
  await start();
  for (const pid of [proxy.pid, ...workerPids()]) {
    expect(readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")).toContain("BUN_JSC_forceCodeBlockLiveness=1");
  }
});

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}
