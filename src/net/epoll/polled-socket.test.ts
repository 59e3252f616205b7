/** What a socket of ours tells its owner, for what its peer does, whatever arrives as one event. */

import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { settled } from "../../../test/support/deadline.ts";
import { readyPoller } from "../../../test/support/poller.ts";
import {
  awaitTcpState,
  MSG_OOB,
  RawListener,
  RawPeer,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
} from "../../../test/support/raw-peer.ts";
import { Recorder } from "../../../test/support/recorder.ts";
import { EINTR } from "../errno.ts";
import { type Libc, libc } from "../libc.ts";
import { PolledSocket, READING } from "./polled-socket.ts";
import type { Poller } from "./poller.ts";

const BYTE = Uint8Array.of(1);
let poller: Poller;
const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

/** One of our sockets, its owner, and its peer. @param system - What it makes its calls by. */
function connected(system = libc as Libc): { socket: PolledSocket; owner: Recorder; peer: RawPeer } {
  using listener = new RawListener();
  const peer = RawPeer.open(listener.port);
  const owner = new Recorder();
  const fd = listener.acceptDescriptor();
  const socket = new PolledSocket(system, poller, fd, owner);
  owner.stream = socket;
  poller.add(fd, READING, socket);
  open.push(peer, { [Symbol.dispose]: () => socket.terminate() });
  return { socket, owner, peer };
}

describe.skipIf(libc === undefined)("PolledSocket", () => {
  beforeAll(async () => {
    poller = await readyPoller();
  });

  describe("what arrives as one event", () => {
    test("bytes and FIN", async () => {
      const { socket, owner, peer } = connected();
      peer.send("hello");
      peer.finish();
      awaitTcpState(socket.fd, TCP_CLOSE_WAIT);
      await owner.until(() => owner.heard.length === 2, "the end");
      expect(owner.heard).toEqual(["data hello", "end"]);
      socket.shutdown();
      expect(owner.heard.at(-1)).toBe("close without a code");
      expect(peer.receive()).toBe("FIN");
    });

    test("bytes and RST", async () => {
      const { socket, owner, peer } = connected();
      peer.send("hello");
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });

    test("bytes, FIN and RST: an owner who has nothing to write hears of the reset, too", async () => {
      const { socket, owner, peer } = connected();
      peer.send("hello");
      peer.finish();
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "end", "close EPIPE"]);
    });

    test("bytes, FIN and RST for a paused socket", async () => {
      const { socket, owner, peer } = connected();
      socket.pause();
      peer.send("hello");
      peer.finish();
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      socket.resume();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "end", "close EPIPE"]);
    });

    test("bytes behind an urgent one, at which the kernel ends a read", async () => {
      const { owner, peer } = connected();
      peer.send("before");
      peer.send("!", MSG_OOB);
      peer.send("after");
      await owner.until(() => owner.bytes >= 11, "all bytes");
      expect(owner.heard).toEqual(["data beforeafter"]);
    });

    test("FIN behind an urgent byte", async () => {
      const { socket, owner, peer } = connected();
      peer.send("!", MSG_OOB);
      peer.send("before");
      peer.send("!", MSG_OOB);
      peer.finish();
      awaitTcpState(socket.fd, TCP_CLOSE_WAIT);
      await owner.until(() => owner.heard.includes("end"), "the end");
      expect(owner.heard.at(-1)).toBe("end");
      expect(owner.heard[0]).toEndWith("before");
    });
  });

  describe("a paused socket", () => {
    test("hears of what comes when it is resumed, whatever paused it", async () => {
      const { socket, owner, peer } = connected();
      owner.onEvent = () => socket.pause();
      peer.send("one");
      await owner.until(() => owner.bytes === 3, "the first bytes");
      peer.send("two");
      peer.finish();
      awaitTcpState(socket.fd, TCP_CLOSE_WAIT);
      await settled(() => owner.heard.length);
      expect(owner.heard).toEqual(["data one"]);
      socket.resume();
      await owner.until(() => owner.bytes === 6, "the second bytes");
      expect(owner.heard).toEqual(["data onetwo"]);
      socket.resume();
      await owner.until(() => owner.heard.includes("end"), "the end");
    });

    test("paused and resumed inside of a handler, it goes on", async () => {
      const { socket, owner, peer } = connected();
      owner.onEvent = () => {
        socket.pause();
        socket.resume();
      };
      peer.send("hello");
      peer.finish();
      await owner.until(() => owner.heard.includes("end"), "the end");
      expect(owner.heard).toEqual(["data hello", "end"]);
    });

    test("in the middle of more than one read, it is given the rest and nothing twice", async () => {
      const { socket, owner, peer } = connected();
      const sent = fill(peer);
      peer.finish();
      owner.onEvent = () => {
        socket.pause();
        setImmediate(() => socket.resume());
      };
      await owner.until(() => owner.heard.at(-1) === "end", "the end");
      expect(owner.bytes).toBe(sent);
      // As much at once as one read takes.
      expect(owner.heard.length).toBeGreaterThan(2);
    });

    test("whose write meets a reset hears of its bytes and its end when it is resumed", async () => {
      const { socket, owner, peer } = connected();
      socket.pause();
      peer.send("hello");
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      await settled(() => owner.heard.length);
      expect(socket.write(BYTE)).toBe(-1);
      await settled(() => owner.heard.length);
      expect(owner.heard).toEqual([]);
      socket.resume();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });

    test("whose FIN was read before hears of a reset at once", async () => {
      const { socket, owner, peer } = connected();
      peer.finish();
      await owner.until(() => owner.heard.includes("end"), "the end");
      socket.pause();
      peer.reset();
      await owner.closed();
      expect(owner.heard).toEqual(["end", "close EPIPE"]);
    });
  });

  describe("writing", () => {
    test("what the kernel cannot take is asked for again, every time", async () => {
      const { socket, owner, peer } = connected();
      const piece = new Uint8Array(1 << 20);
      let written = 0;
      let received = 0;
      for (let round = 1; round <= 20; round++) {
        for (let taken = piece.length; taken === piece.length; ) written += taken = socket.write(piece);
        expect(socket.write(piece)).toBe(0);
        const drains = owner.heard.length;
        const drained = owner.until(() => owner.heard.length > drains, "a drain");
        const reading = setInterval(() => {
          received += peer.receive(1 << 22).length;
        }, 0);
        await drained.finally(() => clearInterval(reading));
      }
      for (let more = peer.receive(1 << 22); more !== ""; more = peer.receive(1 << 22)) received += more.length;
      await settled(() => (received += peer.receive(1 << 22).length));
      expect(received).toBe(written);
      expect(new Set(owner.heard)).toEqual(new Set(["drain"]));
    });

    test("a reset while it waits to write is a drain, whose write fails, and the close", async () => {
      const { socket, owner, peer } = connected();
      while (socket.write(new Uint8Array(1 << 20)) > 0);
      const taken: number[] = [];
      owner.onEvent = (event) => {
        if (event === "drain") taken.push(socket.write(BYTE));
      };
      peer.send("hello");
      peer.reset();
      await owner.closed();
      expect(taken).toEqual([-1]);
      expect(owner.heard).toEqual(["drain", "data hello", "close ECONNRESET"]);
      expect(socket.write(BYTE)).toBe(-1);
    });

    test("an owner who ends the socket when it drains hears nothing more", async () => {
      for (const end of ["terminate", "detach"] as const) {
        const { socket, owner, peer } = connected();
        while (socket.write(new Uint8Array(1 << 20)) > 0);
        let fd = -1;
        owner.onEvent = (event) => {
          if (event !== "drain") return;
          if (end === "terminate") socket.terminate();
          else fd = socket.detach();
        };
        peer.send("hello");
        peer.reset();
        await owner.until(() => owner.heard.length > 0, "the drain");
        await settled(() => owner.heard.length);
        expect(owner.heard).toEqual(end === "terminate" ? ["drain", "close without a code"] : ["drain"]);
        if (end === "detach") {
          poller.forget(fd);
          libc?.close(fd);
        }
      }
    });
  });

  describe("an owner who ends the socket inside of a handler", () => {
    for (const [end, closes] of [
      ["terminate", true],
      ["close", true],
      ["detach", false],
    ] as const) {
      test(`by ${end}, with bytes: nothing more is read`, async () => {
        const { socket, owner, peer } = connected();
        let fd = -1;
        owner.onEvent = (event) => {
          if (!event.startsWith("data")) return;
          const result = socket[end]();
          if (result !== undefined) fd = result;
        };
        fill(peer);
        peer.finish();
        await owner.until(() => owner.bytes > 0, "bytes");
        await settled(() => owner.heard.length);
        expect(owner.heard.slice(1)).toEqual(closes ? ["close without a code"] : []);
        if (fd < 0) return;
        poller.forget(fd);
        libc?.close(fd);
      });
    }

    test("by shutdown, with FIN: it is closed, once, before that returns", async () => {
      const { socket, owner, peer } = connected();
      let heardInside: string[] = [];
      owner.onEvent = (event) => {
        if (event !== "end") return;
        socket.shutdown();
        heardInside = [...owner.heard];
      };
      peer.send("hello");
      peer.finish();
      await owner.closed();
      expect(heardInside).toEqual(["data hello", "end", "close without a code"]);
      expect(owner.heard).toEqual(heardInside);
      expect(peer.receive()).toBe("FIN");
    });

    test("by shutdown, before the peer's FIN: bytes go on coming, and FIN is the close", async () => {
      const { socket, owner, peer } = connected();
      owner.onEvent = (event) => {
        if (event === "data one") socket.shutdown();
      };
      peer.send("one");
      await owner.until(() => owner.bytes === 3, "bytes");
      expect(peer.receive()).toBe("FIN");
      peer.send("two");
      peer.finish();
      await owner.closed();
      expect(owner.heard).toEqual(["data onetwo", "end", "close without a code"]);
    });
  });

  test("calls that a signal interrupts are made again", async () => {
    const c = libc as Libc;
    let isInterrupted = false;
    let calls = 0;
    const interrupt = (call: () => number): number => {
      isInterrupted = ++calls % 2 === 1;
      return isInterrupted ? -1 : call();
    };
    const signalled: Libc = {
      ...c,
      recv: (...args) => interrupt(() => c.recv(...args)),
      send: (...args) => interrupt(() => c.send(...args)),
      errno: () => (isInterrupted ? EINTR : c.errno()),
    };
    const { owner, peer, socket } = connected(signalled);
    peer.send("hello");
    peer.finish();
    await owner.until(() => owner.heard.includes("end"), "the end");
    expect(owner.heard).toEqual(["data hello", "end"]);
    expect(socket.write(BYTE)).toBe(1);
    expect(calls).toBeGreaterThan(3);
  });

  test("an error of a read closes it, and has its name", async () => {
    const c = libc as Libc;
    let fails = false;
    const faulty: Libc = {
      ...c,
      recv: (...args) => (fails ? -1 : c.recv(...args)),
      errno: () => (fails ? 110 : c.errno()),
    };
    const { owner, peer } = connected(faulty);
    fails = true;
    peer.send("hello");
    await owner.closed();
    expect(owner.heard).toEqual(["close ETIMEDOUT"]);
  });

  test("closed, it takes nothing, and no call on it throws or is heard", async () => {
    const { socket, owner } = connected();
    socket.terminate();
    expect(socket.write(BYTE)).toBe(-1);
    expect(socket.setKeepAlive(true, 1000)).toBe(false);
    expect(socket.localAddress).toBe("");
    socket.pause();
    socket.resume();
    socket.shutdown();
    socket.close();
    socket.terminate();
    expect(owner.heard).toEqual(["close without a code"]);
  });

  test("one that has always more leaves the others their turn, and timers theirs", async () => {
    const fast = connected();
    const slow = connected();
    const fill4 = new Uint8Array(1 << 20);
    let turns = 0;
    fast.owner.onEvent = () => {
      // There is more whenever it has been read.
      while (fast.peer.send(fill4) > 0);
      fast.owner.heard.length = 0;
      if (++turns === 10) slow.peer.send("hello");
    };
    fast.peer.send(fill4);
    await slow.owner.until(() => slow.owner.bytes === 5, "the bytes of the slow one");
    const before = turns;
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(turns - before).toBeLessThan(1000);
    fast.owner.onEvent = () => undefined;
  });
});

/** Sends as much as the kernel takes while nobody reads; returns how much that is. */
function fill(peer: RawPeer): number {
  const piece = new Uint8Array(1 << 20);
  let sent = 0;
  for (let taken = peer.send(piece); taken > 0; taken = peer.send(piece)) sent += taken;
  return sent;
}
