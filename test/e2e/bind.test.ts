/** BIND with the real program and real connections. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { type ProxyOptions, type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { TestConnection } from "../support/socks-client.ts";
import { askProxy, readReply, type SocksRequest } from "../support/socks-request.ts";

const USER = { name: "alice", password: "secret" };
const FROM_LOCALHOST: readonly number[] = [1, 127, 0, 0, 1, 0, 21];

let proxy: ProxyProcess;

beforeAll(async () => {
  proxy = await startProxy(["--user", "alice:secret"]);
});

afterAll(async () => {
  expect(await proxy.stop()).toBe(0);
});

async function startConfigured(toml: string, options: ProxyOptions): Promise<ProxyProcess> {
  using scratch = scratchDir();
  const file = scratch.file("sockeye.toml");
  writeFileSync(file, toml);
  return await startProxy(["--config", file], options);
}

const ask = (request: Partial<SocksRequest> = { user: USER }) =>
  askProxy({ proxyPort: proxy.port, cmd: "bind", dst: FROM_LOCALHOST, ...request });

/** Connects from `localAddress` and says how that ended, as somebody who is not expected. */
function knock(port: number, localAddress: string): Promise<string> {
  return new Promise((resolve) => {
    const opening = Bun.connect({
      hostname: "127.0.0.1",
      port,
      localAddress,
      data: undefined,
      socket: { data: () => resolve("data"), close: (_, fault) => resolve(fault ? "reset" : "closed") },
      // `localAddress` is missing in Bun's types.
    } as Bun.TCPSocketConnectOptions<undefined>);
    opening.catch(() => resolve("refused"));
  });
}

describe("BIND", () => {
  test("joins the client with its peer, early data first, and each end is passed on", async () => {
    const { control, reply } = await ask({ user: USER, early: "early, " });
    expect(reply).toMatchObject({ rep: 0, atyp: 1, address: "127.0.0.1" });
    control.send("still early, ");
    const peer = await TestConnection.open(reply.port);
    const second = await readReply(control);
    expect(second).toMatchObject({ rep: 0, atyp: 1, address: "127.0.0.1" });
    expect(second.port).not.toBe(reply.port);
    control.send("late");
    expect(Buffer.from(await peer.read(24)).toString()).toBe("early, still early, late");
    peer.send("from the peer");
    peer.finish();
    expect(Buffer.from(await control.read(13)).toString()).toBe("from the peer");
    expect(await control.readToEnd()).toBe("fin");
    control.send("after the peer's FIN");
    expect(Buffer.from(await peer.read(20)).toString()).toBe("after the peer's FIN");
    control.finish();
    expect(await peer.readToEnd()).toBe("fin");
    const line = await proxy.stdout.waitFor((text) => text.includes('"bind"'));
    expect(JSON.parse(line)).toMatchObject({
      user: "alice",
      command: "bind",
      destination: "127.0.0.1:21",
      connected: `127.0.0.1:${second.port}`,
      reply: 0,
      bytes_up: 44,
      bytes_down: 13,
      ended: "finished",
    });
  });

  test("takes nobody but the host that is expected, and goes on waiting for it", async () => {
    const { control, reply } = await ask();
    // Bun calls a connection refused that was reset before it looked.
    for (let i = 0; i < 3; i++) expect(await knock(reply.port, "127.0.0.9")).toMatch(/^(reset|refused)$/);
    const peer = await TestConnection.open(reply.port);
    expect((await readReply(control)).rep).toBe(0);
    peer.send("expected");
    expect(Buffer.from(await control.read(8)).toString()).toBe("expected");
    control.reset();
    await peer.readToEnd();
  });

  test("takes anybody where the client does not say whom, and one only", async () => {
    const { control, reply } = await ask({ user: USER, dst: [1, 0, 0, 0, 0, 0, 0] });
    const peer = await TestConnection.open(reply.port);
    expect((await readReply(control)).rep).toBe(0);
    expect(await knock(reply.port, "127.0.0.1")).toBe("refused");
    peer.reset();
    expect(await control.readToEnd()).toBe("reset");
  });

  test("listens on IPv6 for a host of IPv6", async () => {
    const { control, reply } = await ask({ user: USER, dst: [4, ...Array<number>(15).fill(0), 1, 0, 21] });
    expect([reply.rep, reply.atyp]).toEqual([0, 4]);
    const peer = await TestConnection.open(reply.port, "::1");
    expect(await readReply(control)).toMatchObject({ rep: 0, atyp: 4, address: "0:0:0:0:0:0:0:1" });
    peer.reset();
    expect(await control.readToEnd()).toBe("reset");
  });

  test("ends with an error when the client ends its side, and silently when it is gone; nobody listens any more", async () => {
    const before = socketCount(proxy.pid);
    const one = await ask();
    one.control.finish();
    expect((await readReply(one.control)).rep).toBe(1);
    expect(await one.control.readToEnd()).toBe("fin");
    const two = await ask();
    two.control.reset();
    await until(() => socketCount(proxy.pid) === before, 10_000, "the listeners to close");
    for (const { reply } of [one, two]) expect(await knock(reply.port, "127.0.0.1")).toBe("refused");
  });

  test("is for users, unless the configuration says otherwise", async () => {
    await using open = await startProxy();
    const { control, reply } = await ask({ proxyPort: open.port });
    expect(reply.rep).toBe(2);
    expect(await control.readToEnd()).toBe("fin");
  });

  test("has a time limit, a range of ports, an advertised address and a limit of listeners", async () => {
    const listen = '[{ address = "127.0.0.1", advertise = "203.0.113.5" }]';
    const bind = 'access = "all"\nwait = "400ms"\nports = "21320-21329"\nlisteners_per_address = 1\n';
    // One process: each chooses its ports by itself, and with several the same one may come twice.
    const oneProcess = { withoutCommonOptions: true };
    await using own = await startConfigured(`[socks]\nlisten = ${listen}\n[bind]\n${bind}`, oneProcess);
    const isInRange = (port: number): boolean => port >= 21_320 && port <= 21_329;
    const request = { proxyPort: own.port };
    const { control, reply } = await ask(request);
    expect(reply).toMatchObject({ rep: 0, atyp: 1, address: "203.0.113.5" });
    expect(isInRange(reply.port)).toBe(true);
    expect((await ask(request)).reply.rep).toBe(1);
    expect((await readReply(control)).rep).toBe(6);
    expect(await control.readToEnd()).toBe("fin");
    const again = (await ask(request)).reply;
    expect([again.rep, isInRange(again.port), again.port === reply.port]).toEqual([0, true, false]);
  });
});
