/** How a tunnel leaves and comes home, with a mover that only does what the test says. */

import { describe, expect, test } from "bun:test";
import { FakeMover } from "../../test/support/fake-mover.ts";
import { FakeSocket, resetAtOnce } from "../../test/support/fake-socket.ts";
import { BULK_BYTES, BULK_PAUSE_MS, BULK_PIECE_BYTES_MIN } from "./bulk-policy.ts";
import { Tunnel } from "./tunnel.ts";
import type { TunnelEnd } from "./tunnel-end.ts";

function setUp(when: "auto" | "always", room: number = Number.POSITIVE_INFINITY, early?: (tunnel: Tunnel) => void) {
  const client = new FakeSocket(room);
  const target = new FakeSocket(room);
  const mover = new FakeMover();
  const totals = { bytes: 0 };
  const time = { nowMs: 0 };
  const ends: TunnelEnd[] = [];
  const homecomings = { count: 0 };
  const tunnel = new Tunnel(client, target, {
    settings: { bufferSize: 4 * BULK_BYTES },
    totals,
    bulk: { mover, when },
    nowMs: () => time.nowMs,
    reset: resetAtOnce,
    onHalfClosed: () => undefined,
    onHome: () => homecomings.count++,
    onEnded: (end) => ends.push(end),
  });
  client.data = tunnel.client;
  target.data = tunnel.target;
  early?.(tunnel);
  tunnel.start();
  return { client, target, mover, totals, time, ends, homecomings, tunnel };
}

const bulk = (): Uint8Array => new Uint8Array(BULK_BYTES);

describe("Tunnel and its mover", () => {
  test("always: leaves at the start", () => {
    const { mover, tunnel } = setUp("always");
    expect(tunnel.isAway).toBe(true);
    expect(tunnel.client.stream).toBe(mover.sockets.client);
    expect(tunnel.target.stream).toBe(mover.sockets.target);
  });

  test("does not leave before its start: early bytes and an early FIN come first", () => {
    const { mover, tunnel, target } = setUp("always", Number.POSITIVE_INFINITY, (opening) => {
      opening.client.handleData(Uint8Array.of(1, 2));
      opening.client.handleEnd();
      expect(opening.isAway).toBe(false);
    });
    expect(target.writtenBytes).toBe(2);
    expect(target.finSent).toBe(true);
    expect(tunnel.isAway).toBe(true);
    expect(mover.asked).toBe(1);
  });

  test("auto: leaves with the proof, and not before", () => {
    const { client, mover, tunnel } = setUp("auto");
    client.peerSends(new Uint8Array(BULK_BYTES - 1));
    expect(mover.asked).toBe(0);
    client.peerSends(Uint8Array.of(1));
    expect(tunnel.isAway).toBe(true);
  });

  test("does not leave while bytes wait, but when they are written", () => {
    const { client, target, mover, tunnel } = setUp("auto", BULK_PIECE_BYTES_MIN);
    client.peerSends(bulk());
    expect(mover.asked).toBe(0);
    expect(tunnel.target.queuedBytes).toBe(BULK_BYTES - BULK_PIECE_BYTES_MIN);
    target.drain();
    expect(tunnel.isAway).toBe(true);
    expect(target.writtenBytes).toBe(BULK_BYTES);
  });

  test("leaves half-closed, and not when both have finished", () => {
    const { client, target, tunnel, mover } = setUp("auto");
    client.peerFinishes();
    target.peerSends(bulk());
    expect(tunnel.isAway).toBe(true);
    expect(mover.client?.finReceived).toBe(true);
    expect(mover.target?.finSent).toBe(true);

    const other = setUp("auto", 1000);
    other.client.peerSends(bulk());
    other.client.peerFinishes();
    other.target.peerFinishes();
    other.target.drain();
    expect(other.mover.asked).toBe(0);
  });

  test("what the mover moves is counted at once, and touches the tunnel", () => {
    const { mover, totals, time, tunnel } = setUp("always");
    time.nowMs = 77;
    mover.target?.handleMoved(5);
    mover.client?.handleMoved(7);
    expect(tunnel.target.bytesWritten).toBe(5);
    expect(tunnel.client.bytesWritten).toBe(7);
    expect(totals.bytes).toBe(12);
    expect(tunnel.lastActiveMs).toBe(77);
  });

  test("comes home with bytes: they are written before all others, and counted then", () => {
    const { mover, totals, tunnel } = setUp("auto");
    tunnel.client.handleData(bulk());
    const home = { client: new FakeSocket(), target: new FakeSocket(0) };
    mover.client?.handleHome(home.client, undefined);
    mover.target?.handleHome(home.target, Uint8Array.of(1, 2));
    home.client.data = tunnel.client;
    home.target.data = tunnel.target;
    expect(tunnel.isAway).toBe(false);
    home.client.peerSends(Uint8Array.of(3));
    home.client.peerFinishes();
    expect(totals.bytes).toBe(BULK_BYTES);
    home.target.drain();
    expect(home.target.allWritten()).toEqual(Buffer.of(1, 2, 3));
    expect(home.target.finSent).toBe(true);
    expect(totals.bytes).toBe(BULK_BYTES + 3);
  });

  test("home again, it stays for a while", () => {
    const { client, mover, time, tunnel } = setUp("auto");
    client.peerSends(bulk());
    mover.client?.handleHome(client, undefined);
    mover.target?.handleHome(new FakeSocket(), undefined);
    client.peerSends(bulk());
    expect(mover.asked).toBe(1);
    time.nowMs = BULK_PAUSE_MS;
    client.peerSends(bulk());
    expect(mover.asked).toBe(2);
    expect(tunnel.isAway).toBe(true);
  });

  test("a mover that cannot is asked again later, and nothing has changed", () => {
    const { client, target, mover, time, tunnel } = setUp("auto");
    mover.isWilling = false;
    client.peerSends(bulk());
    client.peerSends(bulk());
    expect(mover.asked).toBe(1);
    expect(tunnel.isAway).toBe(false);
    expect(target.writtenBytes).toBe(2 * BULK_BYTES);
    time.nowMs = BULK_PAUSE_MS;
    client.peerSends(bulk());
    expect(mover.asked).toBe(2);
  });

  test("small pieces never prove anything, however many", () => {
    const { client, mover } = setUp("auto");
    const small = new Uint8Array(BULK_PIECE_BYTES_MIN - 1);
    for (let sent = 0; sent < 2 * BULK_BYTES; sent += small.length) client.peerSends(small);
    expect(mover.asked).toBe(0);
  });

  test("the buffer size goes to the mover while it has the sockets", () => {
    const { mover, tunnel } = setUp("always");
    tunnel.applyBufferSize();
    expect(mover.bufferSizeApplied).toBe(1);
  });

  test("kill ends both, once", () => {
    const { mover, ends, tunnel } = setUp("always");
    tunnel.kill("idle-timeout");
    expect(mover.sockets.client.isTerminated).toBe(true);
    expect(mover.sockets.target.isTerminated).toBe(true);
    expect(ends).toEqual(["idle-timeout"]);
  });

  test("keep-alive goes to whoever has the sockets", () => {
    const { mover, client, tunnel } = setUp("always");
    tunnel.keepAlive(60_000);
    expect(mover.sockets.client.keepAliveMs).toBe(60_000);
    expect(mover.sockets.target.keepAliveMs).toBe(60_000);
    expect(client.keepAliveMs).toBeUndefined();
  });
});
