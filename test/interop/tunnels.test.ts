/** Tunnels in earnest: much at once, many at once, and ends that die in the middle. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectAdmin } from "../../src/admin/client.ts";
import { runWell } from "../support/command.ts";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { startNginx } from "../support/nginx.ts";
import { echoOrigin, exchangeOrigin, silentOrigin, sourceOrigin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { openTunnel, type TestConnection } from "../support/socks-client.ts";

const MIB = 1 << 20;
const HUNDRED_MB = 100_000_000;

const ADMIN = { username: "root", password: "correct horse" };

let proxy: ProxyProcess;
/** The sockets of a proxy that nobody uses: its listeners. */
let socketsAtRest: number;

beforeAll(async () => {
  proxy = await startProxy(["--admin-transport", "udp", "--admin", `${ADMIN.username}:${ADMIN.password}`]);
  socketsAtRest = socketCount(proxy.pid);
});

afterEach(async () => {
  await until(() => socketCount(proxy.pid) === socketsAtRest, 10_000, "the proxy to close its sockets");
});

afterAll(async () => {
  expect(await proxy.stop()).toBe(0);
});

const tunnelTo = (origin: { host: string; port: number }): Promise<TestConnection> =>
  openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The access log's line for the first tunnel to `origin` that has ended. */
async function accessLine(origin: { host: string; port: number }): Promise<Record<string, unknown>> {
  const destination = `"destination":"${origin.host}:${origin.port}"`;
  const line = await proxy.stdout.waitFor((candidate) => candidate.includes(destination));
  return JSON.parse(line) as Record<string, unknown>;
}

test("100 MB through nginx, up and down at once, with equal SHA-256", async () => {
  await using nginx = await startNginx();
  const bytes = randomBytes(HUNDRED_MB);
  writeFileSync(join(nginx.directory, "down"), bytes);
  const curl = [
    "curl",
    "-sS",
    "--fail",
    "--noproxy",
    "",
    "--max-time",
    "60",
    "-x",
    `socks5h://127.0.0.1:${proxy.port}`,
  ];
  const [down] = await Promise.all([
    runWell([...curl, `http://127.0.0.1:${nginx.port}/down`]),
    runWell([...curl, "-T", join(nginx.directory, "down"), `http://[::1]:${nginx.port}/up`]),
  ]);
  expect(sha256(down.stdout)).toBe(sha256(bytes));
  expect(sha256(readFileSync(join(nginx.directory, "up")))).toBe(sha256(bytes));
});

test("100 MB each way at once in one tunnel, with equal SHA-256", async () => {
  const up = randomBytes(HUNDRED_MB);
  const down = randomBytes(HUNDRED_MB);
  using origin = exchangeOrigin(down);
  const tunnel = await tunnelTo(origin);
  const received = createHash("sha256");
  tunnel.send(up);
  tunnel.finish();
  expect(await tunnel.readToEnd((bytes) => received.update(bytes))).toBe("fin");
  expect(received.digest("hex")).toBe(sha256(down));
  await origin.ended;
  expect(origin.receivedSha256()).toBe(sha256(up));
  expect(await accessLine(origin)).toMatchObject({
    bytes_up: HUNDRED_MB,
    bytes_down: HUNDRED_MB,
    reply: 0,
    ended: "finished",
  });
});

test("1,000 tunnels open at once, with data on each", async () => {
  using origin = echoOrigin();
  const tunnels: TestConnection[] = [];
  // In hundreds, so that no listener's backlog is what is tested.
  for (let batch = 0; batch < 10; batch++) {
    tunnels.push(...(await Promise.all(Array.from({ length: 100 }, () => tunnelTo(origin)))));
  }
  expect(origin.open).toBe(1000);
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      tunnels.map(async (tunnel, index) => {
        const message = `round ${round} of tunnel ${index}`;
        tunnel.send(message);
        expect(new TextDecoder().decode(await tunnel.read(message.length))).toBe(message);
      }),
    );
  }
  for (const tunnel of tunnels) tunnel.finish();
  const ends = await Promise.all(tunnels.map((tunnel) => tunnel.readToEnd()));
  expect(ends.filter((end) => end === "fin").length).toBe(1000);
});

/** A megabyte, made once, again and again. */
function* megabytesForEver(): Generator<Uint8Array> {
  const piece = new Uint8Array(MIB).fill(0x61);
  for (;;) yield piece;
}

test("a client that is killed in the middle of a download is forgotten, and the log says why", async () => {
  using origin = sourceOrigin(megabytesForEver);
  const curl = Bun.spawn(
    ["curl", "-sS", "-x", `socks5h://127.0.0.1:${proxy.port}`, `telnet://127.0.0.1:${origin.port}`],
    { stdin: "pipe", stdout: "pipe", stderr: "ignore" },
  );
  const reader = curl.stdout.getReader();
  expect((await reader.read()).done).toBe(false);
  curl.kill("SIGKILL");
  await curl.exited;
  await until(() => origin.open === 0, 10_000, "the origin to see its connection end");
  expect(await accessLine(origin)).toMatchObject({ ended: "client-reset" });
});

test("a client that resets in the middle of an upload resets the origin's connection", async () => {
  using origin = silentOrigin();
  const tunnel = await tunnelTo(origin);
  // The kernel has accepted for us; the origin must have seen the connection, or it would stop reading it later.
  await until(() => origin.accepted === 1, 10_000, "the origin to see its connection");
  tunnel.send(new Uint8Array(4 * MIB));
  tunnel.reset();
  origin.resumeAll();
  await until(() => origin.open === 0, 10_000, "the origin to see its connection end");
  expect(await accessLine(origin)).toMatchObject({ ended: "client-reset" });
});

test("a client that says FIN, and dies while the origin goes on sending, ends the origin's connection", async () => {
  using origin = sourceOrigin(megabytesForEver);
  const tunnel = await tunnelTo(origin);
  tunnel.finish();
  await tunnel.read(MIB);
  tunnel.reset();
  await until(() => origin.open === 0, 10_000, "the origin to see its connection end");
  expect(await accessLine(origin)).toMatchObject({ ended: "client-reset" });
});

test("an origin that is killed in the middle of a transfer resets the client, and the log says why", async () => {
  using origin = sourceOrigin(megabytesForEver);
  const tunnel = await tunnelTo(origin);
  await tunnel.read(MIB);
  origin.resetAll();
  expect(await tunnel.readToEnd()).toBe("reset");
  expect(await accessLine(origin)).toMatchObject({ ended: "target-reset" });
});

test("a thousand ends that die at once leave nothing behind", async () => {
  using origin = echoOrigin();
  const tunnels: TestConnection[] = [];
  for (let batch = 0; batch < 5; batch++) {
    tunnels.push(...(await Promise.all(Array.from({ length: 100 }, () => tunnelTo(origin)))));
  }
  for (const tunnel of tunnels) tunnel.send("x".repeat(1000));
  origin.resetAll();
  const ends = await Promise.all(tunnels.map((tunnel) => tunnel.readToEnd()));
  expect(ends.filter((end) => end === "reset").length).toBe(500);
});

test("the administrator's counters are back at zero when the tunnels are gone, and the sums stay", async () => {
  const { admin, admin_udp_port: udpPort } = proxy.readyFields;
  const port = Number(String(admin).match(/:(\d+)/)?.[1]);
  const client = await connectAdmin({ ...ADMIN, transport: "udp", port, udpPort: Number(udpPort) });
  const [historical, bytes] = [await client.historical(), await client.bytes()];
  using origin = echoOrigin();
  const tunnel = await tunnelTo(origin);
  tunnel.send("hello");
  await tunnel.read(5);
  expect(await client.concurrent()).toBe(1);
  tunnel.finish();
  expect(await tunnel.readToEnd()).toBe("fin");
  await accessLine(origin);
  expect(await client.concurrent()).toBe(0);
  expect(await client.historical()).toBe(historical + 1);
  expect(await client.bytes()).toBe(bytes + 10);
});
