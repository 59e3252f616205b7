import { describe, expect, test } from "bun:test";
import { FakeDialer, settle } from "../../test/support/fake-proxy.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { Resolution, ResolutionWatch } from "../ports/resolver.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import type { Address } from "../protocol/socks5/address.ts";
import { Atyp, Rep } from "../protocol/socks5/constants.ts";
import { AccessRules } from "./access-rules.ts";
import { Connect } from "./connect.ts";
import { ANY_WAY, type OutgoingWay } from "./outgoing.ts";

function decodedAddress(host: string, port: number): Address {
  if (host.includes(":")) return { atyp: Atyp.Ipv6, host, port, isIp: true };
  const isIp = /^[0-9.]+$/.test(host);
  return { atyp: isIp ? Atyp.Ipv4 : Atyp.DomainName, host, port, isIp };
}

/** A CONNECT to `host`, port 80, whose look-up the test answers. */
function setUp(
  host: string,
  options: { way?: Partial<OutgoingWay>; userWay?: Partial<OutgoingWay>; port?: number } = {},
) {
  const clock = new ManualClock();
  const dialer = new FakeDialer();
  const told: string[] = [];
  const answer = Promise.withResolvers<Resolution>();
  let watch: ResolutionWatch | undefined;
  const way = { ...ANY_WAY, ...options.way };
  const connect = new Connect(
    {
      clock,
      dialer,
      resolver: {
        resolve: (_, given) => {
          watch = given;
          return answer.promise;
        },
      },
      rules: new AccessRules({ deny: [], denyFromRemote: [], allow: [] }),
      outgoing: {
        way,
        waysOfUsers: new Map(options.userWay === undefined ? [] : [["alice", { ...way, ...options.userWay }]]),
        timing: HAPPY_EYEBALLS_DEFAULTS,
      },
      sort: (addresses) => addresses,
    },
    { clientIsLocal: true, user: "alice" },
    decodedAddress(host, options.port ?? 80),
    {
      onConnected: (_socket, _local, target) => told.push(`connected ${target}`),
      onFailed: (rep, detail) => told.push(`failed ${rep} ${detail ?? ""}`.trim()),
    },
  );
  connect.start();
  return {
    clock,
    dialer,
    told,
    connect,
    watch: () => watch,
    resolve: async (resolution: Resolution) => {
      answer.resolve(resolution);
      await settle();
    },
    reject: async (error: Error) => {
      answer.reject(error);
      await settle();
    },
  };
}

describe("Connect", () => {
  test("an address is dialled at once, without a look-up", () => {
    const { dialer, told, connect, watch } = setUp("192.0.2.1");
    expect(watch()).toBeUndefined();
    dialer.at(0).connect();
    expect(told).toEqual(["connected 192.0.2.1"]);
    expect(connect.attempts.length).toBe(1);
    expect(connect.lookups).toEqual([]);
  });

  test("the first family's answer is enough to begin, and the look-up is told step by step", () => {
    const { dialer, told, connect, watch } = setUp("a.example");
    watch()?.onStep?.({ source: "doh", detail: "AAAA a.example: 2001:db8::1", ms: 3 });
    watch()?.onFamily?.(6, ["2001:db8::1"]);
    dialer.at(0).connect();
    expect(told).toEqual(["connected 2001:db8::1"]);
    expect(connect.lookups.map((step) => step.detail)).toEqual(["AAAA a.example: 2001:db8::1"]);
  });

  test("a family that failed is known to be missing when everything is known", async () => {
    const { dialer, told, watch, resolve } = setUp("a.example");
    watch()?.onFamily?.(4, ["192.0.2.1"]);
    expect(dialer.dials.length).toBe(0);
    await resolve({ kind: "addresses", addresses: ["192.0.2.1"] });
    dialer.at(0).fail("ECONNREFUSED");
    expect(told).toEqual([`failed ${Rep.ConnectionRefused}`]);
  });

  test("of several failures the client hears the most informative", async () => {
    const { clock, dialer, told, resolve } = setUp("a.example");
    await resolve({ kind: "addresses", addresses: ["192.0.2.1", "192.0.2.2", "192.0.2.3"] });
    dialer.at(0).fail("ENETUNREACH");
    clock.advance(10);
    dialer.at(1).fail("ECONNREFUSED");
    clock.advance(10);
    dialer.at(2).fail("EHOSTUNREACH");
    expect(told).toEqual([`failed ${Rep.ConnectionRefused}`]);
  });

  test("no such name, and a resolver that failed", async () => {
    for (const kind of ["not-found", "failed"] as const) {
      const { told, resolve } = setUp("a.example");
      await resolve({ kind, detail: "why" });
      expect(told).toEqual([`failed ${Rep.HostUnreachable} why`]);
    }
  });

  test("ipv6-only, and a name that has only IPv4", async () => {
    const { told, watch, resolve } = setUp("a.example", { way: { policy: "ipv6-only" } });
    watch()?.onFamily?.(4, ["192.0.2.1"]);
    await resolve({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect(told).toEqual([`failed ${Rep.HostUnreachable} the name has no address that may be used (ipv6-only)`]);
  });

  test("one family failed at once, and the system knows the other in the end", async () => {
    const { clock, dialer, told, watch, resolve } = setUp("a.example");
    watch()?.onFamily?.(6, ["2001:db8::1"]);
    dialer.at(0).fail("ENETUNREACH");
    expect(told).toEqual([]);
    clock.advance(10);
    await resolve({ kind: "addresses", addresses: ["2001:db8::1", "192.0.2.1"] });
    dialer.at(1).connect();
    expect(told).toEqual(["connected 192.0.2.1"]);
  });

  test("a resolver that rejects is a bug, not a client that waits", async () => {
    const { told, reject } = setUp("a.example");
    await reject(new Error("oops"));
    expect(told).toEqual([`failed ${Rep.GeneralFailure} the resolver failed: Error: oops`]);
  });

  test("port 0 is refused", () => {
    expect(setUp("192.0.2.1", { port: 0 }).told).toEqual([
      `failed ${Rep.ConnectionRefused} port 0 cannot be connected to`,
    ]);
  });

  test("time is over: while resolving, and while connecting", async () => {
    const resolving = setUp("a.example");
    resolving.connect.timeOut();
    expect(resolving.told).toEqual([`failed ${Rep.TtlExpired} the name was not resolved in time`]);
    await resolving.resolve({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect(resolving.dialer.dials).toEqual([]);

    const connecting = setUp("192.0.2.1");
    connecting.clock.advance(15_000);
    connecting.connect.timeOut();
    expect(connecting.told).toEqual([`failed ${Rep.TtlExpired} the time for connecting is over`]);
    expect(connecting.dialer.at(0).isCancelled).toBe(true);
    expect(connecting.connect.attempts).toEqual([{ address: "192.0.2.1", startMs: 0, outcome: "timeout", ms: 15_000 }]);
  });

  test("time is over while two addresses of a name are tried, and before the second one is", async () => {
    const TWO: Resolution = { kind: "addresses", addresses: ["192.0.2.1", "192.0.2.2"] };
    for (const [ms, startsMs] of [
      [249, [0]],
      [400, [0, 250]],
    ] as const) {
      const { clock, connect, dialer, told, resolve } = setUp("a.example");
      await resolve(TWO);
      clock.advance(ms);
      connect.timeOut();
      expect(told).toEqual([`failed ${Rep.TtlExpired} the time for connecting is over`]);
      expect(connect.attempts.map(({ startMs, outcome }) => [startMs, outcome])).toEqual(
        startsMs.map((startMs) => [startMs, "timeout"]),
      );
      expect(dialer.dials.every((dial) => dial.isCancelled)).toBe(true);
      expect(clock.pendingCount).toBe(0);
    }
  });

  test("cancelled while resolving: nothing is dialled", async () => {
    const { told, connect, dialer, resolve, watch } = setUp("a.example");
    connect.cancel();
    watch()?.onFamily?.(6, ["2001:db8::1"]);
    await resolve({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect(told).toEqual([]);
    expect(dialer.dials).toEqual([]);
  });

  test("ipv4-only refuses an IPv6 address, and a name that has nothing else", async () => {
    expect(setUp("2001:db8::1", { way: { policy: "ipv4-only" } }).told).toEqual([
      `failed ${Rep.NetworkUnreachable} outgoing connections are ipv4-only`,
    ]);
    const { told, resolve } = setUp("a.example", { way: { policy: "ipv4-only" } });
    await resolve({ kind: "addresses", addresses: ["2001:db8::1"] });
    expect(told).toEqual([`failed ${Rep.HostUnreachable} the name has no address that may be used (ipv4-only)`]);
  });

  test("a user's own way counts before everybody's", async () => {
    const { dialer, resolve } = setUp("a.example", {
      way: { policy: "prefer-ipv6", mark: 1 },
      userWay: { policy: "ipv4-only", mark: 2 },
    });
    await resolve({ kind: "addresses", addresses: ["2001:db8::1", "192.0.2.1"] });
    expect(dialer.dials.map(({ address, options }) => [address, options.mark])).toEqual([["192.0.2.1", 2]]);
  });
});
