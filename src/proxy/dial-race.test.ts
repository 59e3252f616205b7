import { describe, expect, test } from "bun:test";
import { FakeDialer } from "../../test/support/fake-proxy.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import { DialRace } from "./dial-race.ts";
import { ANY_WAY, type OutgoingWay } from "./outgoing.ts";

/** A race towards port 80 with everything that it tells its listener. */
function setUp(way: Partial<OutgoingWay> = {}, denied: string[] = []) {
  const clock = new ManualClock();
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
        isAllowed: (ip) => !denied.includes([...ip].join(".")),
      },
      timing: HAPPY_EYEBALLS_DEFAULTS,
      sort: (addresses) => addresses,
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

describe("DialRace", () => {
  test("one address: no timer, one attempt", () => {
    const { clock, dialer, told, race, outcomes } = setUp();
    race.add([4, 6], ["192.0.2.1"]);
    expect(clock.pendingCount).toBe(0);
    clock.advance(12);
    dialer.at(0).connect();
    expect(told).toEqual(["won 192.0.2.1"]);
    expect(outcomes()).toEqual(["0 192.0.2.1 connected 12"]);
  });

  test("a second attempt after 250 ms; the first that connects wins, and the other is cancelled", () => {
    const { clock, dialer, told, race, outcomes } = setUp();
    race.add([4, 6], ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
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
    race.add([4, 6], ["192.0.2.1", "192.0.2.2"]);
    expect(told).toEqual(["lost exhausted"]);
    expect(outcomes()).toEqual(["0 192.0.2.1 ENETUNREACH 0", "0 192.0.2.2 EHOSTUNREACH 0"]);
    expect(clock.pendingCount).toBe(0);
  });

  test("what the rules forbid is never dialled, and does not delay the next", () => {
    const { dialer, told, race, outcomes } = setUp({}, ["10.0.0.1"]);
    race.add([4, 6], ["10.0.0.1", "192.0.2.2"]);
    dialer.at(0).connect();
    expect(told).toEqual(["won 192.0.2.2"]);
    expect(dialer.dials.map((dial) => dial.address)).toEqual(["192.0.2.2"]);
    expect(outcomes()[0]).toBe("0 10.0.0.1 denied 0");
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

  test("cancelled: attempts are stopped, timers too, and nobody hears of it", () => {
    const { clock, dialer, told, race, outcomes } = setUp();
    race.add([4, 6], ["192.0.2.1", "192.0.2.2"]);
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
    const { clock, dialer, race } = setUp({ sourceIpv4, interfaceName: "eth1", mark: 7 });
    race.add([4, 6], ["192.0.2.1", "2001:db8::1"]);
    dialer.at(0).fail("ECONNREFUSED");
    clock.advance(10);
    expect(dialer.dials.map((dial) => dial.options)).toEqual([
      { interfaceName: "eth1", mark: 7 },
      { localAddress: sourceIpv4, interfaceName: "eth1", mark: 7 },
    ]);
  });
});
