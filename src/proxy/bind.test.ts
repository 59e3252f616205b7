import { describe, expect, test } from "bun:test";
import { type FakeProxy, type FakeProxyOptions, fakeProxy, settle } from "../../test/support/fake-proxy.ts";
import { FakeSocket } from "../../test/support/fake-socket.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";
import { AccessRules } from "./access-rules.ts";
import type { BindSettings } from "./context.ts";
import { ANY_WAY } from "./outgoing.ts";

const failure = (rep: number): number[] => [5, rep, 0, 1, 0, 0, 0, 0, 0, 0];
const text = (value: string): number[] => [...Buffer.from(value)];
const PEER = [192, 0, 2, 7];
const FROM_PEER = [1, ...PEER, 0, 21];
const FROM_ANYBODY = [1, 0, 0, 0, 0, 0, 0];
/** 192.0.2.99:51000, where the fakes listen for 192.0.2.7. */
const FIRST = [5, 0, 0, 1, 192, 0, 2, 99, 0xc7, 0x38];
const SECOND = [5, 0, 0, 1, ...PEER, 0x07, 0xe4];

interface Options extends FakeProxyOptions {
  readonly dst?: readonly number[];
  readonly bind?: Partial<BindSettings>;
  readonly socket?: FakeSocket;
  readonly advertisedIp?: Uint8Array;
}

const request = (dst: readonly number[]): Uint8Array => Uint8Array.of(5, 1, 0, 5, 2, 0, ...dst);

function change(proxy: FakeProxy, bind: Partial<BindSettings>): void {
  proxy.context.bind.settings = { ...proxy.context.bind.settings, ...bind };
}

/** A client that has asked for BIND. */
function asked({ dst = FROM_PEER, bind = {}, socket, advertisedIp, ...options }: Options = {}) {
  const proxy = fakeProxy(options);
  change(proxy, bind);
  const client = proxy.accept(socket, undefined, advertisedIp);
  client.peerSends(request(dst));
  return { ...proxy, client };
}

/** What the client was answered after its greeting. */
const answers = (client: FakeSocket): number[] => [...client.allWritten()].slice(2);

const rulesAgainst = (...bytes: number[]): AccessRules =>
  new AccessRules({ deny: [{ family: 4, bytes, prefixLength: 32 }], denyFromRemote: [], allow: [] });

describe("the first reply", () => {
  test("says where we listen, on the address that the expected host can reach [rfc1928#6/bind-first-reply]", () => {
    const { client, peers } = asked();
    expect(peers.at(0).address).toBe("192.0.2.99");
    expect(answers(client)).toEqual(FIRST);
  });

  test("an outgoing address of the configuration is where we listen", () => {
    const way = { ...ANY_WAY, sourceIpv4: Uint8Array.of(192, 0, 2, 44) };
    const { peers } = asked({ change: { outgoing: { way, waysOfUsers: new Map(), timing: HAPPY_EYEBALLS_DEFAULTS } } });
    expect(peers.at(0).address).toBe("192.0.2.44");
  });

  test("for anybody, on the address by which the client reaches us", () => {
    const socket = new FakeSocket();
    socket.localAddress = "::ffff:198.51.100.1";
    const { peers } = asked({ dst: FROM_ANYBODY, socket });
    expect(peers.at(0).address).toBe("198.51.100.1");
  });

  test("names the advertised address where it is of the same family", () => {
    const { client, peers } = asked({ advertisedIp: Uint8Array.of(203, 0, 113, 5) });
    expect(peers.at(0).address).toBe("192.0.2.99");
    expect(answers(client).slice(3, 8)).toEqual([1, 203, 0, 113, 5]);
  });

  test("a name stands for its addresses", async () => {
    const { client, peers, resolver } = asked({ dst: [3, 3, ...text("ftp"), 0, 21] });
    expect(answers(client)).toEqual([]);
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.7", "192.0.2.8"] });
    expect(answers(client)).toEqual(FIRST);
    expect(peers.at(0).connect([192, 0, 2, 9]).isTerminated).toBe(true);
    expect(peers.at(0).connect([192, 0, 2, 8]).isTerminated).toBe(false);
  });

  test("a name without an address is REP 4", async () => {
    const { client, resolver, context } = asked({ dst: [3, 3, ...text("ftp"), 0, 21] });
    await resolver.answer({ kind: "not-found", detail: "no such name" });
    expect(answers(client)).toEqual(failure(4));
    expect(context.bind.quota.total).toBe(0);
  });

  test("a name that is resolved too late is nobody's any more", async () => {
    const { client, resolver, peers } = asked({ dst: [3, 3, ...text("ftp"), 0, 21] });
    client.peerResets();
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.7"] });
    expect(peers.opened).toEqual([]);
  });

  test("a host that the rules forbid is REP 2, one without a route REP 3 [rfc1928#6/bind-evaluate]", () => {
    expect(answers(asked({ change: { rules: rulesAgainst(...PEER) } }).client)).toEqual(failure(2));
    const proxy = fakeProxy();
    proxy.routes.unreachable.add("192.0.2.7");
    const client = proxy.accept();
    client.peerSends(request(FROM_PEER));
    expect(answers(client)).toEqual(failure(3));
  });

  test("a port of the range, the next one when it is taken; REP 1 when all are", () => {
    const proxy = fakeProxy();
    change(proxy, { ports: { first: 6000, last: 6001 } });
    proxy.peers.failures.push("EADDRINUSE", "", "EADDRINUSE", "EADDRINUSE");
    proxy.accept().peerSends(request(FROM_PEER));
    const second = proxy.accept();
    second.peerSends(request(FROM_PEER));
    expect(proxy.peers.portsAsked).toEqual([6000, 6001, 6000, 6001]);
    expect(answers(second)).toEqual(failure(1));
  });

  test("for anybody, the port that the client would like to have, where it is free and ours to give", () => {
    const ports = (wanted: number, bind: Partial<BindSettings>, ...failures: string[]) => {
      const proxy = fakeProxy();
      change(proxy, bind);
      proxy.peers.failures.push(...failures);
      proxy.accept().peerSends(request([1, 0, 0, 0, 0, wanted >> 8, wanted & 0xff]));
      return proxy.peers.portsAsked;
    };
    expect(ports(6001, {})).toEqual([6001]);
    expect(ports(6001, {}, "EADDRINUSE")).toEqual([6001, 0]);
    expect(ports(80, {})).toEqual([0]);
    expect(ports(6001, { ports: { first: 7000, last: 7009 } })).toEqual([7000]);
    expect(ports(7005, { ports: { first: 7000, last: 7009 } })).toEqual([7005]);
  });

  test("REP 7 where nobody may, REP 2 where only users may", () => {
    expect(answers(asked({ bind: { access: "none" } }).client)).toEqual(failure(7));
    const { client, peers } = asked({ bind: { access: "users" } });
    expect(answers(client)).toEqual(failure(2));
    expect(peers.opened).toEqual([]);
  });

  test("a user may where only users may", () => {
    const proxy = fakeProxy({ users: [{ name: "al", secret: { kind: "plain", password: "pw" } }] });
    change(proxy, { access: "users" });
    const client = proxy.accept();
    client.peerSends(Uint8Array.of(5, 1, 2, 1, 2, ...text("al"), 2, ...text("pw"), 5, 2, 0, ...FROM_PEER));
    expect([...client.allWritten()].slice(4)).toEqual(FIRST);
  });
});

describe("the peer", () => {
  test("gets a tunnel, and the client its address; nobody listens any more [rfc1928#6/bind-second-reply] [rfc1928#6/success-passes-data]", () => {
    const { client, peers, context, events } = asked();
    const peer = peers.at(0).connect(PEER);
    expect(answers(client)).toEqual([...FIRST, ...SECOND]);
    expect(peers.at(0).isClosed).toBe(true);
    expect(context.bind.quota.total).toBe(0);
    client.peerSends(Uint8Array.from(text("to peer")));
    peer.peerSends(Uint8Array.from(text("to client")));
    expect(peer.allWritten().toString()).toBe("to peer");
    expect(client.allWritten().subarray(22).toString()).toBe("to client");
    peer.peerFinishes();
    client.peerFinishes();
    peer.closeIfFinished();
    client.closeIfFinished();
    expect(events.records[0]).toMatchObject({
      command: "bind",
      host: "192.0.2.7",
      port: 21,
      connectedAddress: "192.0.2.7",
      connectedPort: 2020,
      reply: 0,
      bytesUp: 7,
      bytesDown: 9,
      end: "finished",
    });
  });

  test("an IPv6 peer is named as ATYP 4", () => {
    const ip = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    const { client, peers } = asked({ dst: [4, ...ip, 0, 21] });
    expect(peers.at(0).address).toBe("2001:db8::99");
    peers.at(0).connect(ip);
    expect(answers(client).slice(22)).toEqual([5, 0, 0, 4, ...ip, 0x07, 0xe4]);
  });

  test("what the client has sent early goes to the peer first", () => {
    const { client, peers } = asked();
    client.peerSends(Uint8Array.from(text("early, ")));
    client.peerSends(Uint8Array.from(text("still early")));
    expect(peers.at(0).connect(PEER).allWritten().toString()).toBe("early, still early");
  });

  test("a wrong one is reset and the right one still waited for [rfc1928#6/bind-evaluate]", () => {
    const { client, peers } = asked();
    for (const wrong of [[192, 0, 2, 8], [127, 0, 0, 1], undefined]) {
      expect(peers.at(0).connect(wrong).isTerminated).toBe(true);
    }
    expect(answers(client)).toEqual(FIRST);
    expect(peers.at(0).isClosed).toBe(false);
    peers.at(0).connect(PEER, 9999);
    expect(answers(client).slice(10, 12)).toEqual([5, 0]);
  });

  test("may be anybody where the client does not say who, but nobody whom the rules forbid", () => {
    const { client, peers } = asked({ dst: FROM_ANYBODY, change: { rules: rulesAgainst(...PEER) } });
    expect(peers.at(0).connect(PEER).isTerminated).toBe(true);
    peers.at(0).connect([198, 51, 100, 1]);
    expect(answers(client).slice(10)).toEqual([5, 0, 0, 1, 198, 51, 100, 1, 0x07, 0xe4]);
  });

  test("a second one that was accepted in the same moment is reset", () => {
    const { client, peers } = asked();
    peers.at(0).connect(PEER);
    const answered = client.writtenBytes;
    expect(peers.at(0).connect(PEER).isTerminated).toBe(true);
    expect(client.writtenBytes).toBe(answered);
  });
});

describe("the end of waiting", () => {
  const isOver = ({ peers, context }: ReturnType<typeof asked>): void => {
    expect(peers.at(0).isClosed).toBe(true);
    expect(context.bind.quota.total).toBe(0);
    expect(peers.at(0).connect(PEER).isTerminated).toBe(true);
  };

  test("after the time limit: REP 6", () => {
    const proxy = asked();
    proxy.clock.advance(19_999);
    expect(answers(proxy.client)).toEqual(FIRST);
    proxy.clock.advance(1 + 2 * SLOT_MS);
    expect(answers(proxy.client)).toEqual([...FIRST, ...failure(6)]);
    expect(proxy.client.finSent).toBe(true);
    isOver(proxy);
  });

  test("with the client's FIN: an error, which it can still read", () => {
    const proxy = asked();
    proxy.client.peerFinishes();
    expect(answers(proxy.client)).toEqual([...FIRST, ...failure(1)]);
    isOver(proxy);
  });

  test("with the client's reset: nothing, nobody would read it", () => {
    const proxy = asked();
    proxy.client.peerResets();
    expect(answers(proxy.client)).toEqual(FIRST);
    expect(proxy.events.records[0]).toMatchObject({ command: "bind", reply: undefined, end: "client-gone" });
    isOver(proxy);
  });

  test("with a stop of the program", () => {
    const proxy = asked();
    proxy.server.killAll("shutdown");
    isOver(proxy);
  });

  test("with a name that nobody has resolved in time: REP 6", async () => {
    const { client, clock, resolver, peers } = asked({ dst: [3, 3, ...text("ftp"), 0, 21] });
    clock.advance(20_000 + 2 * SLOT_MS);
    expect(answers(client)).toEqual(failure(6));
    await resolver.answer({ kind: "addresses", addresses: ["192.0.2.7"] });
    await settle();
    expect(peers.opened).toEqual([]);
  });
});

test("bind.listeners_per_address: REP 1, counted, and free again with the peer", () => {
  const proxy = asked({ bind: { limits: { total: 0, perAddress: 1, perUser: 0 } } });
  const second = proxy.accept();
  second.peerSends(request(FROM_PEER));
  expect(answers(second)).toEqual(failure(1));
  expect(proxy.events.others).toEqual(["limit bind.listeners_per_address 127.0.0.1"]);
  proxy.peers.at(0).connect(PEER);
  const third = proxy.accept();
  third.peerSends(request(FROM_PEER));
  expect(answers(third).slice(0, 2)).toEqual([5, 0]);
});
