import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FakeDialer } from "../../test/support/fake-proxy.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { parseIp } from "../bytes/ip.ts";
import type { FamilyPolicy } from "../protocol/dial/family.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import { DialRace } from "./dial-race.ts";
import { ANY_WAY, type OutgoingWay } from "./outgoing.ts";

interface Options {
  readonly way?: Partial<OutgoingWay>;
  readonly denied?: readonly string[];
  readonly attemptsMax?: number;
  /** Addresses in the order that `sort` brings them into; in any when absent. */
  readonly order?: readonly string[];
  readonly clock?: ManualClock;
}

/** A race towards port 80 with everything that it tells its listener. */
function setUp({ way = {}, denied = [], attemptsMax = 16, order = [], clock = new ManualClock() }: Options = {}) {
  const dialer = new FakeDialer();
  const told: string[] = [];
  const race = new DialRace(
    {
      terms: {
        clock,
        beganMs: clock.nowMs(),
        dialer,
        way: { ...ANY_WAY, ...way },
        port: 80,
        rules: { allows: (ip) => !denied.includes([...ip].join(".")) },
        clientIsLocal: false,
      },
      timing: { ...HAPPY_EYEBALLS_DEFAULTS, attemptsMax },
      sort: (addresses) => addresses.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
    },
    {
      onWon: (_socket, _local, address) => told.push(`won ${address}`),
      onLost: (reason) => told.push(`lost ${reason}`),
    },
  );
  const outcomes = () =>
    race.attempts.map(({ address, startMs, outcome, ms }) => `${startMs} ${address} ${outcome} ${ms}`);
  return { clock, dialer, told, race, outcomes };
}

/** A clock on which the turn began some time ago. */
class LateClock extends ManualClock {
  override turnMs(): number {
    return this.nowMs() - 8;
  }
}

describe("DialRace", () => {
  test("the first address connects: there was no more than a timer, and that is gone", () => {
    const { clock, dialer, told, race, outcomes } = setUp({ order: ["2001:db8::1", "192.0.2.1"] });
    race.start(["192.0.2.1", "2001:db8::1"]);
    expect(clock.pendingCount).toBe(1);
    clock.advance(249);
    dialer.at(0).connect();
    expect(told).toEqual(["won 2001:db8::1"]);
    expect(outcomes()).toEqual(["0 2001:db8::1 connected 249"]);
    expect(clock.pendingCount).toBe(0);
  });

  test("no address, or none that may be used: no attempt", () => {
    for (const addresses of [[], ["192.0.2.1", "192.0.2.2"]]) {
      const { dialer, told, race } = setUp({ way: { policy: "ipv6-only" } });
      race.start(addresses);
      expect(told).toEqual(["lost no-addresses"]);
      expect(dialer.dials).toEqual([]);
    }
  });

  test("nothing is left to try: the only attempt has all the time", () => {
    const { clock, dialer, told, race } = setUp({ way: { policy: "ipv4-only" } });
    race.start(["2001:db8::1", "192.0.2.1"]);
    clock.advance(10_000);
    expect(told).toEqual([]);
    expect(clock.pendingCount).toBe(0);
    dialer.at(0).fail("ETIMEDOUT");
    expect(told).toEqual(["lost exhausted"]);
  });

  test("the order of the first attempt is that of the others, whatever has become of the routes since", () => {
    const order = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    const { clock, dialer, race, outcomes } = setUp({ order });
    race.start(["192.0.2.3", "192.0.2.2", "192.0.2.1"]);
    order.reverse();
    dialer.at(0).fail("ECONNREFUSED");
    clock.advance(10);
    dialer.at(1).fail("ECONNREFUSED");
    clock.advance(10);
    expect(outcomes()).toEqual(["0 192.0.2.1 ECONNREFUSED 0", "10 192.0.2.2 ECONNREFUSED 0", "20 192.0.2.3 pending 0"]);
  });

  test("the next attempt keeps its distance from the moment of the first, not from the turn in which that was", () => {
    const { clock, dialer, race } = setUp({ clock: new LateClock() });
    race.start(["192.0.2.1", "192.0.2.2"]);
    dialer.at(0).fail("ECONNREFUSED");
    clock.advance(9);
    expect(dialer.dials.length).toBe(1);
    clock.advance(1);
    expect(dialer.dials.length).toBe(2);
  });

  test("an answer that comes later joins in", () => {
    const { clock, dialer, race, outcomes } = setUp();
    race.add([4], ["192.0.2.1"]);
    clock.advance(50);
    race.add([6], ["2001:db8::1"]);
    dialer.at(0).fail("ECONNREFUSED");
    clock.advance(10);
    expect(outcomes()).toEqual(["50 192.0.2.1 ECONNREFUSED 0", "60 2001:db8::1 pending 0"]);
  });
});

/** All addresses are known at once; both must come to the same. */
const WAYS = {
  start: (race: DialRace, addresses: readonly string[]) => race.start(addresses),
  add: (race: DialRace, addresses: readonly string[]) => race.add([4, 6], addresses),
};

for (const [way, tell] of Object.entries(WAYS)) {
  describe(`DialRace, told by ${way}`, () => {
    test("one address: no timer, one attempt", () => {
      const { clock, dialer, told, race, outcomes } = setUp();
      tell(race, ["192.0.2.1"]);
      expect(clock.pendingCount).toBe(0);
      clock.advance(12);
      dialer.at(0).connect();
      expect(told).toEqual(["won 192.0.2.1"]);
      expect(outcomes()).toEqual(["0 192.0.2.1 connected 12"]);
    });

    test("a second attempt after 250 ms; the first that connects wins, and the other is cancelled", () => {
      const { clock, dialer, told, race, outcomes } = setUp();
      tell(race, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
      clock.advance(249);
      expect(dialer.dials.length).toBe(1);
      clock.advance(251);
      expect(dialer.dials.length).toBe(3);
      dialer.at(1).connect();
      expect(told).toEqual(["won 192.0.2.2"]);
      expect(dialer.dials.map((dial) => dial.isCancelled)).toEqual([true, false, true]);
      expect(outcomes()).toEqual([
        "0 192.0.2.1 cancelled 500",
        "250 192.0.2.2 connected 250",
        "500 192.0.2.3 cancelled 0",
      ]);
      expect(clock.pendingCount).toBe(0);
    });

    test("failures that are known at once, all the way down", () => {
      const { dialer, told, race, outcomes, clock } = setUp();
      dialer.failsAtOnce.set("192.0.2.1", "ENETUNREACH").set("192.0.2.2", "EHOSTUNREACH");
      tell(race, ["192.0.2.1", "192.0.2.2"]);
      expect(told).toEqual(["lost exhausted"]);
      expect(outcomes()).toEqual(["0 192.0.2.1 ENETUNREACH 0", "0 192.0.2.2 EHOSTUNREACH 0"]);
      expect(clock.pendingCount).toBe(0);
    });

    test("what the rules forbid is never dialled, and does not delay the next", () => {
      const { dialer, told, race, outcomes } = setUp({ denied: ["10.0.0.1"] });
      tell(race, ["10.0.0.1", "192.0.2.2"]);
      dialer.at(0).connect();
      expect(told).toEqual(["won 192.0.2.2"]);
      expect(dialer.dials.map((dial) => dial.address)).toEqual(["192.0.2.2"]);
      expect(outcomes()[0]).toBe("0 10.0.0.1 denied 0");
    });

    test("cancelled: attempts are stopped, timers too, and nobody hears of it", () => {
      const { clock, dialer, told, race, outcomes } = setUp();
      tell(race, ["192.0.2.1", "192.0.2.2"]);
      clock.advance(10);
      race.cancel("timeout");
      clock.advance(10_000);
      expect(told).toEqual([]);
      expect(dialer.dials.map((dial) => dial.isCancelled)).toEqual([true]);
      expect(outcomes()).toEqual(["0 192.0.2.1 timeout 10"]);
      expect(clock.pendingCount).toBe(0);
    });

    test("source, interface and mark go with each attempt, the source of the address's family", () => {
      const sourceIpv4 = Uint8Array.of(192, 0, 2, 9);
      const { clock, dialer, race } = setUp({
        way: { sourceIpv4, interfaceName: "eth1", mark: 7 },
        order: ["2001:db8::1", "192.0.2.1"],
      });
      tell(race, ["192.0.2.1", "2001:db8::1"]);
      dialer.at(0).fail("ECONNREFUSED");
      clock.advance(10);
      expect(dialer.dials.map((dial) => dial.options)).toEqual([
        { interfaceName: "eth1", mark: 7 },
        { localAddress: sourceIpv4, interfaceName: "eth1", mark: 7 },
      ]);
    });
  });
}

const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"];

/** What is known at once, and what then becomes of the attempts. */
const scenario = fc.record({
  addresses: fc.shuffledSubarray(ADDRESSES),
  order: fc.shuffledSubarray(ADDRESSES, { minLength: ADDRESSES.length }),
  policy: fc.constantFrom<FamilyPolicy[]>("auto", "prefer-ipv4", "prefer-ipv6", "ipv4-only", "ipv6-only"),
  attemptsMax: fc.integer({ min: 1, max: 6 }),
  denied: fc.subarray(ADDRESSES),
  unreachable: fc.subarray(ADDRESSES),
  steps: fc.array(
    fc.record({
      // Often near the times of RFC 8305.
      afterMs: fc.oneof(fc.constantFrom(0, 5, 10, 240, 249, 250, 251, 260), fc.nat(600)),
      index: fc.nat(4),
      what: fc.constantFrom("connect", "fail", "refuse", "wait", "cancel", "timeout"),
    }),
    { maxLength: 10 },
  ),
});

/** Plays a scenario; everything that can be seen of it, after each step. */
function play(
  {
    addresses,
    order,
    policy,
    attemptsMax,
    denied,
    unreachable,
    steps,
  }: typeof scenario extends fc.Arbitrary<infer S> ? S : never,
  tell: (race: DialRace, addresses: readonly string[]) => void,
): string[] {
  const dotted = (address: string) => [...(parseIp(address) ?? [])].join(".");
  const { clock, dialer, told, race, outcomes } = setUp({
    way: { policy },
    denied: denied.map(dotted),
    attemptsMax,
    order,
  });
  for (const address of unreachable) dialer.failsAtOnce.set(dotted(address), "ENETUNREACH");
  const seen: string[] = [];
  const look = () => seen.push(`${told.join(" ")}: ${outcomes().join(", ")}`);
  tell(race, addresses);
  look();
  const ended = new Set<number>();
  for (const { afterMs, index, what } of steps) {
    clock.advance(afterMs);
    look();
    if (told.length > 0) break;
    if (what === "cancel" || what === "timeout") {
      race.cancel(what === "cancel" ? "cancelled" : "timeout");
      look();
      break;
    }
    const dial = dialer.dials[index];
    const isPending = dial !== undefined && !ended.has(index) && !dialer.failsAtOnce.has(dial.address);
    if (what === "wait" || !isPending) continue;
    ended.add(index);
    if (what === "connect") dial.connect();
    else dial.fail(what === "fail" ? "EHOSTUNREACH" : "ECONNREFUSED");
    look();
  }
  clock.advance(10_000);
  look();
  return [...seen, `${clock.pendingCount} timers are left`];
}

test("any race is the same, told by start or by add", () => {
  fc.assert(
    fc.property(scenario, (played) => expect(play(played, WAYS.start)).toEqual(play(played, WAYS.add))),
    { numRuns: 500 },
  );
});
