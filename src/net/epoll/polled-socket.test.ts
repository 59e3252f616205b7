/** What a socket of ours tells its owner, for what its peer does, whatever arrives as one event. */

import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readyPoller } from "../../../test/support/poller.ts";
import { awaitTcpState, MSG_OOB, RawPeer, TCP_CLOSE, TCP_CLOSE_WAIT } from "../../../test/support/raw-peer.ts";
import { Recorder } from "../../../test/support/recorder.ts";
import type { ConnectedSocket } from "../../ports/socket.ts";
import { libc } from "../libc.ts";
import { TcpListener } from "../tcp-listener.ts";
import type { PolledSocket } from "./polled-socket.ts";
import type { Poller } from "./poller.ts";

let poller: Poller;
const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

/** One of our sockets, its owner, and its peer. */
async function connected(): Promise<{ socket: PolledSocket; owner: Recorder; peer: RawPeer }> {
  const accepted = Promise.withResolvers<{ socket: PolledSocket; owner: Recorder }>();
  const options = { address: "127.0.0.1", port: 0, backlog: 16, ipv6Only: false, reusePort: false, noDelay: true };
  const listener = new TcpListener(
    options,
    (socket: ConnectedSocket) => {
      const owner = new Recorder();
      owner.stream = socket;
      accepted.resolve({ socket: socket as PolledSocket, owner });
      return owner;
    },
    poller,
  );
  const peer = RawPeer.open(listener.port);
  const { socket, owner } = await accepted.promise;
  const close = (): void => {
    socket.terminate();
    listener.close();
  };
  open.push(peer, { [Symbol.dispose]: close });
  return { socket, owner, peer };
}

describe.skipIf(libc === undefined)("PolledSocket", () => {
  beforeAll(async () => {
    poller = await readyPoller();
  });

  describe("what arrives as one event", () => {
    test("bytes and FIN", async () => {
      const { socket, owner, peer } = await connected();
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
      const { socket, owner, peer } = await connected();
      peer.send("hello");
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "close ECONNRESET"]);
    });

    test("bytes, FIN and RST: an owner who has nothing to write hears of the reset, too", async () => {
      const { socket, owner, peer } = await connected();
      peer.send("hello");
      peer.finish();
      peer.reset();
      awaitTcpState(socket.fd, TCP_CLOSE);
      await owner.closed();
      expect(owner.heard).toEqual(["data hello", "end", "close EPIPE"]);
    });

    test("bytes, FIN and RST for a paused socket", async () => {
      const { socket, owner, peer } = await connected();
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
      const { owner, peer } = await connected();
      peer.send("before");
      peer.send("!", MSG_OOB);
      peer.send("after");
      await owner.until(() => owner.bytes >= 11, "all bytes");
      expect(owner.heard).toEqual(["data beforeafter"]);
    });

    test("FIN behind an urgent byte", async () => {
      const { socket, owner, peer } = await connected();
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
});
