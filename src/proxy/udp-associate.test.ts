import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type FakeProxy, type FakeProxyOptions, fakeProxy, settle } from "../../test/support/fake-proxy.ts";
import { FakeSocket } from "../../test/support/fake-socket.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";
import { AccessRules } from "./access-rules.ts";
import type { UdpSettings } from "./context.ts";
import { ANY_WAY, type Outgoing, type OutgoingWay } from "./outgoing.ts";

const CLIENT = "127.0.0.1";
const ZEROS = [1, 0, 0, 0, 0, 0, 0];
const failure = (rep: number): number[] => [5, rep, 0, 1, 0, 0, 0, 0, 0, 0];
const text = (value: string): number[] => [...Buffer.from(value)];
const to = (...address: number[]): number[] => [0, 0, 0, ...address];
/** A header to 192.0.2.7:53 and to example.org:53. */
const TO_HOST = to(1, 192, 0, 2, 7, 0, 53);
const TO_NAME = to(3, 11, ...text("example.org"), 0, 53);
const IPV6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const ADDRESS = { kind: "addresses", addresses: ["192.0.2.7"] } as const;

const leaving = (way: Partial<OutgoingWay>): Outgoing => ({
  way: { ...ANY_WAY, ...way },
  waysOfUsers: new Map(),
  timing: HAPPY_EYEBALLS_DEFAULTS,
});

interface Options extends FakeProxyOptions {
  readonly dst?: readonly number[];
  readonly udp?: Partial<UdpSettings>;
  readonly socket?: FakeSocket;
  readonly advertisedIp?: Uint8Array;
}

function change(proxy: FakeProxy, udp: Partial<UdpSettings>): void {
  proxy.context.udp.settings = { ...proxy.context.udp.settings, ...udp };
}

/** A client that has asked for an association. */
function asked({ dst = ZEROS, udp = {}, socket, advertisedIp, ...options }: Options = {}) {
  const proxy = fakeProxy(options);
  change(proxy, udp);
  const client = proxy.accept(socket, undefined, advertisedIp);
  client.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...dst));
  return { ...proxy, client };
}

/** A client with an association whose first datagram, to 192.0.2.7:53, has come from port 4000. */
function associated(options: Options = {}) {
  const proxy = asked(options);
  const relay = proxy.datagrams.at(0);
  relay.receive([...TO_HOST, 1], CLIENT, 4000);
  const outside = proxy.datagrams.at(1);
  outside.sent.length = 0;
  return { ...proxy, relay, outside };
}

/** The record of the association, which is ended for it. */
function recordOf({ client, events }: Pick<ReturnType<typeof asked>, "client" | "events">) {
  client.peerFinishes();
  client.closeIfFinished();
  expect(events.records).toHaveLength(1);
  return events.records[0];
}

describe("the reply", () => {
  test("names the control connection's own address and the relay's port [rfc1928#6/udp-bound-address]", () => {
    const socket = new FakeSocket();
    socket.localAddress = "::ffff:192.0.2.1";
    const { client, datagrams } = asked({ socket });
    expect(datagrams.at(0).address).toBe("192.0.2.1");
    expect([...client.allWritten()]).toEqual([5, 0, 5, 0, 0, 1, 192, 0, 2, 1, 0xc3, 0x50]);
  });

  test("names an IPv6 address as ATYP 4 [rfc1928#6/udp-bound-address]", () => {
    const socket = new FakeSocket();
    socket.localAddress = "2001:db8::7";
    const { client } = asked({ socket });
    expect([...client.allWritten()].slice(2)).toEqual([5, 0, 0, 4, ...IPV6, 0xc3, 0x50]);
  });

  test("names the advertised address, while the socket stands on the local one", () => {
    const { client, datagrams } = asked({ advertisedIp: Uint8Array.of(203, 0, 113, 5) });
    expect(datagrams.at(0).address).toBe("127.0.0.1");
    expect([...client.allWritten()].slice(5)).toEqual([1, 203, 0, 113, 5, 0xc3, 0x50]);
  });

  test("an advertised address of the other family is for others", () => {
    const { client } = asked({ advertisedIp: Uint8Array.from(IPV6) });
    expect([...client.allWritten()].slice(5)).toEqual([1, 127, 0, 0, 1, 0xc3, 0x50]);
  });

  test("a port of the range, the next one when it is taken, each in turn", () => {
    const proxy = fakeProxy();
    change(proxy, { ports: { first: 6000, last: 6002 } });
    proxy.datagrams.failures.push("EADDRINUSE");
    for (let i = 0; i < 3; i++) proxy.accept().peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    expect(proxy.datagrams.portsAsked).toEqual([6000, 6001, 6002, 6000]);
  });

  test("REP 1 when the whole range is taken, after each port was tried once", () => {
    const proxy = fakeProxy();
    change(proxy, { ports: { first: 6000, last: 6002 } });
    proxy.datagrams.failures.push(...Array<string>(3).fill("EADDRINUSE"));
    const client = proxy.accept();
    client.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    expect([...client.allWritten()].slice(2)).toEqual(failure(1));
    expect(proxy.datagrams.portsAsked).toEqual([6000, 6001, 6002]);
    expect(proxy.context.udp.quota.total).toBe(1);
    client.peerFinishes();
    client.closeIfFinished();
    expect(proxy.context.udp.quota.total).toBe(0);
    expect(proxy.events.records[0]).toMatchObject({ end: "refused", detail: "no socket for datagrams: EADDRINUSE" });
  });

  test("REP 1 when no descriptor is left, and no other port is tried", () => {
    const proxy = fakeProxy();
    change(proxy, { ports: { first: 6000, last: 6002 } });
    proxy.datagrams.failures.push("EMFILE");
    const client = proxy.accept();
    client.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    expect([...client.allWritten()].slice(2)).toEqual(failure(1));
    expect(proxy.datagrams.portsAsked).toEqual([6000]);
  });

  test("REP 7 where nobody may, REP 2 where only users may", () => {
    expect([...asked({ udp: { access: "none" } }).client.allWritten()].slice(2)).toEqual(failure(7));
    const { client, datagrams } = asked({ udp: { access: "users" } });
    expect([...client.allWritten()].slice(2)).toEqual(failure(2));
    expect(datagrams.opened).toEqual([]);
  });

  test("a user may where only users may", () => {
    const proxy = fakeProxy({ users: [{ name: "al", secret: { kind: "plain", password: "pw" } }] });
    change(proxy, { access: "users" });
    const client = proxy.accept();
    client.peerSends(Uint8Array.of(5, 1, 2, 1, 2, ...text("al"), 2, ...text("pw"), 5, 3, 0, ...ZEROS));
    expect([...client.allWritten()].slice(4, 6)).toEqual([5, 0]);
  });
});

describe("the client", () => {
  test("its datagrams are relayed without a word to it [rfc1928#7/relay-silently] [rfc1928#7/header]", () => {
    const { relay, outside, client } = associated();
    const repliedBytes = client.writtenBytes;
    relay.receive([...TO_HOST, ...text("question")], CLIENT, 4000);
    expect(outside.sent).toEqual([{ to: "192.0.2.7:53", bytes: text("question") }]);
    expect(outside.address).toBe("0.0.0.0");
    expect(relay.sent).toEqual([]);
    expect(client.writtenBytes).toBe(repliedBytes);
  });

  test("an empty payload is a datagram, too", () => {
    const { relay, outside } = associated();
    relay.receive(TO_HOST, CLIENT, 4000);
    outside.receive([], "192.0.2.7", 53);
    expect(outside.sent).toEqual([{ to: "192.0.2.7:53", bytes: [] }]);
    expect(relay.sent).toEqual([{ to: "127.0.0.1:4000", bytes: TO_HOST }]);
  });

  test("another address relays nothing, and takes no place [rfc1928#7/expected-client] [rfc1928#7/drop-foreign-source]", () => {
    const proxy = asked();
    const relay = proxy.datagrams.at(0);
    relay.receive([...TO_HOST, 1], "127.0.0.2", 4000);
    expect(proxy.datagrams.opened).toHaveLength(1);
    relay.receive([...TO_HOST, 1], CLIENT, 4001);
    expect(proxy.datagrams.at(1).sent).toHaveLength(1);
    relay.receive([...TO_HOST, 1], "127.0.0.2", 4001);
    expect(proxy.datagrams.at(1).sent).toHaveLength(1);
    expect(recordOf(proxy)?.udp).toMatchObject({ datagramsUp: 1, dropped: { stranger: 2 } });
  });

  test("its first valid datagram says its port; what comes from another port is dropped", () => {
    const proxy = asked();
    const relay = proxy.datagrams.at(0);
    relay.receive([0, 0, 1, ...TO_HOST.slice(3)], CLIENT, 3999);
    relay.receive([1, 2, 3], CLIENT, 3999);
    relay.receive([...TO_HOST, 1], CLIENT, 4000);
    relay.receive([...TO_HOST, 2], CLIENT, 3999);
    expect(proxy.datagrams.at(1).sent).toEqual([{ to: "192.0.2.7:53", bytes: [1] }]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ fragment: 1, malformed: 1, stranger: 1 });
  });

  test("a port that it has declared is its port [rfc1928#6/udp-client-address]", () => {
    const proxy = asked({ dst: [1, 127, 0, 0, 1, 0x10, 0] });
    const relay = proxy.datagrams.at(0);
    relay.receive([...TO_HOST, 1], CLIENT, 4000);
    relay.receive([...TO_HOST, 2], CLIENT, 0x1000);
    expect(proxy.datagrams.at(1).sent).toEqual([{ to: "192.0.2.7:53", bytes: [2] }]);
  });

  const FOREIGN: readonly [what: string, dst: readonly number[]][] = [
    ["an address that is not its own (its target's, or from behind a NAT)", [1, 192, 0, 2, 7, 0x10, 0]],
    ["a name", [3, 9, ...text("localhost"), 0x10, 0]],
    ["zeros and a port", [1, 0, 0, 0, 0, 0x10, 0]],
    ["zeros of IPv6", [4, ...Array<number>(16).fill(0), 0, 0]],
  ];
  for (const [what, dst] of FOREIGN) {
    test(`declares ${what}: its first datagram says its port [rfc1928#6/udp-client-address]`, () => {
      const { datagrams } = asked({ dst });
      datagrams.at(0).receive([...TO_HOST, 1], CLIENT, 4000);
      expect(datagrams.at(1).sent).toHaveLength(1);
    });
  }

  test("an IPv6 client whose address the system writes in another way is the same client", () => {
    const proxy = fakeProxy();
    const client = proxy.accept(undefined, { ip: Uint8Array.from(IPV6), port: 1 });
    client.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    proxy.datagrams.at(0).receive([...TO_HOST, 1], "2001:DB8:0:0:0:0:0:7", 4000);
    proxy.datagrams.at(0).receive([...TO_HOST, 2], "2001:db8::8", 4000);
    expect(proxy.datagrams.at(1).sent).toHaveLength(1);
    proxy.datagrams.at(1).receive([9], "192.0.2.7", 53);
    expect(proxy.datagrams.at(0).sent.map((datagram) => datagram.to)).toEqual(["2001:DB8:0:0:0:0:0:7:4000"]);
  });

  const BAD: readonly [what: string, bytes: readonly number[], reason: string][] = [
    ["a fragment", [0, 0, 1, ...TO_HOST.slice(3), 1], "fragment"],
    ["a last fragment", [0, 0, 0x82, ...TO_HOST.slice(3), 1], "fragment"],
    ["RSV that is not zero", [0, 1, 0, ...TO_HOST.slice(3), 1], "malformed"],
    ["an unknown address type", to(2, 192, 0, 2, 7, 0, 53), "malformed"],
    ["a header that is cut", TO_HOST.slice(0, 9), "malformed"],
    ["an empty name", to(3, 0, 0, 53), "malformed"],
    ["nothing at all", [], "malformed"],
    ["port 0", to(1, 192, 0, 2, 7, 0, 0), "unsent"],
    ["a name and port 0", to(3, 1, 0x61, 0, 0), "unsent"],
  ];
  for (const [what, bytes, reason] of BAD) {
    test(`${what} is dropped without a word, and the association lives [rfc1928#7/drop-silently] [rfc1928#7/no-fragments]`, () => {
      const proxy = associated();
      proxy.relay.receive(bytes, CLIENT, 4000);
      expect(proxy.outside.sent).toEqual([]);
      proxy.relay.receive([...TO_HOST, 7], CLIENT, 4000);
      expect(proxy.outside.sent).toHaveLength(1);
      expect(proxy.relay.sent).toEqual([]);
      expect(recordOf(proxy)?.udp?.dropped).toEqual({ [reason]: 1 });
    });
  }

  test("what it says on the control connection is nobody's business", () => {
    const proxy = associated();
    proxy.client.peerSends(new Uint8Array(100_000));
    expect(proxy.client.isPaused).toBe(false);
    proxy.relay.receive([...TO_HOST, 7], CLIENT, 4000);
    expect(proxy.outside.sent).toHaveLength(1);
  });
});

describe("targets", () => {
  test("all of a family see one socket, and each family has its own", () => {
    const { datagrams, relay, outside } = associated();
    relay.receive([...to(1, 192, 0, 2, 8, 0, 99), 2], CLIENT, 4000);
    relay.receive([...to(4, ...IPV6, 0, 53), 3], CLIENT, 4000);
    relay.receive([...to(4, ...IPV6, 0, 54), 4], CLIENT, 4000);
    expect(outside.sent).toEqual([{ to: "192.0.2.8:99", bytes: [2] }]);
    expect(datagrams.opened.map((socket) => socket.address)).toEqual(["127.0.0.1", "0.0.0.0", "::"]);
    expect(datagrams.at(2).sent.map((datagram) => datagram.to)).toEqual(["2001:db8::7:53", "2001:db8::7:54"]);
  });

  test("a mapped IPv4 address and a literal in a name are that address", () => {
    const { datagrams, relay, outside } = associated();
    relay.receive([...to(4, ...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 9, 0, 53), 1], CLIENT, 4000);
    relay.receive([...to(3, 9, ...text("192.0.2.9"), 0, 53), 2], CLIENT, 4000);
    expect(outside.sent.map((datagram) => datagram.to)).toEqual(["192.0.2.9:53", "192.0.2.9:53"]);
    expect(datagrams.opened).toHaveLength(2);
  });

  test("an answer names its true sender, whoever that is, IPv4 as ATYP 1 [rfc1928#7/reply-header]", () => {
    const { datagrams, relay, outside } = associated();
    outside.receive([1], "192.0.2.7", 53);
    outside.receive([2], "198.51.100.1", 0x1234);
    outside.receive([3], "192.0.2.7", 54);
    relay.receive([...to(4, ...IPV6, 0, 53)], CLIENT, 4000);
    datagrams.at(2).receive([4], "2001:db8::7", 53);
    expect(relay.sent).toEqual([
      { to: "127.0.0.1:4000", bytes: [...TO_HOST, 1] },
      { to: "127.0.0.1:4000", bytes: [...to(1, 198, 51, 100, 1, 0x12, 0x34), 2] },
      { to: "127.0.0.1:4000", bytes: [...to(1, 192, 0, 2, 7, 0, 54), 3] },
      { to: "127.0.0.1:4000", bytes: [...to(4, ...IPV6, 0, 53), 4] },
    ]);
  });

  test("where only contacted hosts may answer, another host is dropped, another port of theirs is not", () => {
    const proxy = associated({ udp: { answersFrom: "contacted" } });
    proxy.outside.receive([1], "192.0.2.8", 53);
    proxy.outside.receive([2], "192.0.2.7", 9999);
    expect(proxy.relay.sent.map((datagram) => datagram.bytes.at(-1))).toEqual([2]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ uninvited: 1 });
  });

  test("strangers cannot push a contacted host out of the table", () => {
    const { relay, outside } = associated({ udp: { answersFrom: "contacted", targets: 2 } });
    for (let i = 1; i < 9; i++) outside.receive([1], `198.51.100.${i}`, 53);
    outside.receive([2], "192.0.2.7", 53);
    expect(relay.sent).toHaveLength(1);
  });

  test("the rules judge every destination and every sender, and new rules at once", () => {
    const rules = (...denied: number[][]) =>
      new AccessRules({
        deny: denied.map((bytes) => ({ family: 4, bytes, prefixLength: 32 })),
        denyFromRemote: [],
        allow: [],
      });
    const proxy = associated({ change: { rules: rules([192, 0, 2, 66]) } });
    const { relay, outside, context } = proxy;
    relay.receive([...to(1, 192, 0, 2, 66, 0, 53), 1], CLIENT, 4000);
    outside.receive([2], "192.0.2.66", 53);
    expect(outside.sent).toEqual([]);
    expect(relay.sent).toEqual([]);
    context.rules = rules([192, 0, 2, 7]);
    relay.receive([...TO_HOST, 3], CLIENT, 4000);
    outside.receive([4], "192.0.2.7", 53);
    outside.receive([5], "192.0.2.66", 53);
    expect(outside.sent).toEqual([]);
    expect(relay.sent.map((datagram) => datagram.bytes.at(-1))).toEqual([5]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ denied: 4 });
  });

  test("beyond the table's size the oldest target is forgotten and entered anew", () => {
    const proxy = associated({ udp: { targets: 2 } });
    for (const last of [8, 9, 7]) proxy.relay.receive([...to(1, 192, 0, 2, last, 0, 53), 1], CLIENT, 4000);
    expect(proxy.outside.sent.map((datagram) => datagram.to)).toEqual(["192.0.2.8:53", "192.0.2.9:53", "192.0.2.7:53"]);
    expect(recordOf(proxy)?.udp?.targets).toBe(4);
  });

  test("a family that this machine lacks costs its datagrams, not the association", () => {
    const proxy = associated();
    proxy.datagrams.failures.push("EAFNOSUPPORT");
    proxy.relay.receive([...to(4, ...IPV6, 0, 53), 3], CLIENT, 4000);
    proxy.relay.receive([...TO_HOST, 7], CLIENT, 4000);
    proxy.outside.lose(1);
    expect(proxy.outside.sent).toHaveLength(1);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ unsent: 2 });
  });

  test("the outgoing socket leaves the machine as it is told to", () => {
    const sourceIpv4 = Uint8Array.of(192, 0, 2, 44);
    const { datagrams, relay, outside } = associated({ change: { outgoing: leaving({ sourceIpv4, mark: 7 }) } });
    expect(outside.address).toBe("192.0.2.44");
    expect(outside.options.outgoing).toEqual({ localAddress: sourceIpv4, mark: 7 });
    relay.receive([...to(4, ...IPV6, 0, 53), 3], CLIENT, 4000);
    expect(datagrams.at(2).address).toBe("::");
  });
});

describe("names", () => {
  test("are looked up once, while other datagrams pass; what waited goes out in order", async () => {
    const { relay, outside, resolver } = associated();
    for (const byte of [1, 2]) relay.receive([...TO_NAME, byte], CLIENT, 4000);
    relay.receive([...TO_HOST, 3], CLIENT, 4000);
    expect(resolver.asked).toEqual(["example.org"]);
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.70"] });
    relay.receive([...TO_NAME, 4], CLIENT, 4000);
    expect(resolver.asked).toHaveLength(1);
    expect(outside.sent).toEqual([
      { to: "192.0.2.7:53", bytes: [3] },
      { to: "192.0.2.70:53", bytes: [1] },
      { to: "192.0.2.70:53", bytes: [2] },
      { to: "192.0.2.70:53", bytes: [4] },
    ]);
  });

  test("queue within bounds, empty datagrams too, and what does not fit is dropped", async () => {
    const proxy = associated({ udp: { queueBytes: 128 * 3 } });
    for (let i = 0; i < 5; i++) proxy.relay.receive(TO_NAME, CLIENT, 4000);
    await proxy.resolver.answer(ADDRESS);
    expect(proxy.outside.sent).toHaveLength(3);
    for (let i = 0; i < 5; i++) proxy.relay.receive(to(3, 1, 0x61, 0, 53), CLIENT, 4000);
    await proxy.resolver.answer(ADDRESS);
    expect(proxy.outside.sent).toHaveLength(6);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ "queue-full": 4 });
  });

  test("are looked up a few at once; datagrams for further ones are dropped until one is known", async () => {
    const proxy = associated({ udp: { lookups: 2 } });
    const toName = (letter: string): number[] => to(3, 1, ...text(letter), 0, 53);
    for (const letter of ["a", "b", "c"]) proxy.relay.receive([...toName(letter), 1], CLIENT, 4000);
    expect(proxy.resolver.asked).toEqual(["a", "b"]);
    await proxy.resolver.answer(ADDRESS);
    proxy.relay.receive([...toName("c"), 2], CLIENT, 4000);
    expect(proxy.resolver.asked).toEqual(["a", "b", "c"]);
    await proxy.resolver.answer(ADDRESS);
    await proxy.resolver.answer(ADDRESS);
    expect(proxy.outside.sent.map((datagram) => datagram.bytes[0])).toEqual([1, 1, 2]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ "queue-full": 1 });
  });

  test("without an address drop what waited, and are asked for again after a while", async () => {
    const proxy = associated();
    const { relay, resolver, clock, outside } = proxy;
    relay.receive([...TO_NAME, 1], CLIENT, 4000);
    await resolver.answer({ kind: "not-found", detail: "no such name" });
    relay.receive([...TO_NAME, 2], CLIENT, 4000);
    expect(resolver.asked).toHaveLength(1);
    clock.advance(5000);
    relay.receive([...TO_NAME, 3], CLIENT, 4000);
    await resolver.answer(ADDRESS);
    expect(outside.sent).toEqual([{ to: "192.0.2.7:53", bytes: [3] }]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ unresolved: 2 });
  });

  test("are asked for again after a minute, while the old address goes on", async () => {
    const { relay, resolver, clock, outside } = associated({ udp: { idleMs: 0 } });
    relay.receive([...TO_NAME, 1], CLIENT, 4000);
    await resolver.answer(ADDRESS);
    clock.advance(60_000);
    relay.receive([...TO_NAME, 2], CLIENT, 4000);
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.8"] });
    relay.receive([...TO_NAME, 3], CLIENT, 4000);
    clock.advance(60_000);
    relay.receive([...TO_NAME, 4], CLIENT, 4000);
    await resolver.answer({ kind: "failed", detail: "nobody answers" });
    relay.receive([...TO_NAME, 5], CLIENT, 4000);
    expect(outside.sent.map((datagram) => datagram.to)).toEqual([
      "192.0.2.7:53",
      "192.0.2.7:53",
      "192.0.2.8:53",
      "192.0.2.8:53",
      "192.0.2.8:53",
    ]);
  });

  test("lead to the first address that is allowed and that there is a way to", async () => {
    const rules = new AccessRules({
      deny: [{ family: 4, bytes: [192, 0, 2, 66], prefixLength: 32 }],
      denyFromRemote: [],
      allow: [],
    });
    const { relay, resolver, routes, outside, datagrams } = associated({ change: { rules } });
    routes.unreachable.add("2001:db8::7");
    relay.receive([...TO_NAME, 1], CLIENT, 4000);
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.66", "2001:db8::7", "192.0.2.9"] });
    expect(outside.sent).toEqual([{ to: "192.0.2.9:53", bytes: [1] }]);
    expect(datagrams.opened).toHaveLength(2);
  });

  test("lead to the family that is preferred, and to no other where it is the only one", async () => {
    const lead = async (policy: OutgoingWay["policy"]): Promise<string[]> => {
      const { relay, resolver, datagrams } = associated({ change: { outgoing: leaving({ policy }) } });
      relay.receive([...TO_NAME, 1], CLIENT, 4000);
      await resolver.answer({ kind: "addresses", addresses: ["192.0.2.9", "2001:db8::7", "192.0.2.8"] });
      return datagrams.opened.slice(1).flatMap((socket) => socket.sent.map((datagram) => datagram.to));
    };
    expect(await lead("auto")).toEqual(["192.0.2.9:53"]);
    expect(await lead("prefer-ipv6")).toEqual(["2001:db8::7:53"]);
    expect(await lead("prefer-ipv4")).toEqual(["192.0.2.9:53"]);
  });

  test("and addresses of a family that is not to be used are dropped", () => {
    const proxy = asked({ change: { outgoing: leaving({ policy: "ipv4-only" }) } });
    proxy.datagrams.at(0).receive([...to(4, ...IPV6, 0, 53), 3], CLIENT, 4000);
    expect(proxy.datagrams.opened).toHaveLength(1);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ unresolved: 1 });
  });

  test("that lead only where nobody may go are dropped", async () => {
    const rules = new AccessRules({
      deny: [{ family: 4, bytes: [127, 0, 0, 0], prefixLength: 8 }],
      denyFromRemote: [],
      allow: [],
    });
    const proxy = associated({ change: { rules } });
    proxy.relay.receive([...TO_NAME, 1], CLIENT, 4000);
    await proxy.resolver.answer({ kind: "addresses", addresses: ["127.0.0.1"] });
    expect(proxy.outside.sent).toEqual([]);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ denied: 1 });
  });

  test("that come when the association is over go nowhere", async () => {
    const proxy = asked();
    proxy.datagrams.at(0).receive([...TO_NAME, 1], CLIENT, 4000);
    expect(recordOf(proxy)?.udp?.dropped).toEqual({ unresolved: 1 });
    await proxy.resolver.answer(ADDRESS);
    expect(proxy.datagrams.opened).toHaveLength(1);
  });
});

test("whatever arrives from anywhere, nothing throws, and nobody but the client is sent anything by its socket", () => {
  const anyDatagram = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }).map((rest) => Uint8Array.of(0, 0, 0, ...rest)),
    fc.tuple(fc.constantFrom(1, 3, 4), fc.uint8Array({ maxLength: 30 })).map(([atyp, rest]) => to(atyp, ...rest)),
  );
  const anyAddress = fc.constantFrom(CLIENT, "127.0.0.2", "::1", "fe80::1%eth0", "");
  const step = fc.tuple(fc.boolean(), anyDatagram, anyAddress, fc.integer({ min: 1, max: 4 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const proxy = asked();
      for (const [isFromClientSide, bytes, address, port] of steps) {
        const socket = isFromClientSide ? proxy.datagrams.at(0) : (proxy.datagrams.opened[1] ?? proxy.datagrams.at(0));
        socket.receive(bytes, address, port);
      }
      expect(new Set(proxy.datagrams.at(0).sent.map((datagram) => datagram.to)).size).toBeLessThanOrEqual(1);
      for (const { to: receiver } of proxy.datagrams.at(0).sent) expect(receiver).toStartWith(`${CLIENT}:`);
      expect(proxy.client.isClosed).toBe(false);
      recordOf(proxy);
    }),
  );
});

describe("the end", () => {
  test("comes with the client's FIN, and closes every socket [rfc1928#6/udp-association-ends]", () => {
    const proxy = associated();
    proxy.relay.receive([...to(4, ...IPV6, 0, 53), 3], CLIENT, 4000);
    proxy.client.peerFinishes();
    expect(proxy.client.finSent).toBe(true);
    proxy.client.closeIfFinished();
    expect(proxy.datagrams.opened.map((socket) => socket.isClosed)).toEqual([true, true, true]);
    expect(proxy.server.concurrent()).toBe(0);
    expect(proxy.context.wheel.count).toBe(0);
    expect(proxy.context.udp.quota.total).toBe(0);
    expect(proxy.events.records[0]).toMatchObject({ command: "udp_associate", reply: 0, end: "finished" });
  });

  test("comes with a FIN that came before the answer", async () => {
    const { accept, datagrams, hasher, events } = fakeProxy({
      users: [{ name: "a", secret: { kind: "hash", phc: "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA" } }],
    });
    const client = accept();
    client.peerSends(Uint8Array.of(5, 1, 2, 1, 1, 0x61, 1, 0x62, 5, 3, 0, ...ZEROS));
    client.peerFinishes();
    hasher.asked[0]?.answer(true);
    await settle();
    client.closeIfFinished();
    expect(datagrams.opened.map((socket) => socket.isClosed)).toEqual([true]);
    expect(events.records.map((record) => record.end)).toEqual(["finished"]);
  });

  test("comes with a reset of the control connection [rfc1928#6/udp-association-ends]", () => {
    const { client, relay, outside, events } = associated();
    client.peerResets();
    expect([relay.isClosed, outside.isClosed]).toEqual([true, true]);
    expect(events.records[0]?.end).toBe("client-reset");
  });

  test("comes after silence, and not before: datagrams both ways are signs of life, strangers' are not", () => {
    const { client, clock, relay, outside, events, context } = associated();
    clock.advance(50_000);
    outside.receive([1], "192.0.2.7", 53);
    clock.advance(50_000);
    relay.receive([...TO_HOST, 1], CLIENT, 4000);
    clock.advance(59_000);
    relay.receive([...TO_HOST, 1], "127.0.0.9", 4000);
    expect(client.finSent).toBe(false);
    clock.advance(1000 + 2 * SLOT_MS);
    expect(client.finSent).toBe(true);
    expect([relay.isClosed, outside.isClosed]).toEqual([true, true]);
    client.peerFinishes();
    client.closeIfFinished();
    expect(events.records[0]?.end).toBe("idle-timeout");
    expect(context.counters.idleTimeouts).toBe(1);
  });

  test("a client whom the reply finds dead is forgotten then, and not only after the silence that it has", () => {
    const { accept, clock, context, events } = fakeProxy();
    const client = accept();
    client.peerSends(Uint8Array.of(5, 1, 0));
    client.peerResetsUnnoticed();
    client.peerSends(Uint8Array.of(5, 3, 0, ...ZEROS));
    expect(events.records).toHaveLength(1);
    clock.advance(61_000 + 2 * SLOT_MS);
    expect(context.counters.idleTimeouts).toBe(0);
    expect(events.records).toHaveLength(1);
  });

  test("by silence gives its place back at once, though the client does not close", () => {
    const limits = { total: 1, perAddress: 0, perUser: 0 };
    const { accept, client, clock, datagrams } = associated({ udp: { limits } });
    clock.advance(60_000 + 2 * SLOT_MS);
    expect([client.finSent, client.isTerminated]).toEqual([true, false]);
    const next = accept();
    next.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    expect(next.allWritten()[3]).toBe(0);
    expect(datagrams.at(2).isClosed).toBe(false);
  });

  test("a client that does not close after it is reset in time", () => {
    const { client, clock, relay } = associated();
    clock.advance(60_000 + 2 * SLOT_MS);
    clock.advance(5_000 + 2 * SLOT_MS);
    expect(client.isTerminated).toBe(true);
    expect(relay.isClosed).toBe(true);
  });

  test("never comes of silence where there is no limit", () => {
    const { client, clock } = associated({ udp: { idleMs: 0 } });
    clock.advance(100_000_000);
    expect(client.finSent).toBe(false);
  });

  test("comes with a stop of the program, which the record says", () => {
    const { server, relay, events } = associated();
    server.killAll("shutdown");
    expect(relay.isClosed).toBe(true);
    expect(events.records[0]?.end).toBe("shutdown");
  });

  test("the kernel is told to ask whether a silent client still lives", () => {
    const timeouts = { connectMs: 1, idleMs: 1, halfClosedMs: 1, keepAliveMs: 7000 };
    expect(associated({ change: { timeouts } }).client.keepAliveMs).toBe(7000);
  });
});

describe("counts", () => {
  test("bytes are payload, both ways, in the totals and in the one record", () => {
    const proxy = associated();
    proxy.relay.receive([...TO_HOST, 1, 2, 3], CLIENT, 4000);
    proxy.outside.receive([1, 2], "192.0.2.7", 53);
    expect(proxy.context.totals.bytes).toBe(6);
    expect(recordOf(proxy)).toMatchObject({
      host: "0.0.0.0",
      port: 0,
      bytesUp: 4,
      bytesDown: 2,
      udp: { datagramsUp: 2, datagramsDown: 1, bytesUp: 4, bytesDown: 2, targets: 1, dropped: {} },
    });
  });

  const LIMITS: readonly [name: string, limits: Partial<UdpSettings["limits"]>][] = [
    ["udp.associations", { total: 1 }],
    ["udp.associations_per_address", { perAddress: 1 }],
  ];
  for (const [name, limits] of LIMITS) {
    test(`${name}: REP 1, counted, and free again after the end`, () => {
      const proxy = associated({ udp: { limits: { total: 0, perAddress: 0, perUser: 0, ...limits } } });
      const request = Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS);
      const second = proxy.accept();
      second.peerSends(request);
      expect([...second.allWritten()].slice(2)).toEqual(failure(1));
      expect(proxy.events.others).toEqual([`limit ${name} 127.0.0.1`]);
      expect(proxy.context.counters.limitReached).toBe(1);
      proxy.client.peerResets();
      const third = proxy.accept();
      third.peerSends(request);
      expect([...third.allWritten()].slice(2, 4)).toEqual([5, 0]);
    });
  }

  test("two clients have sockets of their own, and neither can use the other's", () => {
    const proxy = associated();
    const second = proxy.accept(undefined, { ip: Uint8Array.of(127, 0, 0, 2), port: 1 });
    second.peerSends(Uint8Array.of(5, 1, 0, 5, 3, 0, ...ZEROS));
    const relay2 = proxy.datagrams.at(2);
    relay2.receive([...TO_HOST, 1], CLIENT, 4000);
    expect(proxy.datagrams.opened).toHaveLength(3);
    relay2.receive([...TO_HOST, 2], "127.0.0.2", 4000);
    proxy.datagrams.at(3).receive([3], "192.0.2.7", 53);
    expect(relay2.sent.map((datagram) => datagram.to)).toEqual(["127.0.0.2:4000"]);
    expect(proxy.relay.sent).toEqual([]);
  });
});
