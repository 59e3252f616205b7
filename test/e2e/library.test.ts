/** Sockeye as a library: what a program that imports `sockeye` gets. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { BUFFER_SIZE_MAX, OptionsError, type ProxyOptions, startProxy } from "sockeye";
import { runWell } from "../support/command.ts";
import { within } from "../support/deadline.ts";
import { echoOrigin, silentOrigin } from "../support/origin.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { SilentLog } from "../support/silent-log.ts";
import { openTunnel, TestConnection } from "../support/socks-client.ts";

const FREE_PORT: ProxyOptions = { socks: { listen: ["127.0.0.1"], port: 0 } };
const HOST = { log: new SilentLog() };
const portOf = (endpoint: string | undefined): number => Number(endpoint?.split(":").at(-1));

describe("startProxy", () => {
  test("serves, counts, and stops", async () => {
    using origin = echoOrigin();
    const proxy = await startProxy(FREE_PORT, HOST);
    const { endpoints, control } = proxy;
    expect(endpoints).toEqual([expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/)]);
    const tunnel = await openTunnel({ proxyPort: portOf(endpoints[0]), host: "127.0.0.1", port: origin.port });
    tunnel.send("ping");
    expect(await tunnel.read(4)).toEqual(Buffer.from("ping"));
    expect([control.historical(), control.concurrent(), control.bytes()]).toEqual([1, 1, 8]);
    tunnel.finish();
    expect(await tunnel.readToEnd()).toBe("fin");
    await Promise.all([proxy.stop(), proxy.stop()]);
    await expect(TestConnection.open(portOf(endpoints[0]))).rejects.toThrow();
  });

  test("`await using` ends tunnels that outlive timeouts.drain", async () => {
    using origin = silentOrigin();
    let tunnel: TestConnection;
    {
      await using proxy = await startProxy({ ...FREE_PORT, timeouts: { drain: "1ms" } }, HOST);
      tunnel = await openTunnel({
        proxyPort: portOf(proxy.endpoints[0]),
        host: "127.0.0.1",
        port: origin.port,
      });
    }
    expect(await within(tunnel.readToEnd(), 5000, "the end of the tunnel")).toBe("reset");
  });

  test("takes the keys of the file: users, and an access log", async () => {
    using origin = echoOrigin();
    using dir = scratchDir();
    const path = dir.file("access.log");
    const users = [{ name: "alice", password: "secret" }];
    const proxy = await startProxy({ ...FREE_PORT, users, access_log: { path } }, HOST);
    const target = { proxyPort: portOf(proxy.endpoints[0]), host: "127.0.0.1", port: origin.port };
    await expect(openTunnel(target)).rejects.toThrow();
    const tunnel = await openTunnel({ ...target, user: { name: "alice", password: "secret" } });
    tunnel.finish();
    await tunnel.readToEnd();
    await proxy.stop();
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ user: "alice", reply: 0 });
  });

  test("reports all mistakes at once, and no password", async () => {
    const wrong = { relay: { buffer_size: 1 }, users: [{ name: "", password: "hunter2" }], sock: {} } as ProxyOptions;
    const error = await startProxy(wrong, HOST).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(OptionsError);
    const { code, mistakes, message } = error as OptionsError;
    expect([code, mistakes.map(({ path }) => path).sort()]).toEqual([
      "ERR_OPTIONS",
      ["relay.buffer_size", "sock", "users[0].name"],
    ]);
    expect(message).not.toContain("hunter2");
  });

  test("a port in use: EADDRINUSE", async () => {
    await using proxy = await startProxy(FREE_PORT, HOST);
    const taken = startProxy({ socks: { listen: ["127.0.0.1"], port: portOf(proxy.endpoints[0]) } }, HOST);
    expect(await taken.catch((fault: { code?: string }) => fault.code)).toBe("EADDRINUSE");
  });

  test("control takes legal buffer sizes only", async () => {
    await using proxy = await startProxy(FREE_PORT, HOST);
    for (const size of [299, BUFFER_SIZE_MAX + 1, 1024.5, Number.NaN]) {
      expect(() => proxy.control.setBufferSize(size)).toThrow(RangeError);
    }
    proxy.control.setBufferSize(BUFFER_SIZE_MAX);
    expect(proxy.control.bufferSize()).toBe(BUFFER_SIZE_MAX);
  });

  test("does not touch the state directory without `admin`, and serves the admin protocol with it", async () => {
    using dir = scratchDir();
    const before = process.env["SOCKEYE_STATE_DIR"];
    process.env["SOCKEYE_STATE_DIR"] = dir.file("state");
    try {
      await (await startProxy(FREE_PORT, HOST)).stop();
      expect(existsSync(dir.file("state"))).toBe(false);
      const admin = { listen: ["127.0.0.1"], port: 0, udp_port: 0 };
      await (await startProxy({ ...FREE_PORT, admin }, HOST)).stop();
      expect(existsSync(dir.file("state"))).toBe(true);
    } finally {
      if (before === undefined) delete process.env["SOCKEYE_STATE_DIR"];
      else process.env["SOCKEYE_STATE_DIR"] = before;
    }
  });
});

test("examples/proxy-in-a-test.ts, as its reader would run it, ends by itself", async () => {
  const root = dirname(dirname(import.meta.dir));
  const { text } = await runWell([process.execPath, "examples/proxy-in-a-test.ts"], { cwd: root });
  expect(text).toMatch(/^SOCKS5 on 127\.0\.0\.1:\d+\nthe other end says hello, world\n1 client, 17 bytes relayed\n$/);
});
