import { describe, expect, test } from "bun:test";
import { fakeProxy } from "../../test/support/fake-proxy.ts";
import { FakeSocket } from "../../test/support/fake-socket.ts";
import type { Endpoint } from "../ports/socket.ts";
import { SLOT_MS } from "../time/timer-wheel.ts";

const HELLO = Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 7, 0, 80);
const from = (last: number): Endpoint => ({ ip: Uint8Array.of(198, 51, 100, last), port: 1 });
const limits = (connections: number, connectionsPerAddress: number, handshakesPerAddress: number) => ({
  change: { limits: { connections, connectionsPerAddress, handshakesPerAddress } },
});

describe("limits: a client too many is reset at once, named and counted", () => {
  test("connections in all", () => {
    const { accept, events, context, server } = fakeProxy(limits(2, 0, 0));
    const first = accept(new FakeSocket(), from(1));
    accept(new FakeSocket(), from(2));
    expect(accept(new FakeSocket(), from(3)).isTerminated).toBe(true);
    expect(events.others).toEqual(["limit connections 198.51.100.3"]);
    expect(context.counters.limitReached).toBe(1);
    expect(server.concurrent()).toBe(2);
    expect(server.historical()).toBe(3);
    first.peerResets();
    expect(accept(new FakeSocket(), from(3)).isClosed).toBe(false);
  });

  test("connections from one address, whatever they do", () => {
    const { accept, events } = fakeProxy(limits(0, 2, 0));
    accept(new FakeSocket(), from(1)).peerSends(HELLO);
    accept(new FakeSocket(), from(1));
    expect(accept(new FakeSocket(), from(1)).isTerminated).toBe(true);
    expect(accept(new FakeSocket(), from(2)).isClosed).toBe(false);
    expect(events.others).toEqual(["limit connections_per_address 198.51.100.1"]);
  });

  test("handshakes from one address: those that have asked count no more", () => {
    const { accept, events } = fakeProxy(limits(0, 0, 2));
    const first = accept(new FakeSocket(), from(1));
    accept(new FakeSocket(), from(1));
    expect(accept(new FakeSocket(), from(1)).isTerminated).toBe(true);
    expect(events.others).toEqual(["limit handshakes_per_address 198.51.100.1"]);
    first.peerSends(HELLO);
    expect(accept(new FakeSocket(), from(1)).isClosed).toBe(false);
    expect(accept(new FakeSocket(), from(1)).isTerminated).toBe(true);
  });
});

describe("descriptors", () => {
  test("accepting pauses when all are spoken for, and goes on when a client leaves", () => {
    const { accept, accepting, events } = fakeProxy({ capacity: 2 });
    const first = accept();
    expect(accepting).toEqual([]);
    accept();
    expect(accepting).toEqual([false]);
    first.peerResets();
    expect(accepting).toEqual([false, true]);
    expect(events.others).toEqual(["paused at 2", "accepting at 1"]);
  });

  test("an association, and a host that is waited for, take the place of a client", () => {
    for (const cmd of [2, 3]) {
      const { accept, accepting } = fakeProxy({ capacity: 3 });
      const first = accept();
      first.peerSends(Uint8Array.of(5, 1, 0, 5, cmd, 0, 1, 0, 0, 0, 0, 0, 0));
      accept();
      expect(accepting).toEqual([false]);
      first.peerResets();
      expect(accepting).toEqual([false, true]);
    }
  });

  test("a client that slipped in pauses again whatever listens by now", () => {
    const { accept, accepting, events } = fakeProxy({ capacity: 1 });
    accept();
    accept();
    expect(accepting).toEqual([false, false]);
    expect(events.others).toEqual(["paused at 1"]);
  });

  test("where accepting cannot go on yet, it is tried again until it can", () => {
    let isShort = true;
    const { accept, accepting, clock, events, context } = fakeProxy({
      capacity: 1,
      setAccepting: (isAccepting) => {
        if (isAccepting && isShort) throw new Error("EMFILE");
      },
    });
    accept().peerResets();
    expect(accepting).toEqual([false, true]);
    expect(events.others).toEqual(["paused at 1"]);
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false, true, true]);
    isShort = false;
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false, true, true, true]);
    expect(events.others).toEqual(["paused at 1", "accepting at 0"]);
    // Nothing is watched for ever.
    clock.advance(1000 + 2 * SLOT_MS);
    expect(context.wheel.count).toBe(0);
  });

  test("accepting pauses when the numbers of descriptors say that they are short, whoever has them", () => {
    const { accept, accepting, clock, events, setLowestFreeDescriptor } = fakeProxy();
    setLowestFreeDescriptor(99);
    accept();
    expect(accepting).toEqual([]);
    setLowestFreeDescriptor(100);
    const last = accept();
    expect(accepting).toEqual([false]);
    // Somebody leaves, but it is not enough.
    last.peerResets();
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false]);
    setLowestFreeDescriptor(98);
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false, true]);
    expect(events.others).toEqual(["paused at 2", "accepting at 1"]);
  });

  test("and pauses when they become short without a new client", () => {
    const { accept, accepting, clock, setLowestFreeDescriptor, context } = fakeProxy();
    setLowestFreeDescriptor(50);
    const client = accept();
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([]);
    setLowestFreeDescriptor(Number.POSITIVE_INFINITY);
    clock.advance(1000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false]);
    setLowestFreeDescriptor(20);
    clock.advance(2000 + 2 * SLOT_MS);
    expect(accepting).toEqual([false, true]);
    // Few are taken: one look more, and nobody wakes up for it again.
    client.peerResets();
    clock.advance(1000 + 2 * SLOT_MS);
    expect(context.wheel.count).toBe(0);
  });

  test("once stopping, nobody is accepted again", async () => {
    const { accept, accepting, clock, context, server } = fakeProxy({ capacity: 1 });
    const client = accept();
    const drained = server.drained();
    client.peerResets();
    await drained;
    expect(context.wheel.count).toBe(0);
    clock.advance(10_000);
    expect(accepting).toEqual([false]);
  });
});

describe("what reaches every connection", () => {
  test("a new buffer size, in the same call", () => {
    const { accept, dialer, server } = fakeProxy();
    const client = accept();
    client.peerSends(HELLO);
    const target = dialer.at(0).connect(new FakeSocket(0));
    client.peerSends(new Uint8Array(1000));
    expect(client.isPaused).toBe(true);
    server.setBufferSize(2000);
    expect(client.isPaused).toBe(false);
    server.setBufferSize(500);
    expect(client.isPaused).toBe(true);
    expect(server.bufferSize()).toBe(500);
    target.drain();
    expect(client.isPaused).toBe(false);
    expect(server.bytes()).toBe(1000);
  });

  test("the end, whatever they are doing", async () => {
    const { accept, dialer, server, events } = fakeProxy();
    const idle = accept();
    const dialling = accept();
    dialling.peerSends(HELLO);
    const open = accept();
    open.peerSends(HELLO);
    const target = dialer.at(1).connect();
    const drained = server.drained();
    server.killAll("shutdown");
    await drained;
    expect([idle, dialling, open, target].map((socket) => socket.isTerminated)).toEqual([true, true, true, true]);
    expect(dialer.at(0).isCancelled).toBe(true);
    expect(events.records.map((record) => record.end)).toEqual(["shutdown", "shutdown"]);
    expect(server.concurrent()).toBe(0);
  });

  test("drained at once where nobody is there", async () => {
    await fakeProxy().server.drained();
  });
});
