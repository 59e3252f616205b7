import { describe, expect, test } from "bun:test";
import { FakeMover } from "../../test/support/fake-mover.ts";
import { fakeProxy } from "../../test/support/fake-proxy.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";

const GREETING = Uint8Array.of(5, 1, 0);
const CONNECT = Uint8Array.of(5, 1, 0, 1, 192, 0, 2, 7, 0, 80);
const TIMEOUTS = { connectMs: 15_000, idleMs: 60_000, halfClosedMs: 30_000, keepAliveMs: 0 };
/** A deadline fires up to a slot after its own, and never early. */
const LATE_MS = 2 * SLOT_MS;

function setUp(change: Partial<typeof TIMEOUTS> = {}) {
  const mover = new FakeMover();
  const proxy = fakeProxy({
    change: { bulk: { mover, when: "always" }, timeouts: { ...TIMEOUTS, ...change } },
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

describe("a tunnel whose bytes a mover moves", () => {
  test("ends at its idle limit, and not before", () => {
    const { clock, mover, events, open } = setUp();
    open();
    expect(mover.asked).toBe(1);
    clock.advance(59_999);
    expect(mover.sockets.client.isTerminated).toBe(false);
    clock.advance(1 + LATE_MS);
    expect(mover.sockets.client.isTerminated).toBe(true);
    expect(events.records).toMatchObject([{ end: "idle-timeout" }]);
  });

  test("has keep-alive switched on when it falls silent", () => {
    const { clock, mover, open } = setUp({ keepAliveMs: 10_000 });
    open();
    clock.advance(10_000 + LATE_MS);
    expect(mover.sockets.target.keepAliveMs).toBe(10_000);
  });
});

test("without limits nothing is waited for", () => {
  const { context, open } = setUp({ idleMs: 0, halfClosedMs: 0 });
  open();
  expect(context.wheel.count).toBe(0);
});
