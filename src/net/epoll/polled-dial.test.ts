/** What happens to an attempt whatever has become of its connection when we look, and whatever its listener does then. */

import { afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readdirSync } from "node:fs";
import { within } from "../../../test/support/deadline.ts";
import { readyPoller } from "../../../test/support/poller.ts";
import { MSG_OOB, RawListener, type RawPeer } from "../../../test/support/raw-peer.ts";
import { Recorder } from "../../../test/support/recorder.ts";
import type { Dial, DialListener } from "../../ports/dialer.ts";
import type { ConnectedSocket } from "../../ports/socket.ts";
import { libc } from "../libc.ts";
import { TcpDialer } from "../tcp-dial.ts";
import type { Poller } from "./poller.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);

const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

describe.skipIf(libc === undefined)("PolledDial", () => {
  let poller: Poller;
  let dialer: TcpDialer;
  let target: RawListener;
  beforeAll(async () => {
    poller = await readyPoller();
    dialer = new TcpDialer({ noDelay: true }, poller);
  });

  /** Starts an attempt, and accepts it before the event loop runs. */
  function dial(listener: DialListener): { dial: Dial; peer: RawPeer } {
    target = new RawListener();
    const attempt = dialer.dial(LOOPBACK, target.port, {}, listener);
    const peer = target.accept();
    open.push(target, peer);
    return { dial: attempt, peer };
  }

  /** An attempt whose socket gets a recorder; `onConnected` is called when it has it. */
  function recorded(onConnected: (owner: Recorder, socket: ConnectedSocket) => void = () => undefined) {
    const owner = new Recorder();
    const codes: string[] = [];
    const listener: DialListener = {
      onConnected: (socket) => {
        owner.stream = socket;
        socket.data = owner;
        open.push({ [Symbol.dispose]: () => socket.terminate() });
        onConnected(owner, socket);
      },
      onFailed: (code) => codes.push(code),
    };
    return { ...dial(listener), owner, codes };
  }

  describe("a target that has done something before we look", () => {
    test("sent bytes", async () => {
      const { peer, owner } = recorded();
      peer.send("hello");
      await owner.until(() => owner.bytes === 5, "the bytes");
      expect(owner.heard).toEqual(["data hello"]);
    });

    test("sent bytes and FIN", async () => {
      const { peer, owner } = recorded();
      peer.send("hello");
      peer.finish();
      await owner.until(() => owner.heard.length === 2, "the end");
      expect(owner.heard).toEqual(["data hello", "end"]);
      owner.stream.shutdown();
      expect(owner.isClosed).toBe(true);
    });

    test("sent bytes and RST", async () => {
      const { peer, owner } = recorded();
      peer.send("hello");
      peer.reset();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });

    test("sent bytes, FIN and RST", async () => {
      const { peer, owner } = recorded();
      peer.send("hello");
      peer.finish();
      peer.reset();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close EPIPE"]);
    });

    test("sent bytes on both sides of an urgent one", async () => {
      const { peer, owner } = recorded();
      peer.send("before");
      peer.send("!", MSG_OOB);
      peer.send("after");
      await owner.until(() => owner.bytes === 11, "the bytes");
      expect(owner.heard).toEqual(["data beforeafter"]);
    });

    test("sent bytes and RST to a listener that pauses", async () => {
      const { peer, owner } = recorded((_, socket) => {
        socket.pause();
        setImmediate(() => socket.resume());
      });
      peer.send("hello");
      peer.reset();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });

    test("sent bytes and RST to a listener that writes at once", async () => {
      const { peer, owner } = recorded((_, socket) => expect(socket.write(Uint8Array.of(1))).toBe(-1));
      peer.send("hello");
      peer.reset();
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });
  });

  test("a listener that ends the socket at once hears nothing more", async () => {
    const { peer, owner } = recorded((_, socket) => socket.terminate());
    peer.send("hello");
    await owner.closed();
    expect(owner.heard).toEqual(["close without a code"]);
  });

  test("an attempt that another one's listener gives up is silent, although it stands", async () => {
    let loser: Dial | undefined;
    const first = recorded(() => loser?.cancel());
    const second = recorded(() => expect.unreachable());
    loser = second.dial;
    first.peer.send("hello");
    second.peer.send("hello");
    await first.owner.until(() => first.owner.bytes === 5, "the first");
    expect(second.peer.receive()).not.toBe("");
    expect(second.codes).toEqual([]);
  });

  for (const [when, isAtOnce] of [
    ["when it hears of the connection", true],
    ["with the first bytes", false],
  ] as const) {
    test(`a listener that meets a bug ${when} leaves no socket behind`, async () => {
      const { promise: reported, resolve } = Promise.withResolvers<unknown>();
      const report = spyOn(globalThis, "reportError").mockImplementation(resolve);
      const bug = new Error("a bug");
      const before = readdirSync("/proc/self/fd").length;
      try {
        const { peer } = recorded((owner) => {
          if (isAtOnce) throw bug;
          owner.onEvent = () => {
            throw bug;
          };
        });
        peer.send("hello");
        expect(await within(reported, 5000, "the bug")).toBe(bug);
        expect(peer.receive()).toBe("ECONNRESET");
        // The target's two.
        expect(readdirSync("/proc/self/fd").length).toBe(before + 2);
      } finally {
        report.mockRestore();
      }
    });
  }

  test("a poller without room ends the attempt at once", () => {
    const codes: string[] = [];
    const add = spyOn(poller, "add").mockImplementation(() => false);
    const before = readdirSync("/proc/self/fd").length;
    try {
      using listener = new RawListener();
      dialer.dial(
        LOOPBACK,
        listener.port,
        {},
        {
          onConnected: () => expect.unreachable(),
          onFailed: (code) => codes.push(code),
        },
      );
    } finally {
      add.mockRestore();
    }
    expect(codes).toEqual(["ENOMEM"]);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});
