/** UDP ASSOCIATE with the real program and real datagrams. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { type ProxyOptions, type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { TestConnection } from "../support/socks-client.ts";
import { askProxy, datagramHeader, type SocksRequest, ZEROS } from "../support/socks-request.ts";
import { startUdpEcho, TestDatagrams } from "../support/test-datagrams.ts";

const HEADER_BYTES = 10;

let proxy: ProxyProcess;
let echo: TestDatagrams;

beforeAll(async () => {
  proxy = await startProxy();
  echo = await startUdpEcho();
});

afterAll(async () => {
  expect(await proxy.stop()).toBe(0);
  echo[Symbol.dispose]();
});

/** A proxy with this in its configuration file. */
async function startConfigured(toml: string, options: ProxyOptions = {}): Promise<ProxyProcess> {
  using scratch = scratchDir();
  const file = scratch.file("sockeye.toml");
  writeFileSync(file, toml);
  return await startProxy(["--config", file], options);
}

/** An association and a socket that may use it. */
async function associate(request: Partial<SocksRequest> = {}, host = "127.0.0.1") {
  const { control, reply } = await askProxy({ proxyPort: proxy.port, cmd: "udp", ...request });
  expect(reply.rep).toBe(0);
  const socket = await TestDatagrams.open(host);
  const send = (payload: Iterable<number> | string, port = echo.port, to = "127.0.0.1"): void => {
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    socket.send([...datagramHeader(to, port), ...bytes], reply.port, reply.atyp === 4 ? "::1" : reply.address);
  };
  const end = async (): Promise<void> => {
    control.finish();
    expect(await control.readToEnd()).toBe("fin");
    socket[Symbol.dispose]();
  };
  return { control, reply, socket, send, end };
}

/** The payload of what the client receives next. */
async function payloadOf(socket: TestDatagrams): Promise<string> {
  const { bytes } = await socket.receive();
  return Buffer.from(bytes.subarray(HEADER_BYTES)).toString();
}

describe("datagrams", () => {
  for (const size of [0, 1, 64, 1200, 9000, 65_507 - HEADER_BYTES]) {
    test(`of ${size} bytes go there and back whole, from BND.ADDR, behind the true sender`, async () => {
      const { reply, socket, send, end } = await associate();
      const payload = randomBytes(size);
      send(payload);
      const answer = await socket.receive();
      expect([answer.address, answer.port]).toEqual([reply.address, reply.port]);
      expect(Buffer.from(answer.bytes).equals(Buffer.of(...datagramHeader("127.0.0.1", echo.port), ...payload))).toBe(
        true,
      );
      await end();
    });
  }

  test("come in order, many at once", async () => {
    const { socket, send, end } = await associate();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 100; i++) send(`${round}.${i}`);
      for (let i = 0; i < 100; i++) expect(await payloadOf(socket)).toBe(`${round}.${i}`);
    }
    await end();
  });

  test("go to names", async () => {
    // The echo has no IPv6, and a name's first address is the only one that datagrams try.
    await using own = await startConfigured('[outgoing]\nfamily = "prefer-ipv4"\n');
    const { socket, send, end } = await associate({ proxyPort: own.port });
    send("by name", echo.port, "localhost");
    send("by number");
    const answers = [await payloadOf(socket), await payloadOf(socket)];
    expect(answers.sort()).toEqual(["by name", "by number"]);
    await end();
  });

  test("go to IPv6 and come from there, over an IPv6 control connection", async () => {
    using echo6 = await startUdpEcho("::1");
    const { reply, socket, end } = await associate({ proxyHost: "::1" }, "::1");
    expect([reply.atyp, reply.address]).toEqual([4, "0:0:0:0:0:0:0:1"]);
    const header = [0, 0, 0, 4, ...Array<number>(15).fill(0), 1, echo6.port >> 8, echo6.port & 0xff];
    socket.send([...header, 7], reply.port, "::1");
    expect([...(await socket.receive()).bytes]).toEqual([...header, 7]);
    await end();
  });

  test("see one port of ours at every target, and any host that learns it may answer", async () => {
    using first = await TestDatagrams.open();
    using second = await TestDatagrams.open("127.0.0.2");
    const { socket, send, end } = await associate();
    send("one", first.port);
    send("two", second.port, "127.0.0.2");
    const seen = await first.receive();
    expect((await second.receive()).port).toBe(seen.port);
    using third = await TestDatagrams.open("127.0.0.3");
    third.send("uninvited", seen.port);
    const answer = await socket.receive();
    expect([...answer.bytes]).toEqual([...datagramHeader("127.0.0.3", third.port), ...Buffer.from("uninvited")]);
    await end();
  });

  test("that nobody receives (ICMP) end nothing", async () => {
    const closed = await TestDatagrams.open();
    const { port } = closed;
    closed[Symbol.dispose]();
    const { socket, send, end } = await associate();
    for (let i = 0; i < 20; i++) {
      send("nobody", port);
      send(`after ${i}`);
      expect(await payloadOf(socket)).toBe(`after ${i}`);
    }
    await end();
  });

  test("that are broken end nothing, and are counted in the one line of the access log", async () => {
    const { reply, socket, send, end } = await associate();
    send("first");
    await payloadOf(socket);
    const header = datagramHeader("127.0.0.1", echo.port);
    for (const bytes of [[], [0], header.slice(0, 9), [0, 1, ...header.slice(2)], [0, 0, 0, 9, ...header.slice(4)]]) {
      socket.send(bytes, reply.port);
    }
    socket.send([0, 0, 1, ...header.slice(3), 1], reply.port);
    socket.send([0, 0, 0x81, ...header.slice(3), 1], reply.port);
    send("last");
    expect(await payloadOf(socket)).toBe("last");
    await end();
    const line = await proxy.stdout.waitFor((text) => text.includes('"malformed":5'));
    expect(JSON.parse(line)).toMatchObject({
      command: "udp_associate",
      destination: "0.0.0.0:0",
      reply: 0,
      bytes_up: 9,
      bytes_down: 9,
      udp: { datagrams_up: 2, datagrams_down: 2, targets: 1, dropped: { malformed: 5, fragment: 2 } },
      ended: "finished",
    });
  });
});

describe("strangers", () => {
  test("on another loopback address relay nothing, before the client and after", async () => {
    using target = await TestDatagrams.open();
    const { reply, send, end } = await associate();
    using stranger = await TestDatagrams.open("127.0.0.9");
    const forged = [...datagramHeader("127.0.0.1", target.port), ...Buffer.from("forged")];
    stranger.send(forged, reply.port);
    send("true", target.port);
    expect(Buffer.from((await target.receive()).bytes).toString()).toBe("true");
    stranger.send(forged, reply.port);
    send("true again", target.port);
    expect(Buffer.from((await target.receive()).bytes).toString()).toBe("true again");
    expect(stranger.waitingCount).toBe(0);
    await end();
  });

  test("on another port of the client's address relay nothing, once the client has sent", async () => {
    using target = await TestDatagrams.open();
    const { reply, send, end } = await associate();
    send("true", target.port);
    await target.receive();
    using stranger = await TestDatagrams.open();
    stranger.send([...datagramHeader("127.0.0.1", target.port), ...Buffer.from("forged")], reply.port);
    send("true again", target.port);
    expect(Buffer.from((await target.receive()).bytes).toString()).toBe("true again");
    await end();
  });

  test("cannot take the place of a client that has declared its port", async () => {
    using target = await TestDatagrams.open();
    using client = await TestDatagrams.open();
    const { control, reply } = await askProxy({
      proxyPort: proxy.port,
      cmd: "udp",
      dst: [1, 127, 0, 0, 1, client.port >> 8, client.port & 0xff],
    });
    using stranger = await TestDatagrams.open();
    const header = datagramHeader("127.0.0.1", target.port);
    stranger.send([...header, ...Buffer.from("forged")], reply.port);
    client.send([...header, ...Buffer.from("true")], reply.port);
    expect(Buffer.from((await target.receive()).bytes).toString()).toBe("true");
    control.close();
  });

  test("two clients neither see nor disturb each other", async () => {
    const one = await associate();
    const two = await associate();
    for (let i = 0; i < 20; i++) {
      one.send(`one ${i}`);
      two.send(`two ${i}`);
      two.socket.send([...datagramHeader("127.0.0.1", echo.port), 1], one.reply.port);
      expect(await payloadOf(one.socket)).toBe(`one ${i}`);
      expect(await payloadOf(two.socket)).toBe(`two ${i}`);
    }
    expect([one.socket.waitingCount, two.socket.waitingCount]).toEqual([0, 0]);
    await one.end();
    two.send("still there");
    expect(await payloadOf(two.socket)).toBe("still there");
    await two.end();
  });
});

describe("the end", () => {
  test("comes with the control connection, by FIN or by RST, and gives every socket back", async () => {
    // A proxy of its own: no other test's sockets come and go.
    await using own = await startProxy();
    const before = socketCount(own.pid);
    for (const how of ["finish", "reset"] as const) {
      const opened = await Promise.all(Array.from({ length: 20 }, () => associate({ proxyPort: own.port })));
      for (const { send, socket } of opened) {
        send("x");
        await payloadOf(socket);
      }
      expect(socketCount(own.pid)).toBe(before + 60);
      for (const { control } of opened) control[how]();
      await until(() => socketCount(own.pid) === before, 10_000, "the sockets of the associations to close");
      for (const { socket } of opened) socket[Symbol.dispose]();
    }
  });

  test("comes after silence", async () => {
    await using own = await startConfigured('[udp]\nidle = "300ms"\n');
    const { control } = await associate({ proxyPort: own.port });
    expect(await control.readToEnd(() => undefined, 10_000)).toBe("fin");
    control.finish();
    const line = await own.stdout.waitFor((text) => text.includes("udp_associate"));
    expect(JSON.parse(line)).toMatchObject({ ended: "idle-timeout" });
  });
});

describe("BND.ADDR", () => {
  test("is the address that the client has reached, on a wildcard listener of either family", async () => {
    for (const listen of ["0.0.0.0", "::"]) {
      await using own = await startConfigured(`[socks]\nlisten = ["${listen}"]\nauth = "none"\n`);
      const { reply, socket, end } = await associate({ proxyPort: own.port, proxyHost: "127.0.0.5" }, "127.0.0.1");
      expect([reply.atyp, reply.address]).toEqual([1, "127.0.0.5"]);
      socket.send([...datagramHeader("127.0.0.1", echo.port), 1], reply.port, reply.address);
      expect((await socket.receive()).address).toBe("127.0.0.5");
      await end();
    }
  });

  test("is the advertised address where there is one, in the range of ports", async () => {
    const listen = '[{ address = "127.0.0.1", advertise = "203.0.113.5" }]';
    await using own = await startConfigured(`[socks]\nlisten = ${listen}\n[udp]\nports = "21310-21312"\n`);
    const replies = [];
    for (let i = 0; i < 4; i++) {
      const { reply } = await askProxy({ proxyPort: own.port, cmd: "udp" });
      replies.push(reply);
    }
    expect(replies.map(({ rep, address }) => [rep, address])).toEqual([
      ...Array<[number, string]>(3).fill([0, "203.0.113.5"]),
      [1, "0.0.0.0"],
    ]);
    expect(replies.slice(0, 3).map(({ port }) => port)).toEqual([21_310, 21_311, 21_312]);
  });
});

describe("access", () => {
  const USER = { name: "alice", password: "secret" };

  test("needs the password as everything does: nothing is relayed without", async () => {
    await using own = await startProxy(["--user", "alice:secret"]);
    const stranger = await TestConnection.open(own.port);
    stranger.send(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    expect([...(await stranger.read(2))]).toEqual([5, 0xff]);
    expect(await stranger.readToEnd()).toBe("fin");
    const { socket, send, end } = await associate({ proxyPort: own.port, user: USER });
    send("let in");
    expect(await payloadOf(socket)).toBe("let in");
    await end();
  });

  test("the rules hold for every datagram, and a reload reaches open associations", async () => {
    using scratch = scratchDir();
    const file = scratch.file("sockeye.toml");
    writeFileSync(file, '[log]\nlevel = "info"\n');
    await using own = await startProxy(["--config", file]);
    using other = await TestDatagrams.open("127.0.0.77", (bytes) => bytes);
    const { socket, send, end } = await associate({ proxyPort: own.port });
    send("before", other.port, "127.0.0.77");
    expect(await payloadOf(socket)).toBe("before");
    writeFileSync(file, '[destinations]\ndeny = ["127.0.0.77"]\n');
    own.kill("SIGHUP");
    await own.stderr.waitFor((line) => /reload/.test(line));
    send("after", other.port, "127.0.0.77");
    send("elsewhere");
    expect(await payloadOf(socket)).toBe("elsewhere");
    expect(other.waitingCount).toBe(1);
    await end();
  });

  test("without descriptors the answer is REP 1, and all is well when there are some again", async () => {
    await using own = await startConfigured('[log]\nlevel = "debug"\n', { descriptorsMax: 64 });
    const line = await own.stderr.waitFor((text) => text.includes("descriptors"));
    const { clients } = JSON.parse(line) as { clients: number };
    // As many clients as there are descriptors for; each wants one more than that.
    const controls = await Promise.all(Array.from({ length: clients }, () => TestConnection.open(own.port)));
    const socket = await TestDatagrams.open();
    const reps: number[] = [];
    for (const control of controls) {
      control.send(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
      const reply = Buffer.from(await control.read(12));
      reps.push(reply[3] ?? 0xff);
      if (reply[3] === 0) socket.send(datagramHeader("127.0.0.1", echo.port), reply.readUInt16BE(10));
    }
    expect(reps[0]).toBe(0);
    expect(reps).toContain(1);
    expect(reps.every((rep) => rep < 2)).toBe(true);
    for (const control of controls) control.reset();
    socket[Symbol.dispose]();
    await until(() => own.accessLog().length === clients, 10_000, "the associations to end");
    const again = await associate({ proxyPort: own.port });
    again.send("again");
    expect(await payloadOf(again.socket)).toBe("again");
    await again.end();
  });
});
