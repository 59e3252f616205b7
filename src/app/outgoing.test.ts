import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { formatIp, parseIp } from "../bytes/ip.ts";
import type { OutgoingConfig } from "../config/config.ts";
import type { Routes } from "../ports/routes.ts";
import { dialOptionsFor, wayOf } from "../proxy/outgoing.ts";
import { destinationSorter, outgoingOf } from "./outgoing.ts";

describe("destinationSorter", () => {
  /** Has a route to IPv4 only, or to both, and counts how often it is asked. */
  function setUp() {
    const asked: string[] = [];
    const state = { hasIpv6: false };
    const routes: Routes = {
      sourceFor: (ip) => {
        asked.push(formatIp(ip));
        if (ip.length === 4) return Uint8Array.of(192, 0, 2, 9);
        return state.hasIpv6 ? parseIp("2001:db8::9") : "unreachable";
      },
    };
    const clock = new ManualClock();
    return { asked, state, clock, sort: destinationSorter(routes, clock) };
  }

  test("follows the routes, and remembers an order for five seconds", () => {
    const { asked, state, clock, sort } = setUp();
    const addresses = ["2001:db8::1", "192.0.2.1"];
    expect(sort(addresses)).toEqual(["192.0.2.1", "2001:db8::1"]);
    state.hasIpv6 = true;
    clock.advance(4999);
    expect(sort(addresses)).toEqual(["192.0.2.1", "2001:db8::1"]);
    expect(asked.length).toBe(2);
    clock.advance(1);
    expect(sort(addresses)).toEqual(addresses);
    expect(asked.length).toBe(4);
  });

  test("one address needs no route", () => {
    const { asked, sort } = setUp();
    expect(sort(["192.0.2.1"])).toEqual(["192.0.2.1"]);
    expect(asked).toEqual([]);
  });
});

describe("outgoingOf", () => {
  const nothing = {
    family: undefined,
    sourceIpv4: undefined,
    sourceIpv6: undefined,
    interfaceName: undefined,
    mark: undefined,
  };
  const config: OutgoingConfig = {
    way: { ...nothing, sourceIpv4: "192.0.2.1", mark: 7 },
    resolutionDelayMs: 50,
    attemptDelayMs: 250,
    attempts: 16,
  };
  const secret = { kind: "plain", password: "x" } as const;

  test("what a user does not say is as for everybody", () => {
    const outgoing = outgoingOf(config, [
      { name: "alice", secret, outgoing: { ...nothing, mark: 8, family: "ipv4-only" } },
      { name: "bob", secret },
    ]);
    const sourceIpv4 = Uint8Array.of(192, 0, 2, 1);
    expect(wayOf(outgoing, "alice")).toMatchObject({ policy: "ipv4-only", sourceIpv4, mark: 8 });
    expect(wayOf(outgoing, "bob")).toMatchObject({ policy: "auto", sourceIpv4, mark: 7 });
    expect(wayOf(outgoing, undefined)).toBe(outgoing.way);
    expect(dialOptionsFor(outgoing.way, new Uint8Array(16))).toEqual({ mark: 7 });
    expect(dialOptionsFor(outgoing.way, new Uint8Array(4))).toEqual({ localAddress: sourceIpv4, mark: 7 });
  });
});
