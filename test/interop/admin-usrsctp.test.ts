/** The admin protocol with usrsctp, the user-space SCTP that browsers use, over UDP: as client and as server. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAdmin } from "../../src/admin/client.ts";
import { type AdminService, startAdminService } from "../support/admin-service.ts";
import { until } from "../support/deadline.ts";
import { LineLog } from "../support/line-log.ts";

const LOGIN = "0104726f6f7406736563726574";
let directory: string;
let peer: string;
let service: AdminService;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sockeye-usrsctp-"));
  peer = join(directory, "admin_peer");
  const source = join(import.meta.dir, "usrsctp", "admin_peer.c");
  const compiler = Bun.spawn(["gcc", "-Wall", "-Wextra", "-Werror", "-o", peer, source, "-lusrsctp"], {
    stderr: "pipe",
  });
  expect(await new Response(compiler.stderr).text()).toBe("");
  expect(await compiler.exited).toBe(0);
  service = await startAdminService();
});
afterAll(() => {
  service[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

/** Runs usrsctp as a client to the end; returns the lines that it prints. */
async function client(...messages: string[]): Promise<string[]> {
  const { host, port, udpPort } = service;
  const child = Bun.spawn([peer, "client", host, `${port}`, `${udpPort}`, ...messages], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect(stderr).toBe("");
  expect(await child.exited).toBe(0);
  return stdout.trimEnd().split("\n");
}

describe("usrsctp as client", () => {
  test("a conversation, closed gracefully by us", async () => {
    expect(await client(LOGIN, "0100")).toEqual(["0100", "010137", "closed"]);
    expect(await client(LOGIN, "03010434303936")).toEqual(["0100", "030434303936", "closed"]);
    expect(service.control.size).toBe(4096);
  });

  test("everything in one message, with 50,000 bytes behind it: both replies, each one message", async () => {
    expect(await client(`${LOGIN}0100+50000`)).toEqual(["0100", "010137", "closed"]);
  });

  test("refusals", async () => {
    expect(await client("02")).toEqual(["0102", "closed"]);
    expect(await client("0104726f6f7406736563726575")).toEqual(["0101", "closed"]);
    const [status, refused, end] = await client(LOGIN, "0900");
    expect([status, refused?.slice(0, 2), end]).toEqual(["0100", "ff", "closed"]);
  });

  test("nothing is left behind", async () => {
    await until(() => service.server.connectionCount === 0, 5000, "the last association to end");
  });
});

test("usrsctp as server: our client reads its answers and closes gracefully", async () => {
  const child = Bun.spawn([peer, "server", "8090", "3", "0100", "02023432"], { stdout: "pipe", stderr: "inherit" });
  const output = new LineLog("stdout of usrsctp");
  const collected = output.collect(child.stdout);
  const listening = await output.waitFor((line) => line.startsWith("listening "));
  const udpPort = Number(listening.split(" ")[1]);
  const login = { username: "root", password: "secret" };
  const admin = await connectAdmin({ transport: "udp", port: 8090, udpPort, ...login });
  for (let n = 0; n < 3; n++) expect(await admin.bytes()).toBe(42);
  expect(await child.exited).toBe(0);
  await collected;
  expect(output.lines.slice(1)).toEqual(Array.from({ length: 3 }, () => [LOGIN, "0200", "closed"]).flat());
});
