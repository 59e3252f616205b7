/** What clients can make the proxy hold, and what happens when there is no more. */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { fullListener } from "../support/full-listener.ts";
import { echoOrigin } from "../support/origin.ts";
import { type ProxyOptions, type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, TestConnection } from "../support/socks-client.ts";

/** A proxy with this configuration, and no line about a bug when it has ended. */
async function proxyWith(toml: string, options: ProxyOptions = {}): Promise<ProxyProcess> {
  using dir = scratchDir();
  writeFileSync(dir.file("sockeye.toml"), toml);
  return await startProxy(["--config", dir.file("sockeye.toml")], options);
}

async function stopWell(proxy: ProxyProcess): Promise<void> {
  expect(await proxy.stop()).toBe(0);
  expect(proxy.stderr.text()).not.toContain("bug");
}

/** A request to connect to that port of 127.0.0.1. */
const request = (port: number): Uint8Array => Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff);

async function echoes(tunnel: TestConnection, text: string): Promise<void> {
  tunnel.send(text);
  expect(Buffer.from(await tunnel.read(text.length)).toString()).toBe(text);
}

/** How a client ends that says nothing. The reset may come before Bun has told us that we are connected. */
async function endOfAnother(port: number): Promise<string> {
  try {
    return await (await TestConnection.open(port)).readToEnd();
  } catch (fault) {
    if (fault instanceof Error && "code" in fault && fault.code === "ECONNRESET") return "reset";
    throw fault;
  }
}

/** User and system time of a process so far, in milliseconds. Linux counts it in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe("a client too many is reset at once", () => {
  test("handshakes from one address: as soon as one has come to the point, another may come", async () => {
    await using proxy = await proxyWith('[limits]\nhandshakes_per_address = 2\n[timeouts]\ndrain = "100ms"\n');
    using origin = echoOrigin();
    const waiting = [await TestConnection.open(proxy.port), await TestConnection.open(proxy.port)];
    for (const client of waiting) {
      client.send(Uint8Array.of(5, 1, 0));
      await client.read(2);
    }
    expect(await endOfAnother(proxy.port)).toBe("reset");
    await proxy.stderr.waitFor((line) => line.includes("handshakes_per_address"));
    waiting[0]?.send(request(origin.port));
    await waiting[0]?.read(10);
    const tunnel = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
    await echoes(tunnel, "hello");
    await stopWell(proxy);
  });

  test("connections from one address", async () => {
    await using proxy = await proxyWith('[limits]\nconnections_per_address = 2\n[timeouts]\ndrain = "100ms"\n');
    using origin = echoOrigin();
    const open = (): Promise<TestConnection> =>
      openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
    const tunnels = [await open(), await open()];
    expect(await endOfAnother(proxy.port)).toBe("reset");
    await proxy.stderr.waitFor((line) => line.includes("connections_per_address"));
    tunnels[0]?.finish();
    expect(await tunnels[0]?.readToEnd()).toBe("fin");
    // It counts until the proxy has closed both of its sockets; the line of the access log comes after that.
    await proxy.stdout.waitFor((line) => line.includes('"ended":"finished"'));
    await echoes(await open(), "hello");
    await stopWell(proxy);
  });
});

describe("descriptors run out", () => {
  test("the tunnels that are there go on, nothing spins, and clients are accepted again when others have left", async () => {
    // Longer than it takes to open them all, on a busy machine too.
    const IDLE_MS = 3000;
    await using proxy = await proxyWith(`[timeouts]\nidle = "${IDLE_MS}ms"\ndrain = "100ms"\n`, { descriptorsMax: 64 });
    using origin = echoOrigin();
    const tunnels: TestConnection[] = [];
    const full = proxy.stderr.waitFor((line) => line.includes("no new clients")).then(() => "full" as const);
    let late: Promise<TestConnection>;
    for (;;) {
      // The line may come after the answer to the last one who is let in: then this one waits for the others to leave.
      late = openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
      const opened = await Promise.race([late, full]);
      if (opened === "full") break;
      tunnels.push(opened);
      expect(tunnels.length).toBeLessThan(40);
    }
    expect(tunnels.length).toBeGreaterThan(3);
    // Who comes now waits in the kernel's queue.
    const waiting = [await TestConnection.open(proxy.port), await TestConnection.open(proxy.port)];
    for (const client of waiting) client.send(Uint8Array.of(5, 1, 0));
    for (const tunnel of tunnels) await echoes(tunnel, "still here");

    // From here on nothing happens until the tunnels' time is over.
    const cpuBefore = cpuMs(proxy.pid);
    const [first] = tunnels;
    expect(await first?.readToEnd()).toBe("reset");
    // All of the time, if the proxy were asked again and again to accept whom it cannot.
    expect(cpuMs(proxy.pid) - cpuBefore).toBeLessThan(IDLE_MS / 2);

    for (const client of waiting) expect([...(await client.read(2))]).toEqual([5, 0]);
    await late;
    await proxy.stderr.waitFor((line) => line.includes("accepted again"));
    await stopWell(proxy);
  }, 20_000);

  test("taken by attempts that hang, they neither make accepting spin nor end the proxy", async () => {
    await using proxy = await proxyWith('[timeouts]\nconnect = "1500ms"\ndrain = "100ms"\n', { descriptorsMax: 48 });
    const clients: TestConnection[] = [];
    const isFull = (): boolean => proxy.stderr.lines.some((line) => line.includes("no new clients"));
    using target = fullListener();
    while (!isFull()) {
      const client = await TestConnection.open(proxy.port);
      client.send(Uint8Array.of(5, 1, 0, ...request(target.port)));
      await client.read(2);
      clients.push(client);
      expect(clients.length).toBeLessThan(30);
    }
    const waiting = await TestConnection.open(proxy.port);
    waiting.send(Uint8Array.of(5, 1, 0));
    const cpuBefore = cpuMs(proxy.pid);
    const [first] = clients;
    expect((await first?.read(10))?.[1]).toBe(6);
    expect(cpuMs(proxy.pid) - cpuBefore).toBeLessThan(750);
    for (const client of clients) client.reset();
    expect([...(await waiting.read(2))]).toEqual([5, 0]);
    await stopWell(proxy);
  }, 20_000);
});

describe("clients that die", () => {
  test("while their target is being connected to, leave nothing behind but a line in the log", async () => {
    await using proxy = await proxyWith('[timeouts]\ndrain = "100ms"\n');
    using target = fullListener();
    const atRest = socketCount(proxy.pid);
    const clients = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const client = await TestConnection.open(proxy.port);
        client.send(Uint8Array.of(5, 1, 0));
        await client.read(2);
        client.send(request(target.port));
        return client;
      }),
    );
    await until(() => socketCount(proxy.pid) === atRest + 60, 5000, "the proxy to connect");
    for (const client of clients) client.reset();
    await until(() => socketCount(proxy.pid) === atRest, 5000, "the proxy to close its sockets");
    await stopWell(proxy);
    expect(proxy.accessLog().map((line) => line["ended"])).toEqual(Array(30).fill("client-gone"));
  });

  test("at any moment of the handshake, leave nothing behind", async () => {
    await using proxy = await proxyWith('[timeouts]\ndrain = "100ms"\n');
    using origin = echoOrigin();
    const atRest = socketCount(proxy.pid);
    for (let round = 0; round < 50; round++) {
      const client = await TestConnection.open(proxy.port);
      client.send(Uint8Array.of(5, 1, 0, ...request(origin.port)));
      if (round % 2 === 0) await client.read(2);
      client.reset();
    }
    await until(() => socketCount(proxy.pid) === atRest, 5000, "the proxy to close its sockets");
    await until(() => origin.open === 0, 5000, "the origin to be left alone");
    await stopWell(proxy);
  });

  test("a thousand tunnels at once, each with its own bytes, and then all ends dead at once", async () => {
    await using proxy = await proxyWith('[timeouts]\ndrain = "100ms"\n');
    using origin = echoOrigin();
    const atRest = socketCount(proxy.pid);
    const tunnels: TestConnection[] = [];
    for (let batch = 0; batch < 10; batch++) {
      tunnels.push(
        ...(await Promise.all(
          Array.from({ length: 100 }, () =>
            openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port }),
          ),
        )),
      );
    }
    await Promise.all(tunnels.map((tunnel, index) => echoes(tunnel, `tunnel ${index}`)));
    // Half die by their clients, half by their targets.
    for (const tunnel of tunnels.slice(0, 500)) tunnel.reset();
    origin.resetAll();
    const ends = await Promise.all(tunnels.slice(500).map((tunnel) => tunnel.readToEnd()));
    expect(ends.filter((end) => end === "reset").length).toBe(500);
    await until(() => socketCount(proxy.pid) === atRest, 10_000, "the proxy to close its sockets");
    await stopWell(proxy);
    expect(proxy.accessLog().length).toBe(1000);
  }, 30_000);
});
