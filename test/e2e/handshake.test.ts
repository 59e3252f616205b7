/** The conversation before the tunnel, over real TCP and with the real program. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { echoOrigin, type Origin, silentOrigin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { type ScratchDir, scratchDir } from "../support/scratch-dir.ts";
import { TestConnection } from "../support/socks-client.ts";

let scratch: ScratchDir;
let open: ProxyProcess;
let guarded: ProxyProcess;
let origin: Origin;

beforeAll(async () => {
  scratch = scratchDir();
  const file = scratch.file("sockeye.toml");
  const hash = await Bun.password.hash("right", { algorithm: "argon2id", memoryCost: 8192, timeCost: 1 });
  writeFileSync(
    file,
    `[timeouts]\nhandshake = "400ms"\nreply_close = "300ms"\n[[users]]\nname = "alice"\npassword_hash = "${hash}"\n`,
  );
  [open, guarded] = await Promise.all([startProxy(), startProxy(["--config", file, "--user", "bob:secret"])]);
  origin = echoOrigin();
});

afterAll(async () => {
  expect(open.stderr.text()).not.toContain("bug");
  expect(guarded.stderr.text()).not.toContain("bug");
  await Promise.all([open.stop(), guarded.stop()]);
  origin[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

const connect = (port: number): number[] => [5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff];
const byName = (name: string, port: number): number[] => [
  5,
  1,
  0,
  3,
  name.length,
  ...Buffer.from(name),
  port >> 8,
  port & 0xff,
];
const userpass = (name: string, password: string): number[] => [
  1,
  name.length,
  ...Buffer.from(name),
  password.length,
  ...Buffer.from(password),
];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("every way in which bytes can arrive", () => {
  test("greeting, request and payload in one segment", async () => {
    const client = await TestConnection.open(open.port);
    client.send(Uint8Array.of(5, 1, 0, ...connect(origin.port), ...Buffer.from("early payload")));
    expect(hex(await client.read(2))).toBe("0500");
    expect(hex(await client.read(8))).toBe("050000017f000001");
    await client.read(2);
    expect(Buffer.from(await client.read(13)).toString()).toBe("early payload");
    client.finish();
    expect(await client.readToEnd()).toBe("fin");
  });

  test("with a user, all four messages in one segment, and our FIN with them", async () => {
    const client = await TestConnection.open(guarded.port);
    client.send(Uint8Array.of(5, 2, 0, 2, ...userpass("bob", "secret"), ...connect(origin.port), 0x61));
    client.finish();
    const answer: number[] = [];
    expect(await client.readToEnd((bytes) => answer.push(...bytes))).toBe("fin");
    expect(answer.slice(0, 6)).toEqual([5, 2, 1, 0, 5, 0]);
    expect(answer.slice(14)).toEqual([0x61]);
  });

  test("each byte in a segment of its own, none before the one before was acknowledged", async () => {
    const client = await TestConnection.open(open.port);
    for (const byte of [5, 3, 1, 2, 0]) {
      client.send(Uint8Array.of(byte));
      // Another connection's whole handshake: a turn of the proxy's event loop at least.
      (await tunnel(open.port)).reset();
    }
    expect(hex(await client.read(2))).toBe("0500");
    for (const byte of byName("127.0.0.1", origin.port)) {
      client.send(Uint8Array.of(byte));
      (await tunnel(open.port)).reset();
    }
    expect(hex(await client.read(2))).toBe("0500");
    client.reset();
  });

  async function tunnel(port: number): Promise<TestConnection> {
    const client = await TestConnection.open(port);
    client.send(Uint8Array.of(5, 1, 0));
    await client.read(2);
    return client;
  }

  test("literals in a domain name, IPv6 in brackets too", async () => {
    using six = echoOrigin("::1");
    for (const [name, port] of [
      ["127.0.0.1", origin.port],
      ["::1", six.port],
      ["[::1]", six.port],
      ["localhost", origin.port],
    ] as const) {
      const client = await TestConnection.open(open.port);
      client.send(Uint8Array.of(5, 1, 0, ...byName(name, port), 0x78));
      expect(hex((await client.read(4)).subarray(0, 4))).toBe("05000500");
      client.reset();
    }
  });

  test("BND is the outgoing socket's own address, IPv6 for an IPv6 target", async () => {
    using six = silentOrigin("::1");
    const client = await TestConnection.open(open.port);
    client.send(Uint8Array.of(5, 1, 0, ...byName("::1", six.port)));
    const reply = await client.read(2 + 22);
    expect(hex(reply.subarray(2, 22))).toBe("0500000400000000000000000000000000000001");
    expect(Buffer.from(reply).readUInt16BE(22)).toBeGreaterThan(0);
    client.reset();
  });
});

describe("who is let in", () => {
  for (const [user, password, status] of [
    ["bob", "secret", 0],
    ["alice", "right", 0],
    ["bob", "Secret", 1],
    ["alice", "wrong", 1],
    ["nobody", "right", 1],
    ["", "", 1],
  ] as const) {
    test(`${user || "nobody"} with ${password || "nothing"}: STATUS ${status}`, async () => {
      const client = await TestConnection.open(guarded.port);
      client.send(Uint8Array.of(5, 1, 2, ...userpass(user, password)));
      expect(hex(await client.read(4))).toBe(`0502010${status}`);
      if (status === 0) client.reset();
      else expect(await client.readToEnd()).toBe("fin");
    });
  }

  test("with users nobody gets in without, and hears nothing after 05 FF", async () => {
    const client = await TestConnection.open(guarded.port);
    client.send(Uint8Array.of(5, 1, 0, ...connect(origin.port)));
    const answer: number[] = [];
    // The client does not close: it is disconnected when its time to do so is over.
    expect(await client.readToEnd((bytes) => answer.push(...bytes))).toBe("fin");
    expect(answer).toEqual([5, 0xff]);
  });

  test("no password is in the log", () => {
    const said = `${guarded.stderr.text()}${guarded.stdout.text()}`;
    expect(said).toContain("alice");
    for (const secret of ["secret", "Secret", "wrong", "right"]) expect(said).not.toContain(secret);
  });
});

describe("a client that does not come to the point", () => {
  test("is reset when the time for the handshake is over, though it sent a byte now and then", async () => {
    const client = await TestConnection.open(guarded.port);
    const trickle = setInterval(() => client.send(Uint8Array.of(5)), 100);
    try {
      const answer: number[] = [];
      expect(await client.readToEnd((bytes) => answer.push(...bytes))).toBe("reset");
      expect(answer).toEqual([]);
    } finally {
      clearInterval(trickle);
    }
    await guarded.stderr.waitFor((line) => line.includes("handshake-timeout"));
  });

  test("another protocol is ended without an answer", async () => {
    const client = await TestConnection.open(open.port);
    client.send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    const answer: number[] = [];
    expect(await client.readToEnd((bytes) => answer.push(...bytes))).toBe("fin");
    expect(answer).toEqual([]);
    client.reset();
  });

  test("after a refusal it gets FIN, may go on sending, and is reset in time", async () => {
    const client = await TestConnection.open(guarded.port);
    client.send(Uint8Array.of(5, 1, 2, ...userpass("bob", "secret"), 5, 9, 0, 1));
    expect(hex(await client.read(14))).toBe("0502010005070001000000000000");
    expect(await client.readToEnd()).toBe("fin");
    // It does not close. Sending shows how the proxy does: first not at all, then by a reset.
    const started = performance.now();
    while (client.sendWhatFits(Uint8Array.of(0)) >= 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
