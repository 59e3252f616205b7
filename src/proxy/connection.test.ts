import { describe, expect, test } from "bun:test";
import { type FakeProxyOptions, fakeProxy, settle } from "../../test/support/fake-proxy.ts";
import { FakeSocket } from "../../test/support/fake-socket.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";
import { AccessRules } from "./access-rules.ts";

const GREETING = [5, 1, 0];
const USER_GREETING = [5, 1, 2];
const CONNECT = [5, 1, 0, 1, 192, 0, 2, 7, 0, 80];
const CONNECT_BY_NAME = [5, 1, 0, 3, 11, ...Buffer.from("example.org"), 1, 187];
const SUCCESS = [5, 0, 0, 1, 192, 0, 2, 99, 0x9c, 0x41];
const failure = (rep: number): number[] => [5, rep, 0, 1, 0, 0, 0, 0, 0, 0];
const userpass = (name: string, password: string): number[] => [
  1,
  name.length,
  ...Buffer.from(name),
  password.length,
  ...Buffer.from(password),
];
const bytes = (...parts: (number[] | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part)] : part)));

/** A client that has asked to be connected, and the attempt that this has started. */
function asked(options: FakeProxyOptions = {}) {
  const proxy = fakeProxy(options);
  const client = proxy.accept();
  client.peerSends(bytes(GREETING, CONNECT));
  return { ...proxy, client, dial: proxy.dialer.at(0) };
}

/** A client with an open tunnel. What it was sent so far has been checked and is forgotten. */
function tunnelled(options: FakeProxyOptions = {}) {
  const proxy = asked(options);
  const target = proxy.dial.connect();
  expect([...proxy.client.allWritten()]).toEqual([5, 0, ...SUCCESS]);
  proxy.client.written.length = 0;
  return { ...proxy, target };
}

describe("CONNECT", () => {
  test("says success only when the target has accepted, in one write, with the outgoing socket's own address [rfc1928#6/rep-succeeded] [rfc1928#6/connect-bound-address] [rfc1928#6/reply]", () => {
    const { client, dial } = asked();
    expect([...client.allWritten()]).toEqual([5, 0]);
    dial.connect(new FakeSocket(), { ip: Uint8Array.of(198, 51, 100, 3), port: 0x1234 });
    expect(client.written.map((piece) => [...piece])).toEqual([
      [5, 0],
      [5, 0, 0, 1, 198, 51, 100, 3, 0x12, 0x34],
    ]);
  });

  test("names the IPv6 address of an outgoing socket that has one [rfc1928#6/connect-bound-address]", () => {
    const { client, dial } = asked();
    const ip = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    dial.connect(new FakeSocket(), { ip: Uint8Array.from(ip), port: 80 });
    expect([...(client.written[1] ?? [])]).toEqual([5, 0, 0, 4, ...ip, 0, 80]);
  });

  test("passes data on both ways, early data first [rfc1928#6/success-passes-data]", () => {
    const { client, dial, context } = asked();
    client.peerSends(bytes("early, "));
    client.peerSends(bytes("still early, "));
    const target = dial.connect();
    client.peerSends(bytes("late"));
    expect(target.allWritten().toString()).toBe("early, still early, late");
    target.peerSends(bytes("answer"));
    expect(client.allWritten().subarray(12).toString()).toBe("answer");
    expect(context.totals.bytes).toBe(30);
  });

  test("an early FIN goes to the target after the early data", () => {
    const { client, dial } = asked();
    client.peerSends(bytes("all I have to say"));
    client.peerFinishes();
    expect(client.finSent).toBe(false);
    const target = dial.connect();
    expect(target.allWritten().toString()).toBe("all I have to say");
    expect(target.finSent).toBe(true);
    target.peerSends(bytes("answer"));
    expect(client.allWritten().subarray(12).toString()).toBe("answer");
  });

  test("stops reading a client that sends too much ahead, and reads on with the tunnel", () => {
    const { client, dial, context } = asked({ change: { settings: { bufferSize: 1_000_000 } } });
    client.peerSends(new Uint8Array(65_535));
    expect(client.isPaused).toBe(false);
    client.peerSends(new Uint8Array(1));
    expect(client.isPaused).toBe(true);
    const target = dial.connect();
    expect(client.isPaused).toBe(false);
    expect(target.writtenBytes).toBe(65_536);
    expect(context.totals.bytes).toBe(65_536);
  });

  test("reads on after a refusal, too, so that the client's FIN is seen", () => {
    const { client, dial } = asked();
    client.peerSends(new Uint8Array(65_536));
    expect(client.isPaused).toBe(true);
    dial.fail("ECONNREFUSED");
    expect(client.isPaused).toBe(false);
    expect(client.finSent).toBe(true);
  });

  test("a reply that the client's socket cannot take at once arrives whole, before all payload", () => {
    const { accept, dialer, context } = fakeProxy();
    const client = accept(new FakeSocket(4));
    client.peerSends(bytes(GREETING, CONNECT));
    const target = dialer.at(0).connect();
    target.peerSends(bytes("payload"));
    client.drain(3);
    client.drain();
    expect([...client.allWritten()]).toEqual([5, 0, ...SUCCESS, ...Buffer.from("payload")]);
    expect(context.totals.bytes).toBe(7);
  });

  test("answers that the client's socket cannot take wait in their order, and FIN behind them", () => {
    const { accept, dialer, server } = fakeProxy();
    const client = accept(new FakeSocket(1));
    client.peerSends(bytes(GREETING, CONNECT));
    dialer.at(0).fail("ECONNREFUSED");
    expect(client.writtenBytes).toBe(1);
    expect(client.finSent).toBe(false);
    client.drain(5);
    expect(client.finSent).toBe(false);
    client.drain();
    expect([...client.allWritten()]).toEqual([5, 0, ...failure(5)]);
    expect(client.finSent).toBe(true);
    client.peerFinishes();
    client.closeIfFinished();
    expect(server.concurrent()).toBe(0);
  });

  test("a socket that takes nothing yet is not a dead one", () => {
    const { accept, dialer } = fakeProxy();
    const client = accept(new FakeSocket(0));
    client.peerSends(bytes(GREETING, CONNECT));
    expect(client.isClosed).toBe(false);
    dialer.at(0).connect();
    client.drain();
    expect([...client.allWritten()]).toEqual([5, 0, ...SUCCESS]);
  });

  test("each handshake is counted once and forgotten once, whatever becomes of the client", () => {
    const { accept, dialer, clients } = fakeProxy();
    const handshakes = (): number => {
      const entry = clients.enter("127.0.0.1", { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 0 });
      if (typeof entry === "string") throw new Error(entry);
      clients.handshakeEnded(entry);
      clients.leave(entry);
      return entry.handshakes;
    };
    const waiting = accept();
    expect(handshakes()).toBe(1);
    const refused = accept();
    refused.peerSends(bytes(GREETING, CONNECT));
    expect(handshakes()).toBe(1);
    dialer.at(0).fail("ECONNREFUSED");
    expect(handshakes()).toBe(1);
    refused.peerResets();
    const connected = accept();
    connected.peerSends(bytes(GREETING, CONNECT));
    dialer.at(1).connect().peerResets();
    expect(handshakes()).toBe(1);
    accept().peerSends(Uint8Array.of(4));
    expect(handshakes()).toBe(1);
    waiting.peerResets();
    expect(handshakes()).toBe(0);
  });

  test("what breaks the protocol is told to the log and counted", () => {
    const { accept, events, context } = fakeProxy();
    accept().peerSends(bytes("GET / HTTP/1.1"));
    accept().peerSends(bytes(GREETING, [5, 9]));
    expect(events.others).toEqual(["fault bad-version", "fault bad-command"]);
    expect(context.counters.faults).toBe(2);
  });

  test("a client that dies of the reply itself takes the target with it", () => {
    const { client, dial, server, events } = asked();
    client.peerResetsUnnoticed();
    const target = dial.connect();
    client.readInbox();
    expect(target.isTerminated).toBe(true);
    expect(server.concurrent()).toBe(0);
    expect(events.records.map((record) => record.end)).toEqual(["client-reset"]);
  });

  test("a client that is found dead while it is answered is not served any further", () => {
    const { accept, dialer, clients, server, context } = fakeProxy();
    const client = accept();
    client.peerResetsUnnoticed();
    // The answer to the greeting meets the reset, with the request read already.
    client.peerSends(bytes(GREETING, CONNECT));
    expect(dialer.dials.length).toBe(0);
    expect(server.concurrent()).toBe(0);
    expect(clients.connections).toBe(0);
    expect(context.wheel.count).toBe(0);
  });

  const FAILURES: readonly [code: string, rep: number, clause: string][] = [
    ["ENETUNREACH", 3, "[rfc1928#6/rep-network-unreachable]"],
    ["EHOSTUNREACH", 4, "[rfc1928#6/rep-host-unreachable]"],
    ["ECONNREFUSED", 5, "[rfc1928#6/rep-connection-refused]"],
    ["ETIMEDOUT", 6, "[rfc1928#6/rep-ttl-expired]"],
    ["EMFILE", 1, "[rfc1928#6/rep-general-failure]"],
    ["EACCES", 2, "[rfc1928#6/rep-not-allowed]"],
  ];
  for (const [code, rep, clause] of FAILURES) {
    test(`${code} is REP ${rep}, in one write, and then FIN ${clause}`, () => {
      const { client, dial, context } = asked();
      dial.fail(code);
      expect(client.written.map((piece) => [...piece])).toEqual([[5, 0], failure(rep)]);
      expect(client.finSent).toBe(true);
      expect(context.counters.requestsRefused).toBe(1);
    });
  }

  test("a reset by a client that was refused is not given as a reason for the refusal", () => {
    const { client, dial, events } = asked();
    dial.fail("ECONNREFUSED");
    client.peerResets("EPIPE");
    expect(events.records).toMatchObject([{ reply: 5, end: "refused", detail: undefined }]);
  });

  test("a request that cannot be read is reported as any other that is refused", () => {
    const { accept, events, context } = fakeProxy();
    const client = accept();
    client.peerSends(bytes(GREETING, [5, 9]));
    expect(client.written.map((piece) => [...piece])).toEqual([[5, 0], failure(7)]);
    client.peerFinishes();
    expect(events.records).toMatchObject([
      { command: undefined, host: undefined, reply: 7, end: "refused", detail: "bad-command" },
    ]);
    expect(context.counters.requestsRefused).toBe(1);
    // What is no SOCKS at all is no request.
    const stranger = accept();
    stranger.peerSends(bytes("GET / HTTP/1.1"));
    stranger.peerFinishes();
    expect(events.records).toHaveLength(1);
  });

  test("BIND and UDP ASSOCIATE are answered in some way, and never with silence", () => {
    for (const cmd of [2, 3]) {
      const { accept } = fakeProxy();
      const client = accept();
      client.peerSends(bytes(GREETING, [5, cmd, 0, 1, 0, 0, 0, 0, 0, 0]));
      expect(client.writtenBytes).toBeGreaterThanOrEqual(12);
    }
  });
});

describe("time limits", () => {
  test("handshake: as a whole, however the bytes trickle, and the client is reset", () => {
    const { accept, clock, events, context, server } = fakeProxy();
    const client = accept();
    for (const byte of GREETING) {
      clock.advance(3000);
      client.peerSends(Uint8Array.of(byte));
    }
    expect(client.isClosed).toBe(false);
    clock.advance(1000 + 2 * SLOT_MS);
    expect(client.isTerminated).toBe(true);
    expect(events.others).toEqual(["fault handshake-timeout"]);
    expect(context.counters.handshakeTimeouts).toBe(1);
    expect(server.concurrent()).toBe(0);
    expect(context.wheel.count).toBe(0);
  });

  test("connect: REP 6, the attempt is given up, and its late success is not ours any more [rfc1928#6/rep-ttl-expired]", () => {
    const { client, clock, dial } = asked();
    clock.advance(14_999);
    expect(client.writes).toBe(1);
    clock.advance(1 + 2 * SLOT_MS);
    expect([...(client.written[1] ?? [])]).toEqual(failure(6));
    expect(dial.isCancelled).toBe(true);
  });

  test("connect, while the name is being looked up", async () => {
    const { accept, clock, resolver, dialer, events } = fakeProxy();
    const client = accept();
    client.peerSends(bytes(GREETING, CONNECT_BY_NAME));
    expect(resolver.asked).toEqual(["example.org"]);
    clock.advance(15_000 + 2 * SLOT_MS);
    expect([...(client.written[1] ?? [])]).toEqual(failure(6));
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.7"] });
    expect(dialer.dials.length).toBe(0);
    client.peerFinishes();
    client.closeIfFinished();
    expect(events.records[0]).toMatchObject({ reply: 6, end: "refused", host: "example.org", port: 443 });
  });

  test("connect limit 0 is none", () => {
    const { client, clock } = asked({
      change: { timeouts: { connectMs: 0, idleMs: 0, halfClosedMs: 0, keepAliveMs: 0 } },
    });
    clock.advance(10_000_000);
    expect(client.writes).toBe(1);
  });

  test("a client that does not close after a refusal is reset in time [rfc1928#6/failure-closes-in-time] [rfc1928#6/failure-closes]", () => {
    const { client, clock, dial, server } = asked();
    dial.fail("ECONNREFUSED");
    expect(client.finSent).toBe(true);
    clock.advance(4_999);
    expect(client.isClosed).toBe(false);
    clock.advance(1 + 2 * SLOT_MS);
    expect(client.isTerminated).toBe(true);
    expect(server.concurrent()).toBe(0);
  });

  test("a client that closes after a refusal is gone at once", () => {
    const { client, dial, server, context, events } = asked();
    dial.fail("ECONNREFUSED");
    client.peerFinishes();
    client.closeIfFinished();
    expect(client.isTerminated).toBe(false);
    expect(server.concurrent()).toBe(0);
    expect(context.wheel.count).toBe(0);
    expect(events.records).toMatchObject([{ reply: 5, end: "refused", bytesUp: 0, bytesDown: 0 }]);
  });

  test("idle: counted from the last byte in either direction", () => {
    const { client, target, clock, events, context } = tunnelled();
    clock.advance(59_000);
    client.peerSends(bytes("x"));
    clock.advance(59_000);
    target.peerSends(bytes("y"));
    clock.advance(59_999);
    expect(client.isClosed).toBe(false);
    clock.advance(1 + 2 * SLOT_MS);
    expect(client.isTerminated && target.isTerminated).toBe(true);
    expect(events.records).toMatchObject([{ end: "idle-timeout", bytesUp: 1, bytesDown: 1, reply: 0 }]);
    expect(context.counters.idleTimeouts).toBe(1);
  });

  test("idle, where connecting has no limit", () => {
    const { client, clock } = tunnelled({
      change: { timeouts: { connectMs: 0, idleMs: 60_000, halfClosedMs: 0, keepAliveMs: 0 } },
    });
    clock.advance(60_000 + 2 * SLOT_MS);
    expect(client.isTerminated).toBe(true);
  });

  test("half-closed: its own limit, counted from the last byte", () => {
    const { client, target, clock, events } = tunnelled();
    clock.advance(20_000);
    client.peerFinishes();
    clock.advance(29_000);
    target.peerSends(bytes("still talking"));
    clock.advance(29_999);
    expect(client.isClosed).toBe(false);
    clock.advance(1 + 2 * SLOT_MS);
    expect(client.isTerminated && target.isTerminated).toBe(true);
    expect(events.records).toMatchObject([{ end: "half-closed-timeout", bytesDown: 13 }]);
  });

  test("idle and half-closed limits of 0 are none", () => {
    const { client, clock, context } = tunnelled({
      change: { timeouts: { connectMs: 15_000, idleMs: 0, halfClosedMs: 0, keepAliveMs: 0 } },
    });
    clock.advance(1e9);
    client.peerFinishes();
    clock.advance(1e9);
    expect(client.isClosed).toBe(false);
    expect(client.keepAliveMs).toBeUndefined();
    expect(context.wheel.count).toBe(0);
  });

  test("keep-alive begins when a tunnel has been silent, on both sockets", () => {
    const { client, target, clock } = tunnelled({
      change: { timeouts: { connectMs: 15_000, idleMs: 60_000, halfClosedMs: 30_000, keepAliveMs: 20_000 } },
    });
    clock.advance(15_000);
    client.peerSends(bytes("x"));
    clock.advance(15_000);
    expect(client.keepAliveMs).toBeUndefined();
    clock.advance(5_000 + 2 * SLOT_MS);
    expect([client.keepAliveMs, target.keepAliveMs]).toEqual([20_000, 20_000]);
    clock.advance(40_000 + 2 * SLOT_MS);
    expect(client.isTerminated).toBe(true);
  });
});

describe("clients that leave", () => {
  test("while an attempt is under way: it is cancelled, and nobody answers", () => {
    const { client, dial, server, events, context } = asked();
    client.peerResets();
    expect(dial.isCancelled).toBe(true);
    expect(server.concurrent()).toBe(0);
    expect(context.wheel.count).toBe(0);
    expect(events.records).toMatchObject([
      { end: "client-gone", reply: undefined, attempts: [{ address: "192.0.2.7", outcome: "cancelled" }] },
    ]);
  });

  test("while the name is being looked up", async () => {
    const { accept, resolver, dialer, events } = fakeProxy();
    const client = accept();
    client.peerSends(bytes(GREETING, CONNECT_BY_NAME));
    client.peerResets();
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.7"] });
    expect(dialer.dials.length).toBe(0);
    expect(events.records).toMatchObject([{ end: "client-gone", host: "example.org" }]);
  });

  test("with FIN in the middle of the handshake: FIN comes back, and no request is logged", () => {
    for (const sent of [[], [5], GREETING, [...GREETING, 5, 1]]) {
      const { accept, server, events } = fakeProxy();
      const client = accept();
      client.peerSends(Uint8Array.from(sent));
      client.peerFinishes();
      expect(client.finSent).toBe(true);
      client.closeIfFinished();
      expect(server.concurrent()).toBe(0);
      expect(events.records).toEqual([]);
    }
  });

  test("before they were accepted", () => {
    const { server, clients } = fakeProxy();
    const socket = new FakeSocket();
    socket.data = server.accept(socket, undefined);
    socket.peerResets();
    expect(server.concurrent()).toBe(0);
    expect(server.historical()).toBe(1);
    expect(clients.connections).toBe(0);
  });
});

describe("users", () => {
  const PLAIN = [{ name: "alice", secret: { kind: "plain", password: "right" } }] as const;
  const HASHED = [{ name: "alice", secret: { kind: "hash", phc: "$argon2id$v=19$m=65536,t=2,p=1$a$b" } }] as const;

  test("the right password: STATUS 0, and the access log knows who [rfc1929#2/verify] [rfc1929#2/status-success]", () => {
    const { accept, dialer, events } = fakeProxy({ users: PLAIN });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "right"), CONNECT));
    expect([...client.allWritten()]).toEqual([5, 2, 1, 0]);
    dialer.at(0).connect().peerResets();
    expect(events.records).toMatchObject([{ user: "alice", end: "target-reset" }]);
  });

  test("a wrong password: STATUS 1, FIN, and a line without the password [rfc1929#2/verify] [rfc1929#2/close-after-failure]", () => {
    const { accept, events, context, dialer } = fakeProxy({ users: PLAIN });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "wrong"), CONNECT));
    expect([...client.allWritten()]).toEqual([5, 2, 1, 1]);
    expect(client.finSent).toBe(true);
    expect(dialer.dials.length).toBe(0);
    expect(events.others).toEqual(["authentication 127.0.0.1 alice"]);
    expect(context.counters.authenticationFailures).toBe(1);
    expect(context.clients.enter("127.0.0.1", { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 1 }))
      // Its handshake no longer counts, although it has not closed yet.
      .toMatchObject({ connections: 2, handshakes: 1 });
  });

  test("an unknown name is not shown: it may be a mistyped password", () => {
    const { accept, events } = fakeProxy({ users: PLAIN });
    accept().peerSends(bytes(USER_GREETING, userpass("right", "alice")));
    expect(events.others).toEqual(["authentication 127.0.0.1 ?"]);
  });

  test("empty names and passwords never get in [rfc1929#2/uname-passwd-lengths]", () => {
    for (const [name, password] of [
      ["", ""],
      ["alice", ""],
      ["", "right"],
    ] as const) {
      const { accept } = fakeProxy({ users: PLAIN });
      const client = accept();
      client.peerSends(bytes(USER_GREETING, userpass(name, password)));
      expect([...client.allWritten()]).toEqual([5, 2, 1, 1]);
    }
  });

  test("a late verdict: what came meanwhile is kept, and answered in order", async () => {
    const { accept, hasher, dialer } = fakeProxy({ users: HASHED });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "right"), CONNECT, "early"));
    expect([...client.allWritten()]).toEqual([5, 2]);
    expect(hasher.asked.map(({ password }) => password)).toEqual(["right"]);
    hasher.asked[0]?.answer(true);
    await settle();
    expect([...client.allWritten()]).toEqual([5, 2, 1, 0]);
    expect(dialer.at(0).connect().allWritten().toString()).toBe("early");
  });

  test("a verdict after the client has left, or after the time for the handshake, changes nothing", async () => {
    const gone = fakeProxy({ users: HASHED });
    const client = gone.accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "right"), CONNECT));
    client.peerResets();
    gone.hasher.asked[0]?.answer(true);
    await settle();
    expect(gone.dialer.dials.length).toBe(0);
    expect(gone.clients.connections).toBe(0);

    const late = fakeProxy({ users: HASHED });
    const slow = late.accept();
    slow.peerSends(bytes(USER_GREETING, userpass("alice", "right"), CONNECT));
    late.clock.advance(10_000 + 2 * SLOT_MS);
    expect(slow.isTerminated).toBe(true);
    late.hasher.asked[0]?.answer(true);
    await settle();
    expect(late.dialer.dials.length).toBe(0);
    expect(late.events.others).toEqual(["fault handshake-timeout"]);
  });

  test("a FIN during a late verdict: a client that has asked for nothing gets FIN back with the verdict", async () => {
    const { accept, hasher, server, context } = fakeProxy({ users: HASHED });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "right"), [5, 1]));
    client.peerFinishes();
    expect(client.finSent).toBe(false);
    hasher.asked[0]?.answer(true);
    await settle();
    expect([...client.allWritten()]).toEqual([5, 2, 1, 0]);
    expect(client.finSent).toBe(true);
    client.closeIfFinished();
    expect(server.concurrent()).toBe(0);
    expect(context.wheel.count).toBe(0);
  });

  test("a wrong password of a client that has left by then is nobody's", async () => {
    const { accept, hasher, events } = fakeProxy({ users: HASHED });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "wrong")));
    client.peerResets();
    hasher.asked[0]?.answer(false);
    await settle();
    expect(events.others).toEqual([]);
  });

  test("a FIN during a late verdict: the request that came before it is carried out", async () => {
    const { accept, hasher, dialer } = fakeProxy({ users: HASHED });
    const client = accept();
    client.peerSends(bytes(USER_GREETING, userpass("alice", "right"), CONNECT));
    client.peerFinishes();
    expect(client.finSent).toBe(false);
    hasher.asked[0]?.answer(true);
    await settle();
    expect(dialer.at(0).connect().finSent).toBe(true);
  });

  test("too many checks at once: refused, counted, named", async () => {
    const users = ["a", "b", "c", "d", "e"].map((name) => ({ ...HASHED[0], name }));
    const { accept, events, context } = fakeProxy({ users });
    const clients = users.map(({ name }) => {
      const client = accept();
      client.peerSends(bytes(USER_GREETING, userpass(name, "right")));
      return client;
    });
    await settle();
    expect(clients.map((client) => client.finSent)).toEqual([false, false, false, false, true]);
    expect([...(clients[4]?.allWritten() ?? [])]).toEqual([5, 2, 1, 1]);
    expect(events.others).toEqual(["limit hash_queue 127.0.0.1"]);
    expect(context.counters.limitReached).toBe(1);
  });
});

describe("the access log's record", () => {
  test("says who, where to, when, how much and why it ended", () => {
    const { client, target, clock, events } = tunnelled();
    client.peerSends(bytes("up"));
    target.peerSends(bytes("down"));
    clock.advance(1000);
    client.peerFinishes();
    target.peerFinishes();
    client.closeIfFinished();
    expect(events.records).toEqual([
      {
        startedWallMs: 1_700_000_001_000,
        endedWallMs: 1_700_000_002_000,
        clientAddress: "127.0.0.1",
        clientPort: 40_000,
        user: undefined,
        command: "connect",
        host: "192.0.2.7",
        port: 80,
        connectedAddress: "192.0.2.7",
        reply: 0,
        attempts: [{ address: "192.0.2.7", startMs: 0, outcome: "connected", ms: 0 }],
        lookups: [],
        bytesUp: 2,
        bytesDown: 4,
        end: "finished",
        detail: undefined,
      },
    ]);
  });

  test("comes once, however the two sides die", () => {
    const { client, target, events, server, clients } = tunnelled();
    target.peerResets();
    expect(client.isTerminated).toBe(true);
    expect(events.records.length).toBe(1);
    expect(server.concurrent()).toBe(0);
    expect(clients.connections).toBe(0);
  });

  test("names what ended an attempt that we gave up ourselves", () => {
    const { client, server, events } = asked();
    server.killAll("shutdown");
    expect(client.isTerminated).toBe(true);
    expect(events.records).toMatchObject([{ end: "shutdown", reply: undefined }]);
  });
});

describe("access rules [rfc1928#4/evaluate]", () => {
  const rules = new AccessRules({
    deny: [{ family: 4, bytes: [192, 0, 2, 0], prefixLength: 24 }],
    denyFromRemote: [{ family: 4, bytes: [127, 0, 0, 0], prefixLength: 8 }],
    allow: [],
  });

  test("a denied destination is REP 2, and nothing is dialled [rfc1928#6/rep-not-allowed] [rfc1928#6/connect-evaluate]", () => {
    const { accept, dialer, events } = fakeProxy({ change: { rules } });
    const client = accept();
    client.peerSends(bytes(GREETING, CONNECT));
    expect([...(client.written[1] ?? [])]).toEqual(failure(2));
    expect(dialer.dials.length).toBe(0);
    client.peerResets();
    expect(events.records).toMatchObject([{ reply: 2, attempts: [{ address: "192.0.2.7", outcome: "denied" }] }]);
  });

  test("where the client comes from counts, too [rfc1928#6/connect-evaluate]", () => {
    const toLoopback = bytes(GREETING, [5, 1, 0, 1, 127, 0, 0, 1, 0, 80]);
    const local = fakeProxy({ change: { rules } });
    local.accept().peerSends(toLoopback);
    expect(local.dialer.dials.length).toBe(1);

    const remote = fakeProxy({ change: { rules } });
    const client = remote.accept(new FakeSocket(), { ip: Uint8Array.of(198, 51, 100, 1), port: 1 });
    client.peerSends(toLoopback);
    expect([...(client.written[1] ?? [])]).toEqual(failure(2));
  });
});
