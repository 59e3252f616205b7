/** What we put on the wire, read by Wireshark's decoder: every checksum right, nothing malformed, nothing to warn of. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminClient, connectAdmin } from "../../src/admin/client.ts";
import { type AdminService, startAdminService } from "../support/admin-service.ts";
import { until } from "../support/deadline.ts";
import { RawSctpClient } from "../support/raw-sctp-client.ts";
import { UdpRecorder } from "../support/udp-recorder.ts";

let directory: string;
let service: AdminService;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sockeye-tshark-"));
  service = await startAdminService();
});
afterAll(() => {
  service[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

/** Decodes the recorder's capture with checksums verified; returns tshark's lines for `fields`, one a packet. */
async function decode(recorder: UdpRecorder, ...fields: string[]): Promise<string[]> {
  const file = join(directory, "exchange.pcap");
  writeFileSync(file, recorder.capture());
  const names = fields.flatMap((field) => ["-e", field]);
  const decoder = ["-d", `udp.port==${service.udpPort},sctp`, "-o", "sctp.checksum:CRC 32c"];
  const command = ["tshark", "-n", "-r", file, ...decoder, "-T", "fields", "-E", "occurrence=a", ...names];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore", env: { ...process.env, HOME: directory } });
  const output = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return output.split("\n").slice(0, -1);
}

/** Runs `exchange` through a recorder and expects a capture that nobody can complain of. */
async function record(exchange: (udpPort: number) => Promise<void>): Promise<UdpRecorder> {
  const recorder = await UdpRecorder.start(service.udpPort);
  await exchange(recorder.port);
  // The client is done before its last packet is through.
  await until(() => service.server.connectionCount === 0, 5000, "the last association to end");
  recorder[Symbol.dispose]();
  const lines = await decode(recorder, "sctp.checksum.status", "_ws.malformed", "_ws.expert.message");
  expect(lines).toHaveLength(recorder.count);
  // 1 is "good". Nothing malformed, nothing said by the expert.
  expect(new Set(lines)).toEqual(new Set(["1\t\t"]));
  return recorder;
}

function client(udpPort: number): Promise<AdminClient> {
  const login = { username: "root", password: "secret" };
  return connectAdmin({ transport: "udp", port: service.port, udpPort, ...login });
}

describe("tshark", () => {
  test("sees a conversation from INIT to SHUTDOWN COMPLETE", async () => {
    const recorder = await record(async (udpPort) => {
      expect(await (await client(udpPort)).concurrent()).toBe(7);
    });
    const types = new Set((await decode(recorder, "sctp.chunk_type")).flatMap((line) => line.split(",")));
    // INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, DATA, SACK; SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE.
    for (const type of ["1", "2", "10", "11", "0", "3", "7", "8", "14"]) expect(types).toContain(type);
  });

  test("sees the payload of the admin protocol in the messages", async () => {
    const recorder = await record(async (udpPort) => {
      await (await client(udpPort)).setBufferSize(4096);
    });
    const payloads = (await decode(recorder, "data.data")).filter((line) => line !== "");
    expect(payloads).toEqual(["0104726f6f7406736563726574", "0100", "03010434303936", "030434303936"]);
  });

  test("sees a message of 60,000 bytes in its fragments, and an ABORT", async () => {
    const recorder = await record(async (udpPort) => {
      const raw = await RawSctpClient.connect({ port: service.port, udpPort });
      raw.send(Buffer.concat([Buffer.from("\x01\x04root\x06secret\x00\x00", "latin1"), Buffer.alloc(60_000, "x")]));
      expect(await raw.ended()).toEqual(["\x01\x00", "\x00\x041234"]);
      const aborted = await RawSctpClient.connect({ port: service.port, udpPort });
      aborted.abort();
      await aborted.ended();
    });
    const types = (await decode(recorder, "sctp.chunk_type")).flatMap((line) => line.split(","));
    expect(types.filter((type) => type === "0").length).toBeGreaterThan(50);
    expect(types).toContain("6");
  });
});
