import { afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readdirSync } from "node:fs";
import { settled, within } from "../../../test/support/deadline.ts";
import { readyPoller } from "../../../test/support/poller.ts";
import { TestConnection } from "../../../test/support/socks-client.ts";
import type { ConnectedSocket } from "../../ports/socket.ts";
import {
  AF_UNIX,
  EPOLL_CTL_ADD,
  EPOLLET,
  EPOLLIN,
  type Libc,
  libc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../libc.ts";
import { TcpListener } from "../tcp-listener.ts";
import { NOBODY } from "./nobody.ts";
import { PolledSocket } from "./polled-socket.ts";
import { type Polled, Poller } from "./poller.ts";

const c = libc as Libc;
const BYTE = Uint8Array.of(1);
const LISTEN = { address: "127.0.0.1", port: 0, backlog: 16, ipv6Only: false, reusePort: false, noDelay: true };

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** One end of a socket pair, which tells each event to `onEvents`. */
class Watched implements Polled {
  generation = 0;
  readonly fd: number;
  readonly #other: number;
  events = 0;
  faults = 0;
  onEvents: () => void = () => undefined;
  onFault: () => void = () => undefined;

  constructor() {
    const pair = new Int32Array(2);
    if (c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) throw new Error("no pair");
    [this.fd, this.#other] = pair as unknown as [number, number];
    open.push(() => this.close());
  }

  #isClosed = false;

  handleEvents(): void {
    this.events++;
    c.read(this.fd, new Uint8Array(16), 16);
    this.onEvents();
  }

  handleFault(): void {
    this.faults++;
    this.onFault();
  }

  /** Has it be ready. */
  send(): void {
    c.write(this.#other, BYTE, 1);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    c.close(this.fd);
    c.close(this.#other);
  }
}

describe.skipIf(libc === undefined)("Poller", () => {
  let poller: Poller;
  beforeAll(async () => {
    poller = await readyPoller();
  });

  /** A descriptor in the poller. */
  function watch(watched = new Watched(), by = poller): Watched {
    expect(by.add(watched.fd, EPOLLIN | EPOLLET, watched)).toBe(true);
    open.push(() => by.forget(watched.fd));
    return watched;
  }

  /** Has all of them be ready at once, and waits until the last one has been served. */
  async function serve(...all: readonly [Watched, ...Watched[]]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const last = all.at(-1) as Watched;
    const { onEvents } = last;
    last.onEvents = () => {
      resolve();
      onEvents();
    };
    for (const watched of all) watched.send();
    await within(promise, 5000, "the last event");
  }

  test("a bug in a handler, and another one in ending what has it, leave the others their events", async () => {
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    try {
      const [faulty, other] = [watch(), watch()];
      const [bug, second] = [new Error("a bug"), new Error("a second bug")];
      faulty.onEvents = () => {
        throw bug;
      };
      faulty.onFault = () => {
        throw second;
      };
      await serve(faulty, other);
      expect(faulty.faults).toBe(1);
      expect(report.mock.calls).toEqual([[second], [bug]]);
    } finally {
      report.mockRestore();
    }
  });

  test("an event of a descriptor that has been closed meanwhile is nobody else's", async () => {
    const [first, second, last] = [watch(), watch(), watch()];
    let heir: Watched | undefined;
    first.onEvents = () => {
      poller.forget(second.fd);
      second.close();
      // The lowest free numbers are given out again.
      heir = watch();
    };
    await serve(first, second, last);
    expect(heir?.fd).toBe(second.fd);
    expect([second.events, heir?.events]).toEqual([0, 0]);
    await serve(heir as Watched);
  });

  /** A poller on whose clock every look takes a millisecond: it looks three times before the others get their turn. */
  function slowPoller(): Promise<Poller> {
    let nowMs = 0;
    return readyPoller(undefined, () => nowMs++);
  }

  /** How much `count()` has grown from each turn of the event loop to the next, until it is `end`. */
  function growth(count: () => number, end: number): Promise<number[]> {
    const { promise, resolve } = Promise.withResolvers<number[]>();
    const all: number[] = [];
    let last = count();
    const look = (): void => {
      all.push(count() - last);
      last = count();
      if (last < end) setImmediate(look);
      else resolve(all);
    };
    setImmediate(look);
    return within(promise, 5000, "the last event");
  }

  test("hundreds that are ready at once are all served, and others of the event loop between them", async () => {
    const own = await slowPoller();
    const all = Array.from({ length: 400 }, () => watch(undefined, own));
    let served = 0;
    for (const watched of all) watched.onEvents = () => served++;
    const grown = growth(() => served, all.length);
    for (const watched of all) watched.send();
    expect(Math.max(...(await grown))).toBeLessThanOrEqual(3 * 64);
    expect(all.every(({ events }) => events === 1)).toBe(true);
    own.close();
  });

  test("those that are always ready again leave the others of the event loop their turn", async () => {
    const own = await slowPoller();
    const busy = Array.from({ length: 5 }, () => watch(undefined, own));
    let served = 0;
    for (const watched of busy) {
      watched.onEvents = () => {
        if (++served < 100) watched.send();
      };
    }
    const grown = growth(() => served, 100);
    for (const watched of busy) watched.send();
    expect(Math.max(...(await grown))).toBeLessThanOrEqual(3 * busy.length);
    own.close();
  });

  test("what becomes ready while much is handled is served in the same turn", async () => {
    const own = await slowPoller();
    const [first, second] = [watch(undefined, own), watch(undefined, own)];
    first.onEvents = () => second.send();
    const grown = growth(() => first.events + second.events, 2);
    first.send();
    expect((await grown).filter((count) => count > 0)).toEqual([2]);
    own.close();
  });

  test("closed in a later look, it looks no more", async () => {
    const own = await slowPoller();
    const watched = watch(undefined, own);
    watched.onEvents = () => {
      if (watched.events === 2) own.close();
      watched.send();
    };
    watched.send();
    await settled(() => watched.events);
    expect(watched.events).toBe(2);
  });

  test("closed by a handler, it serves nobody any more", async () => {
    const own = await readyPoller();
    const [first, second] = [watch(undefined, own), watch(undefined, own)];
    first.onEvents = () => own.close();
    second.onEvents = () => own.close();
    first.send();
    second.send();
    await settled(() => first.events + second.events);
    expect(first.events + second.events).toBe(1);
    expect(own.isReady).toBe(false);
  });

  test("closed with a socket in it, it leaves the socket to its owner", async () => {
    const own = await readyPoller();
    const { fd } = new Watched();
    const socket = new PolledSocket(c, own, fd, NOBODY);
    own.add(fd, EPOLLIN, socket);
    own.close();
    expect(socket.write(BYTE)).toBe(1);
    socket.pause();
    socket.resume();
  });

  test("closed at once, it leaves no descriptor behind", async () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let time = 0; time < 10; time++) {
      const own = Poller.open() as Poller;
      const { promise, resolve } = Promise.withResolvers<void>();
      own.whenSettled(resolve);
      own.close();
      await promise;
      expect(own.isReady).toBe(false);
    }
    await settled(() => readdirSync("/proc/self/fd").length);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test("it is settled well although the event loop stands still for long at first", async () => {
    const own = Poller.open() as Poller;
    const limitMs = performance.now() + 2200;
    while (performance.now() < limitMs);
    await new Promise<void>((resolve) => own.whenSettled(resolve));
    expect(own.isReady).toBe(true);
    own.close();
  });

  test("who cannot use the news that it is settled takes it from nobody else", async () => {
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    try {
      const own = Poller.open() as Poller;
      const bug = new Error("a bug");
      own.whenSettled(() => {
        throw bug;
      });
      const { promise, resolve } = Promise.withResolvers<void>();
      own.whenSettled(resolve);
      await within(promise, 5000, "the news");
      expect(report.mock.calls).toEqual([[bug]]);
      own.close();
    } finally {
      report.mockRestore();
    }
  });

  for (const [what, lie] of [
    ["says that it watches and does not", { epoll_ctl: () => 0 }],
    ["does not let itself be watched", { epoll_ctl: () => -1 }],
    ["has no socket pairs", { socketpair: () => -1 }],
    ["has no room", { epoll_create1: () => -1 }],
  ] as const) {
    test(`with a system that ${what}, clients are served by Bun's sockets`, async () => {
      let watched = 0;
      const epoll_ctl = (...args: Parameters<Libc["epoll_ctl"]>): number => {
        // Taking Bun's own socket out is no lie.
        if (args[1] !== EPOLL_CTL_ADD || !("epoll_ctl" in lie)) return c.epoll_ctl(...args);
        watched++;
        return lie.epoll_ctl();
      };
      const own = Poller.open({ ...c, ...lie, epoll_ctl });
      const sockets: ConnectedSocket[] = [];
      const listener = new TcpListener(
        LISTEN,
        (socket) => {
          sockets.push(socket);
          return { ...NOBODY, handleData: (bytes) => void socket.write(bytes) };
        },
        own,
      );
      open.push(() => listener.close());
      const connection = await TestConnection.open(listener.port);
      connection.send("hello");
      expect(Buffer.from(await connection.read(5)).toString()).toBe("hello");
      connection.reset();
      expect(sockets[0]).not.toBeInstanceOf(PolledSocket);
      expect(own?.isReady ?? false).toBe(false);
      if ("epoll_ctl" in lie) expect(watched).toBeGreaterThan(0);
      own?.close();
    });
  }
});
