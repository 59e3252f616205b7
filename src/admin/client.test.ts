import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type AdminService, startAdminService } from "../../test/support/admin-service.ts";
import { SilentLog } from "../../test/support/silent-log.ts";
import type { Association } from "../net/sctp-listener.ts";
import { listenUdpSctp } from "../net/sctp-udp.ts";
import { systemClock } from "../net/system-clock.ts";
import { type AdminClient, type AdminClientOptions, connectAdmin } from "./client.ts";

let service: AdminService;
beforeAll(async () => {
  service = await startAdminService({ failuresPerMinute: 1000 });
});
afterAll(() => service[Symbol.dispose]());

async function client(overrides: Partial<AdminClientOptions> = {}): Promise<AdminClient> {
  const { host, port, udpPort } = service;
  const login = { username: "root", password: "secret" };
  return await connectAdmin({ host, port, udpPort, transport: "udp", ...login, ...overrides });
}

describe("connectAdmin", () => {
  test("asks for the metrics and sets the buffer size", async () => {
    const admin = await client();
    expect(await admin.historical()).toBe(1234);
    expect(await admin.concurrent()).toBe(7);
    expect(await admin.bytes()).toBe(Number.MAX_SAFE_INTEGER);
    expect(await admin.setBufferSize(4096)).toBe(4096);
    expect(await admin.setBufferSize("000300")).toBe(300);
    expect(service.control.sizes.slice(-2)).toEqual([4096, 300]);
  });

  test("many requests at once, each on an association of its own", async () => {
    const admin = await client();
    expect(await Promise.all(Array.from({ length: 50 }, () => admin.concurrent()))).toEqual(Array(50).fill(7));
    expect(service.server.connectionCount).toBeLessThanOrEqual(50);
  });

  test("a name is looked up, and bytes log in as text does", async () => {
    const admin = await client({ host: "localhost", username: Buffer.from("root"), password: Buffer.from("secret") });
    expect(await admin.concurrent()).toBe(7);
  });

  test("what the server refuses comes with its code and text, and changes nothing", async () => {
    const admin = await client();
    const before = service.control.sizes.length;
    await expect(admin.setBufferSize(299)).rejects.toMatchObject({
      name: "AdminError",
      code: "ERR_ADMIN_REFUSED",
      replyCode: 254,
      message:
        "The server refused: the buffer size must be a whole number from 300 to 16777216 in ASCII digits: it was '299'",
    });
    await expect(admin.setBufferSize(Number.NaN)).rejects.toMatchObject({ code: "ERR_ADMIN_REFUSED" });
    expect(service.control.sizes).toHaveLength(before);
  });

  test("a refused login says so, and not the password", async () => {
    const admin = await client({ password: "hunter2" });
    const error = await admin.bytes().catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: "ERR_ADMIN_LOGIN", status: 1 });
    expect(Bun.inspect(error)).not.toContain("hunter2");
  });

  test("no server", async () => {
    await expect((await client({ port: service.port - 1 })).bytes()).rejects.toMatchObject({
      code: "ERR_ADMIN_UNREACHABLE",
      message: `No admin server at 127.0.0.1, port ${service.port - 1} (SCTP in UDP, port ${service.udpPort}: ECONNREFUSED)`,
    });
    await expect(client({ host: "no-such-host.invalid" })).rejects.toMatchObject({ code: "ERR_ADMIN_UNREACHABLE" });
  });

  test("what cannot be sent is a mistake of the caller", async () => {
    await expect(client({ password: "" })).rejects.toThrow("The password must have 1 to 255 bytes");
    await expect(client({ username: "x".repeat(256) })).rejects.toThrow("The user name must have 1 to 255 bytes");
    await expect(client({ port: 0 })).rejects.toThrow("port must be 1 to 65535: current value is 0");
    await expect((await client()).setBufferSize("9".repeat(256))).rejects.toThrow(RangeError);
  });
});

describe("a server that misbehaves", () => {
  /** A client of a server that does `act` once it has the login. */
  async function against(act: (association: Association) => void, timeoutMs = 5000): Promise<unknown> {
    const target = { transport: "udp" as const, address: "127.0.0.1", port: 0, udpPort: 0, associationsMax: 4 };
    const options = { ...target, clock: systemClock, log: new SilentLog() };
    const listener = await listenUdpSctp(options, (association) => ({
      data: () => act(association),
      end: () => undefined,
    }));
    const { port, udpPort = 0 } = listener.local;
    const admin = await client({ port, udpPort, timeoutMs });
    const outcome = await admin.concurrent().catch((error: unknown) => error);
    listener.destroy();
    return outcome;
  }

  test("closes without a word, or aborts", async () => {
    const gone = { code: "ERR_ADMIN_GONE", message: "The server went away during the login" };
    expect(await against((association) => association.close())).toMatchObject(gone);
    expect(await against((association) => association.abort())).toMatchObject(gone);
  });

  test("says nothing", async () => {
    expect(await against(() => undefined, 50)).toMatchObject({
      code: "ERR_ADMIN_GONE",
      message: "The server did not answer the login in time",
    });
  });

  test("speaks another protocol, or answers what is no number", async () => {
    expect(await against((association) => association.write(Buffer.from("SSH-2.0\r\n")))).toMatchObject({
      code: "ERR_ADMIN_PROTOCOL",
    });
    expect(
      await against((association) => association.write(Buffer.from("\x01\x00\x01\x041e21", "latin1"))),
    ).toMatchObject({
      code: "ERR_ADMIN_PROTOCOL",
      message: "The server answered '1e21' where a number was expected",
    } as object);
  });
});
