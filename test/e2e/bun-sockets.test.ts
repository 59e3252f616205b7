/**
 * What we rely on in Bun's sockets and no page of its documentation says. The fake sockets of the unit tests behave so;
 * whoever updates Bun learns here whether they still may.
 */

import { afterEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { within } from "../support/deadline.ts";

/** One side of a connection and everything that it has heard, in order. */
class Ear {
  socket!: Socket<Ear>;
  readonly heard: string[] = [];
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  onEvent: (event: string) => void = () => undefined;
  readonly #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  note(event: string): void {
    this.heard.push(event);
    this.onEvent(event);
    this.wake();
  }

  wake(): void {
    for (const waiter of this.#waiting.splice(0)) {
      if (waiter.holds()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }

  /** Resolves when `holds` does, looked at after each event. */
  until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return Promise.resolve();
    return within(new Promise<void>((resolve) => this.#waiting.push({ holds, resolve })), 5000, what);
  }

  closed(): Promise<void> {
    return this.until(() => this.heard.some((event) => event.startsWith("close")), "close");
  }
}

const HANDLERS = {
  data: ({ data: ear }: Socket<Ear>, chunk: Uint8Array) => {
    ear.bytes += chunk.length;
    ear.chunks.push(chunk);
    ear.wake();
  },
  drain: ({ data: ear }: Socket<Ear>) => ear.note("drain"),
  end: ({ data: ear }: Socket<Ear>) => ear.note("end"),
  close: ({ data: ear }: Socket<Ear>, fault?: Error) =>
    ear.note(`close ${(fault as { code?: string } | undefined)?.code ?? "without a code"}`),
};

const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

/** Two ends of one connection: the accepted one and the other. */
async function pair(): Promise<{ near: Ear; far: Ear }> {
  const near = new Ear();
  const far = new Ear();
  const accepted = Promise.withResolvers<void>();
  const listener = Bun.listen<Ear>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...HANDLERS,
      open: (socket) => {
        socket.data = near;
        near.socket = socket;
        accepted.resolve();
      },
    },
  });
  open.push({ [Symbol.dispose]: () => listener.stop(true) });
  far.socket = await Bun.connect<Ear>({
    hostname: "127.0.0.1",
    port: listener.port,
    allowHalfOpen: true,
    data: far,
    socket: HANDLERS,
  });
  await accepted.promise;
  return { near, far };
}

const HELLO = new TextEncoder().encode("hello");

describe("ends", () => {
  test("terminate calls close before it returns, without a code; the other side hears of a reset", async () => {
    const { near, far } = await pair();
    near.socket.terminate();
    expect(near.heard).toEqual(["close without a code"]);
    await far.closed();
    expect(far.heard).toEqual(["close ECONNRESET"]);
  });

  test("a closed socket takes nothing, and no call on it throws", async () => {
    const { near } = await pair();
    const { socket } = near;
    socket.terminate();
    expect(socket.write(HELLO)).toBe(-1);
    socket.pause();
    socket.resume();
    socket.shutdown();
    socket.terminate();
    expect(near.heard).toEqual(["close without a code"]);
  });

  test("a FIN is an end; after our own FIN it is the close itself, and data comes before it", async () => {
    const { near, far } = await pair();
    far.socket.shutdown();
    await near.until(() => near.heard.includes("end"), "end");
    near.socket.write(HELLO);
    near.socket.shutdown();
    await far.closed();
    expect(far.heard).toEqual(["close without a code"]);
    expect(far.bytes).toBe(5);
    await near.closed();
    expect(near.heard).toEqual(["end", "close without a code"]);
  });

  test("a reset is a close with its code, after the bytes before it", async () => {
    const { near, far } = await pair();
    far.socket.write(HELLO);
    far.socket.terminate();
    await near.closed();
    expect(near.heard).toEqual(["close ECONNRESET"]);
    expect(near.bytes).toBe(5);
  });

  test("a reset after a FIN is a close with a code, too", async () => {
    const { near, far } = await pair();
    far.socket.shutdown();
    await near.until(() => near.heard.includes("end"), "end");
    far.socket.terminate();
    await near.closed();
    expect(near.heard).toEqual(["end", "close EPIPE"]);
  });

  test("a write that meets a reset takes its code away: -1, and then what looks like a regular end", async () => {
    const { near, far } = await pair();
    far.socket.write(HELLO);
    far.socket.terminate();
    expect(near.socket.write(HELLO)).toBe(-1);
    await near.closed();
    expect(near.heard).toEqual(["end", "close without a code"]);
    expect(near.bytes).toBe(5);
  });

  test("a shutdown that meets a reset leaves it its code", async () => {
    const { near, far } = await pair();
    far.socket.terminate();
    near.socket.shutdown();
    await near.closed();
    expect(near.heard).toEqual(["close ECONNRESET"]);
  });
});

describe("a paused socket", () => {
  test("is told of data and FIN when it is resumed, in this order", async () => {
    const { near, far } = await pair();
    near.socket.pause();
    far.socket.write(HELLO);
    far.socket.shutdown();
    // The far side hears our answer: both its segments have arrived by then.
    near.socket.write(HELLO);
    await far.until(() => far.bytes === 5, "the answer");
    expect([near.bytes, near.heard]).toEqual([0, []]);
    near.socket.resume();
    await near.until(() => near.heard.includes("end"), "end");
    expect(near.bytes).toBe(5);
  });

  test("is told of a reset at once, and of all bytes before it", async () => {
    const { near, far } = await pair();
    // Many reads' worth: as much as the kernel takes while nobody reads.
    near.socket.pause();
    const piece = new Uint8Array(1 << 20).fill(7);
    while (far.socket.write(piece) === piece.length);
    far.socket.terminate();
    await near.closed();
    expect(near.heard).toEqual(["close ECONNRESET"]);
    expect(near.bytes).toBeGreaterThan(0);
    expect(near.chunks.every((chunk) => chunk.every((byte) => byte === 7))).toBe(true);
  });

  test("whose write meets a reset is told of its end when it is resumed", async () => {
    const { near, far } = await pair();
    near.socket.pause();
    far.socket.write(HELLO);
    far.socket.terminate();
    expect(near.socket.write(HELLO)).toBe(-1);
    near.socket.resume();
    await near.closed();
    expect(near.bytes).toBe(5);
    expect(near.heard.at(-1)).toBe("close without a code");
  });
});

test("every read has a buffer of its own: what was read before stays as it was", async () => {
  const pairs = await Promise.all([pair(), pair(), pair()]);
  for (let round = 1; round <= 10; round++) {
    for (const [index, { near, far }] of pairs.entries()) {
      const before = near.bytes;
      const piece = new Uint8Array(100_000).fill(round * 10 + index);
      expect(far.socket.write(piece)).toBe(piece.length);
      await near.until(() => near.bytes === before + piece.length, "the piece");
    }
  }
  for (const [index, { near }] of pairs.entries()) {
    const all = Buffer.concat(near.chunks);
    for (let round = 1; round <= 10; round++) {
      const part = all.subarray((round - 1) * 100_000, round * 100_000);
      expect(part.every((byte) => byte === round * 10 + index)).toBe(true);
    }
  }
});
