import { describe, expect, test } from "bun:test";
import { FakeMover } from "../../test/support/fake-mover.ts";
import { fakeProxy } from "../../test/support/fake-proxy.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";
import { PARKING_INTERVAL_MS } from "./parking-turns.ts";

const GREETING = Uint8Array.of(5, 1, 0);
const CONNECT = Uint8Array.of(5, 1, 0, 1, 192, 0, 2, 7, 0, 80);
const TIMEOUTS = { connectMs: 15_000, idleMs: 60_000, halfClosedMs: 30_000, parkMs: 2000, keepAliveMs: 0 };
/** A deadline fires up to a slot after its own, and never early. */
const LATE_MS = 2 * SLOT_MS;

function setUp(change: Partial<typeof TIMEOUTS> = {}) {
  const mover = new FakeMover();
  const proxy = fakeProxy({
    change: { bulk: { mover, when: "auto" }, timeouts: { ...TIMEOUTS, ...change } },
  });
  const open = () => {
    const client = proxy.accept();
    client.peerSends(GREETING);
    client.peerSends(CONNECT);
    const target = proxy.dialer.at(proxy.dialer.dials.length - 1).connect();
    return { client, target };
  };
  return { ...proxy, mover, open };
}

describe("parking", () => {
  test("a tunnel leaves when it has been silent for long enough, and not before", () => {
    const { clock, mover, open } = setUp();
    const { client } = open();
    clock.advance(1500);
    client.peerSends(Uint8Array.of(1));
    clock.advance(1999);
    expect(mover.asked).toBe(0);
    clock.advance(1 + LATE_MS);
    expect(mover.asked).toBe(1);
    clock.advance(30_000);
    expect(mover.asked).toBe(1);
  });

  test("one that has come home is parked again after the next silence", () => {
    const { clock, mover, open } = setUp();
    open();
    clock.advance(2000 + LATE_MS);
    mover.comeHome();
    clock.advance(2000 + LATE_MS);
    expect(mover.asked).toBe(2);
  });

  test("one that the mover does not take now is offered again after as long a silence", () => {
    const { clock, mover, open } = setUp();
    open();
    mover.isWilling = false;
    clock.advance(2000 + LATE_MS);
    expect(mover.asked).toBe(1);
    clock.advance(1900);
    expect(mover.asked).toBe(1);
    mover.isWilling = true;
    clock.advance(100 + LATE_MS);
    expect(mover.asked).toBe(2);
    clock.advance(10_000);
    expect(mover.asked).toBe(2);
  });

  test("many that fall silent together leave one after the other", () => {
    const { clock, mover, open } = setUp();
    const count = 1000;
    for (let index = 0; index < count; index++) open();
    clock.advance(2000 + SLOT_MS);
    expect(mover.asked).toBeLessThanOrEqual(1 + (2 * SLOT_MS) / PARKING_INTERVAL_MS);
    clock.advance(count * PARKING_INTERVAL_MS + LATE_MS);
    expect(mover.asked).toBe(count);
  });

  test("the idle limit ends a parked tunnel, at its time", () => {
    const { clock, mover, events, open } = setUp();
    open();
    clock.advance(59_999);
    expect(mover.sockets.client.isTerminated).toBe(false);
    clock.advance(1 + LATE_MS);
    expect(mover.sockets.client.isTerminated).toBe(true);
    expect(events.records).toMatchObject([{ end: "idle-timeout" }]);
  });

  test("keep-alive begins on a parked tunnel, too", () => {
    const { clock, mover, open } = setUp({ keepAliveMs: 10_000 });
    open();
    clock.advance(10_000 + LATE_MS);
    expect(mover.sockets.target.keepAliveMs).toBe(10_000);
  });

  test("0 is never", () => {
    const { clock, mover, open } = setUp({ parkMs: 0, idleMs: 0 });
    open();
    clock.advance(1e9);
    expect(mover.asked).toBe(0);
  });

  test("without a mover nothing is parked, and nothing is waited for", () => {
    const { clock, context, open } = setUp({ idleMs: 0 });
    context.bulk = undefined;
    open();
    expect(context.wheel.count).toBe(0);
    clock.advance(1e6);
  });
});
