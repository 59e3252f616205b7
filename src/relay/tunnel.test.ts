import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FakeSocket, resetAtOnce } from "../../test/support/fake-socket.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { Tunnel } from "./tunnel.ts";
import type { TunnelEnd } from "./tunnel-end.ts";

/** A tunnel between two fake sockets, and what it has said. */
function setUp(bufferSize = 1000, room: number = Number.POSITIVE_INFINITY, reset: GentleReset = resetAtOnce) {
  const client = new FakeSocket(room);
  const target = new FakeSocket(room);
  const settings = { bufferSize };
  const totals = { bytes: 0 };
  const ends: TunnelEnd[] = [];
  const halfClosed = { count: 0 };
  const time = { nowMs: 5 };
  const tunnel = new Tunnel(client, target, {
    settings,
    totals,
    nowMs: () => time.nowMs,
    reset,
    onHalfClosed: () => halfClosed.count++,
    onHome: () => undefined,
    onEnded: (end) => ends.push(end),
  });
  client.data = tunnel.client;
  target.data = tunnel.target;
  return { client, target, settings, totals, ends, halfClosed, time, tunnel };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (socket: FakeSocket): string => new TextDecoder().decode(socket.allWritten());

describe("Tunnel", () => {
  test("passes bytes on at once, both ways, and counts them", () => {
    const { client, target, tunnel, totals } = setUp();
    client.peerSends(bytesOf("up"));
    target.peerSends(bytesOf("down!"));
    expect(textOf(target)).toBe("up");
    expect(textOf(client)).toBe("down!");
    expect(tunnel.target.bytesWritten).toBe(2);
    expect(tunnel.client.bytesWritten).toBe(5);
    expect(totals.bytes).toBe(7);
  });

  test("FIN one way leaves the other way open; FIN both ways ends it", () => {
    const { client, target, ends, halfClosed, tunnel } = setUp();
    client.peerSends(bytesOf("request"));
    client.peerFinishes();
    expect(target.finSent).toBe(true);
    expect(client.finSent).toBe(false);
    expect(halfClosed.count).toBe(1);
    expect(tunnel.isHalfClosed).toBe(true);
    target.peerSends(bytesOf("answer"));
    expect(textOf(client)).toBe("answer");
    target.peerFinishes();
    client.closeIfFinished();
    expect(client.finSent).toBe(true);
    expect(ends).toEqual(["finished"]);
  });

  test("FIN waits for the last byte", () => {
    const { client, target } = setUp(1000, 2);
    client.peerSends(bytesOf("12345"));
    client.peerFinishes();
    expect(target.finSent).toBe(false);
    target.drain(2);
    expect(target.finSent).toBe(false);
    target.drain(2);
    expect(textOf(target)).toBe("12345");
    expect(target.finSent).toBe(true);
  });

  for (const code of ["ECONNRESET", "EPIPE", "ECONNABORTED"]) {
    test(`${code} of the target resets the client, and ends once`, () => {
      const { client, target, ends } = setUp();
      target.peerResets(code);
      expect(client.isTerminated).toBe(true);
      expect(ends).toEqual(["target-reset"]);
    });
  }

  test("a reset of the client resets the target, and ends once", () => {
    const { client, target, ends } = setUp();
    client.peerResets();
    expect(target.isTerminated).toBe(true);
    expect(ends).toEqual(["client-reset"]);
  });

  test("a peer that the kernel gave up is lost, not reset", () => {
    const { client, target, ends } = setUp();
    client.peerResets("ETIMEDOUT");
    expect(target.isTerminated).toBe(true);
    expect(ends).toEqual(["client-lost"]);
  });

  test("RST waits for the last byte, and then is a RST and no FIN", () => {
    const { client, target, ends } = setUp(1000, 2);
    target.peerSends(bytesOf("12345"));
    target.peerResets();
    expect(client.isTerminated).toBe(false);
    expect(ends).toEqual([]);
    client.drain(3);
    expect(textOf(client)).toBe("12345");
    expect(client.finSent).toBe(false);
    expect(client.isTerminated).toBe(true);
    expect(ends).toEqual(["target-reset"]);
  });

  test("RST waits for what the kernel has not sent yet, and nothing else happens to that side meanwhile", () => {
    const waiting: Stream[] = [];
    const { client, target, ends } = setUp(1000, 100, (stream) => {
      waiting.push(stream);
      return () => waiting.splice(0);
    });
    target.peerSends(bytesOf("last words"));
    target.peerResets();
    client.drain();
    expect(waiting).toEqual([client]);
    expect(ends).toEqual([]);
    client.peerSends(bytesOf("for nobody"));
    client.peerFinishes();
    expect([client.finSent, target.writtenBytes]).toEqual([false, 0]);
    client.terminate();
    expect(ends).toEqual(["target-reset"]);
    expect(waiting).toEqual([]);
  });

  test("a reset that waits gives way to the peer's own end, and to a kill", () => {
    for (const end of ["peer", "kill"] as const) {
      const calledOff: string[] = [];
      const { client, target, ends, tunnel } = setUp(1000, 100, () => () => calledOff.push(end));
      target.peerResets();
      if (end === "peer") client.peerResets();
      else tunnel.kill("half-closed-timeout");
      expect(calledOff).toEqual([end]);
      expect(ends).toEqual(["target-reset"]);
    }
  });

  test("RST after FIN is passed on, too", () => {
    const { client, target, ends } = setUp();
    target.peerFinishes();
    expect(client.finSent).toBe(true);
    target.peerResets("EPIPE");
    expect(client.isTerminated).toBe(true);
    expect(ends).toEqual(["target-reset"]);
  });

  test("a RST that a write meets first is no FIN", () => {
    const { client, target, ends } = setUp();
    target.peerResetsUnnoticed();
    client.peerSends(bytesOf("lost"));
    target.readInbox();
    expect(client.finSent).toBe(false);
    expect(client.isTerminated).toBe(true);
    expect(ends).toEqual(["target-reset"]);
  });

  test("a paused side whose write meets a RST is read again: its end would not be noticed otherwise", () => {
    const { client, target, ends } = setUp(2, 2);
    target.peerSends(bytesOf("12345"));
    expect(target.isPaused).toBe(true);
    target.peerResetsUnnoticed();
    client.peerSends(bytesOf("lost"));
    target.readInbox();
    expect(target.isClosed).toBe(true);
    client.drain();
    expect(textOf(client)).toBe("12345");
    expect(client.isTerminated).toBe(true);
    expect(ends).toEqual(["target-reset"]);
  });

  test("a RST that a write of held bytes meets first is no FIN", () => {
    const { client, target, ends } = setUp(1000, 2);
    client.peerSends(bytesOf("12345"));
    target.peerResetsUnnoticed();
    target.drain(1);
    target.readInbox();
    expect(client.finSent).toBe(false);
    expect(client.isTerminated).toBe(true);
    expect(ends).toEqual(["target-reset"]);
  });

  test("what comes for a side that is gone is thrown away and not counted", () => {
    const { client, target, totals } = setUp(1000, 2);
    target.peerSends(bytesOf("12345"));
    target.peerResets();
    client.peerSends(bytesOf("for nobody"));
    expect(totals.bytes).toBe(2);
  });

  test("stops reading at the buffer size, and reads again when half of it is free", () => {
    const { client, target, tunnel } = setUp(10, 0);
    client.peerSends(new Uint8Array(9));
    expect(client.isPaused).toBe(false);
    client.peerSends(new Uint8Array(1));
    expect(client.isPaused).toBe(true);
    expect(tunnel.target.queuedBytes).toBe(10);
    target.drain(4);
    expect(client.isPaused).toBe(true);
    target.drain(1);
    expect(client.isPaused).toBe(false);
    expect(target.isPaused).toBe(false);
  });

  test("a larger buffer size has a paused side read again at once, a smaller one pauses it", () => {
    const { client, settings, tunnel } = setUp(10, 0);
    client.peerSends(new Uint8Array(10));
    settings.bufferSize = 20;
    tunnel.applyBufferSize();
    expect(client.isPaused).toBe(false);
    settings.bufferSize = 10;
    tunnel.applyBufferSize();
    expect(client.isPaused).toBe(true);
  });

  test("the end of a handshake goes before all payload and counts as none", () => {
    const { client, target, tunnel, totals } = setUp(1000, 0);
    tunnel.client.queueUncounted(bytesOf("reply"));
    target.peerSends(bytesOf("payload"));
    client.drain(7);
    expect(tunnel.client.bytesWritten).toBe(2);
    client.drain(5);
    expect(textOf(client)).toBe("replypayload");
    expect(tunnel.client.bytesWritten).toBe(7);
    expect(totals.bytes).toBe(7);
  });

  test("kill resets both sides and says why, once", () => {
    const { client, target, ends, tunnel } = setUp(1000, 0);
    client.peerSends(bytesOf("held"));
    tunnel.kill("idle-timeout");
    expect(client.isTerminated && target.isTerminated).toBe(true);
    expect(ends).toEqual(["idle-timeout"]);
    tunnel.kill("shutdown");
    expect(ends).toEqual(["idle-timeout"]);
  });

  test("kill of a half-closed tunnel ends it once", () => {
    const { client, target, ends, tunnel } = setUp();
    client.peerFinishes();
    tunnel.kill("half-closed-timeout");
    expect(client.isTerminated && target.isTerminated).toBe(true);
    expect(ends).toEqual(["half-closed-timeout"]);
  });

  test("kill sends no FIN, not even where the other side had sent one", () => {
    const { client, target, ends, tunnel } = setUp();
    target.peerFinishes();
    expect(client.finSent).toBe(true);
    tunnel.kill("killed");
    expect(target.finSent).toBe(false);
    expect(ends).toEqual(["killed"]);
  });

  test("a side that is gone leaves a half-closed tunnel, says so, and holds nothing any more", () => {
    for (const gone of ["client", "target"] as const) {
      const { halfClosed, tunnel, ...sockets } = setUp(1000, 0);
      const other = gone === "client" ? "target" : "client";
      sockets[gone].peerSends(bytesOf("held for the other"));
      sockets[other].peerSends(bytesOf("held for the one"));
      expect(tunnel.isHalfClosed).toBe(false);
      sockets[gone].peerResets();
      expect(sockets[other].isClosed).toBe(false);
      expect(tunnel.isHalfClosed).toBe(true);
      expect(halfClosed.count).toBe(1);
      expect([tunnel[gone].queuedBytes, tunnel[other].queuedBytes]).toEqual([0, 18]);
    }
  });

  test("a new buffer size holds in both directions", () => {
    const { client, target, settings, tunnel } = setUp(10, 0);
    for (const socket of [client, target]) socket.peerSends(new Uint8Array(10));
    settings.bufferSize = 20;
    tunnel.applyBufferSize();
    expect([client.isPaused, target.isPaused]).toEqual([false, false]);
  });

  test("has the kernel look after both peers, or the one that is left", () => {
    const { client, target, tunnel } = setUp(1000, 0);
    tunnel.keepAlive(1000);
    expect([client.keepAliveMs, target.keepAliveMs]).toEqual([1000, 1000]);
    target.peerSends(bytesOf("held"));
    target.peerResets();
    tunnel.keepAlive(2000);
    expect([client.keepAliveMs, target.keepAliveMs]).toEqual([2000, 1000]);
  });

  test("knows when a byte last moved", () => {
    const { client, target, time, tunnel } = setUp(1000, 2);
    expect(tunnel.lastActiveMs).toBe(5);
    time.nowMs = 10;
    client.peerSends(bytesOf("12345"));
    expect(tunnel.lastActiveMs).toBe(10);
    time.nowMs = 20;
    target.drain(1);
    expect(tunnel.lastActiveMs).toBe(20);
    time.nowMs = 30;
    target.peerFinishes();
    expect(tunnel.lastActiveMs).toBe(30);
  });
});

/** One step of a random history. `side` 0 is the client. */
type Command =
  | { readonly kind: "data"; readonly side: number; readonly count: number }
  | { readonly kind: "drain"; readonly side: number; readonly count: number }
  | { readonly kind: "fin" | "reset" | "unnoticed-reset" | "turn"; readonly side: number }
  | { readonly kind: "buffer-size"; readonly count: number }
  | { readonly kind: "kill" };

const side = fc.constantFrom(0, 1);
const count = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 3000 }));
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("data" as const), side, count }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("drain" as const), side, count }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("turn" as const), side }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fin" as const), side }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("reset" as const, "unnoticed-reset" as const), side }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("buffer-size" as const), count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("kill" as const) }) },
);

/** The byte at `index` of what the peer of socket `side` sends: any loss, doubling or swap shows. */
const byteAt = (from: number, index: number): number => (index * 7 + (index >> 8) * 13 + from * 101) & 0xff;

/** What one peer has done, and so what the tunnel owes to the other. */
interface Model {
  sent: number;
  fin: boolean;
  reset: boolean;
  /** The reset was met by a write: bytes that came before it may be lost. */
  unnoticed: boolean;
}

function checkHistory(commands: readonly Command[], bufferSize: number, room: number): void {
  const { client, target, settings, totals, ends, tunnel } = setUp(bufferSize, room);
  const sockets = [client, target] as const;
  const sides = [tunnel.client, tunnel.target] as const;
  const models: readonly [Model, Model] = [
    { sent: 0, fin: false, reset: false, unnoticed: false },
    { sent: 0, fin: false, reset: false, unnoticed: false },
  ];
  let killed = false;
  let readMax = 0;
  let bufferSizeMax = bufferSize;

  const step = (next: Command): void => {
    if (next.kind === "buffer-size") {
      settings.bufferSize = next.count;
      bufferSizeMax = Math.max(bufferSizeMax, next.count);
      tunnel.applyBufferSize();
      return;
    }
    if (next.kind === "kill") {
      killed = true;
      tunnel.kill("killed");
      return;
    }
    const socket = sockets[next.side as 0 | 1];
    const model = models[next.side as 0 | 1];
    switch (next.kind) {
      case "data": {
        if (model.fin || model.reset || model.unnoticed || socket.isClosed) return;
        readMax = Math.max(readMax, next.count);
        const from = model.sent;
        model.sent += next.count;
        socket.peerSends(Uint8Array.from({ length: next.count }, (_, i) => byteAt(next.side, from + i)));
        return;
      }
      case "drain":
        socket.drain(next.count);
        return;
      case "turn":
        socket.readInbox();
        socket.closeIfFinished();
        return;
      case "fin":
        if (model.fin || model.reset || model.unnoticed || socket.isClosed) return;
        model.fin = true;
        socket.peerFinishes();
        return;
      case "reset":
        if (socket.isClosed || model.unnoticed) return;
        model.reset = true;
        socket.peerResets();
        return;
      case "unnoticed-reset":
        if (socket.isClosed || model.reset || model.fin) return;
        model.unnoticed = true;
        socket.peerResetsUnnoticed();
        return;
      default:
        next satisfies never;
    }
  };

  const check = (): void => {
    for (const at of [0, 1] as const) {
      const socket = sockets[at];
      const giver = sockets[1 - at] as FakeSocket;
      const model = models[1 - at] as Model;
      const wrong = socket.allWritten().findIndex((byte, index) => byte !== byteAt(1 - at, index));
      expect(wrong).toBe(-1);
      expect(socket.writtenBytes).toBeLessThanOrEqual(model.sent);
      const held = sides[at].queuedBytes;
      // With a reset comes all that the kernel has: it would be lost otherwise.
      if (!model.reset && !model.unnoticed) expect(held).toBeLessThanOrEqual(bufferSizeMax + readMax);
      if (!giver.isClosed && !socket.isClosed) {
        // Held at the buffer size: not read from. Nothing held: read from.
        if (held >= settings.bufferSize && !model.unnoticed) expect(giver.isPaused).toBe(true);
        if (held === 0) expect(giver.isPaused).toBe(false);
      }
      if (socket.finSent) {
        expect(model.fin).toBe(true);
        expect(socket.writtenBytes).toBe(model.sent);
      }
      if (socket.isTerminated && !killed) {
        expect(model.reset || model.unnoticed).toBe(true);
        if (!model.unnoticed && !models[at].unnoticed) expect(socket.writtenBytes).toBe(model.sent);
      }
    }
    expect(totals.bytes).toBe(client.writtenBytes + target.writtenBytes);
    expect(ends.length).toBe(client.isClosed && target.isClosed ? 1 : 0);
  };

  for (const next of commands) {
    step(next);
    check();
  }
  // From here on both kernels take everything: whatever is owed must arrive, and the tunnel must end with its peers.
  for (let turn = 0; turn < 5; turn++) {
    for (const at of [0, 1]) {
      step({ kind: "drain", side: at, count: 1_000_000 });
      step({ kind: "turn", side: at });
      check();
    }
  }
  for (const at of [0, 1] as const) {
    const model = models[1 - at] as Model;
    if (sockets[at].isClosed) continue;
    expect(sockets[at].writtenBytes).toBe(model.sent);
    expect(sockets[at].finSent).toBe(model.fin);
    expect(model.reset || model.unnoticed).toBe(false);
  }
  if (!killed && models.some((model) => model.reset || model.unnoticed)) {
    expect(ends.length).toBe(1);
    expect(ends[0]).not.toBe("finished");
  }
}

test("whatever happens in whatever order: no byte lost, doubled or out of order, and every end passed on", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 60 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 0, max: 3000 }),
      checkHistory,
    ),
    { numRuns: 300 },
  );
});
