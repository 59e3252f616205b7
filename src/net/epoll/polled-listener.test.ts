/** Accepting, where the system does not do what is asked. */

import { afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { settled, within } from "../../../test/support/deadline.ts";
import { readyPoller } from "../../../test/support/poller.ts";
import { RawPeer } from "../../../test/support/raw-peer.ts";
import type { ConnectedSocket, SocketOwner } from "../../ports/socket.ts";
import { EMFILE } from "../errno.ts";
import { AF_INET, type Libc, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "../sockaddr.ts";
import { ListenError, TcpListener } from "../tcp-listener.ts";
import { NOBODY } from "./nobody.ts";
import { PolledListener } from "./polled-listener.ts";
import { PolledSocket } from "./polled-socket.ts";
import { Poller } from "./poller.ts";

const c = libc as Libc;
const LISTEN = { address: "127.0.0.1", port: 0, backlog: 16, ipv6Only: false, reusePort: false, noDelay: true };
const EPERM = 1;
const EINVAL = 22;
const ECONNABORTED = 103;

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A system whose next accepts fail with these errors, in this order; then all work. */
function failing(...errors: number[]): { readonly libc: Libc; readonly calls: () => number } {
  let errno = 0;
  let calls = 0;
  const accept4: Libc["accept4"] = (...args) => {
    calls++;
    errno = errors.shift() ?? 0;
    return errno === 0 ? c.accept4(...args) : -1;
  };
  return { libc: { ...c, accept4, errno: () => errno || c.errno() }, calls: () => calls };
}

describe.skipIf(libc === undefined)("PolledListener", () => {
  let poller: Poller;
  beforeAll(async () => {
    poller = await readyPoller();
  });

  /** Listens; counts who comes. */
  function listen(system: Libc, onAccept: (socket: ConnectedSocket) => void = () => undefined) {
    const fd = c.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
    c.bind(fd, sockaddr, writeSockaddr(Uint8Array.of(127, 0, 0, 1), 0, sockaddr));
    c.listen(fd, 256);
    c.getsockname(fd, sockaddr, Uint32Array.of(sockaddr.length));
    const { port } = readSockaddr(sockaddr);
    const state = { accepted: 0, next: Promise.withResolvers<void>() };
    const listener = new PolledListener(system, poller, fd, (socket) => {
      state.accepted++;
      open.push(() => socket.terminate());
      const { resolve } = state.next;
      state.next = Promise.withResolvers();
      resolve();
      onAccept(socket);
      return NOBODY;
    });
    expect(listener.start()).toBe(true);
    open.push(() => {
      listener.stop();
      c.close(fd);
    });
    const connect = (): RawPeer => {
      const peer = RawPeer.open(port);
      open.push(() => peer[Symbol.dispose]());
      return peer;
    };
    const accepted = async (count: number): Promise<void> => {
      while (state.accepted < count) await within(state.next.promise, 5000, `client ${count}`);
    };
    return { listener, connect, accepted, state };
  }

  test("two hundred clients at once are all accepted", async () => {
    const { connect, accepted, state } = listen(c);
    for (let client = 0; client < 200; client++) connect();
    await accepted(200);
    await settled(() => state.accepted);
    expect(state.accepted).toBe(200);
  });

  test("the errors of clients that are gone keep nobody else waiting", async () => {
    const { libc: system } = failing(ECONNABORTED, EPERM, ECONNABORTED);
    const { connect, accepted } = listen(system);
    connect();
    await accepted(1);
  });

  test("without room for a client it is tried again, by one timer however many come meanwhile", async () => {
    let isFull = true;
    const full: Libc = {
      ...c,
      accept4: (...args) => (isFull ? -1 : c.accept4(...args)),
      errno: () => (isFull ? EMFILE : c.errno()),
    };
    const timers = spyOn(globalThis, "setTimeout");
    const { connect, accepted } = listen(full);
    const looked = spyOn(poller, "change");
    try {
      for (let client = 0; client < 5; client++) {
        connect();
        // Each of them is an event.
        await new Promise(setImmediate);
        await new Promise(setImmediate);
      }
      expect(timers).toHaveBeenCalledTimes(1);
      isFull = false;
      await accepted(5);
      expect(looked).toHaveBeenCalledTimes(1);
    } finally {
      timers.mockRestore();
      looked.mockRestore();
    }
  });

  test("stopped while there is no room, it is not tried again", async () => {
    const { libc: system, calls } = failing(...Array.from({ length: 1000 }, () => EMFILE));
    const { listener, connect } = listen(system);
    const cleared = spyOn(globalThis, "clearTimeout");
    try {
      connect();
      while (calls() === 0) await new Promise(setImmediate);
      listener.stop();
      expect(cleared).toHaveBeenCalled();
    } finally {
      cleared.mockRestore();
    }
  });

  test("an error that never ends does not keep the program busy", async () => {
    const { libc: system, calls } = failing(...Array.from({ length: 100_000 }, () => EINVAL));
    const { connect } = listen(system);
    connect();
    while (calls() === 0) await new Promise(setImmediate);
    // Many turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect(calls()).toBeLessThan(200);
  });

  test("a bug in accepting ends the one client, and the others are accepted", async () => {
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    try {
      const bug = new Error("a bug");
      const { connect, accepted, state } = listen(c, () => {
        if (state.accepted === 1) throw bug;
      });
      const [first, second] = [connect(), connect()];
      await accepted(2);
      expect(report.mock.calls).toEqual([[bug]]);
      expect(first.receive()).toBe("ECONNRESET");
      expect(second.receive()).toBe("");
    } finally {
      report.mockRestore();
    }
  });

  test("a client that cannot be watched is turned away, and the next one is accepted", async () => {
    const { connect, accepted } = listen(c);
    const add = spyOn(poller, "add").mockImplementationOnce(() => false);
    const first = connect();
    const second = connect();
    await accepted(1);
    add.mockRestore();
    expect(first.receive()).not.toBe("");
    expect(second.receive()).toBe("");
  });
});

describe.skipIf(libc === undefined)("TcpListener with a poller", () => {
  test("paused and resumed before the poller is settled, it waits for it all the same", async () => {
    const own = Poller.open() as Poller;
    const { promise, resolve } = Promise.withResolvers<ConnectedSocket>();
    const accept = (accepted: ConnectedSocket): SocketOwner => {
      resolve(accepted);
      return NOBODY;
    };
    const listener = new TcpListener(LISTEN, accept, own);
    listener.pause();
    listener.resume();
    using _ = RawPeer.open(listener.port);
    const socket = await within(promise, 5000, "the client");
    expect(socket).toBeInstanceOf(PolledSocket);
    socket.terminate();
    listener.close();
    own.close();
  });

  test("paused before the poller is settled, it accepts nobody until it is resumed", async () => {
    const own = Poller.open() as Poller;
    const accepted: ConnectedSocket[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = new TcpListener(
      LISTEN,
      (socket) => {
        accepted.push(socket);
        resolve();
        return NOBODY;
      },
      own,
    );
    listener.pause();
    using _ = RawPeer.open(listener.port);
    await new Promise<void>((tell) => own.whenSettled(tell));
    await settled(() => accepted.length);
    expect(accepted).toEqual([]);
    listener.resume();
    await within(promise, 5000, "the client");
    accepted[0]?.terminate();
    listener.close();
    own.close();
  });

  test("closed before the poller is settled, it stays closed", async () => {
    const own = Poller.open() as Poller;
    const listener = new TcpListener(LISTEN, () => NOBODY, own);
    listener.close();
    await new Promise<void>((tell) => own.whenSettled(tell));
    expect(() => RawPeer.open(listener.port)).toThrow("ECONNREFUSED");
    own.close();
  });

  test("that has no room for it says so as of any other reason", async () => {
    const own = await readyPoller();
    const add = spyOn(own, "add").mockImplementation(() => false);
    expect(() => new TcpListener(LISTEN, () => NOBODY, own)).toThrow(ListenError);
    add.mockRestore();
    own.close();
  });
});
