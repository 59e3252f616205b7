import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { freePort } from "../../test/support/free-port.ts";
import { echoOrigin, type Origin } from "../../test/support/origin.ts";
import { readyPoller, SOCKET_WAYS } from "../../test/support/poller.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import type { DialListener, DialOptions } from "../ports/dialer.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import { IPPROTO_TCP, libc, TCP_NODELAY } from "./libc.ts";
import { TcpDialer } from "./tcp-dial.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

type Outcome = { readonly socket: ConnectedSocket; readonly local: Endpoint } | { readonly code: string };

/** Collects what a connection says. */
class Collector implements SocketOwner {
  readonly chunks: Uint8Array[] = [];
  readonly firstData = Promise.withResolvers<void>();
  readonly closed = Promise.withResolvers<string | undefined>();
  handleData(chunk: Uint8Array): void {
    this.chunks.push(chunk.slice());
    this.firstData.resolve();
  }
  handleDrain(): void {
    // Nothing waits to be written.
  }
  handleEnd(): void {
    // The tests wait for the close.
  }
  handleClose(code: string | undefined): void {
    this.closed.resolve(code);
  }
}

const origins: Origin[] = [];
afterEach(() => {
  for (const origin of origins.splice(0)) origin[Symbol.dispose]();
});

function echo(host?: string): Origin {
  const origin = echoOrigin(host);
  origins.push(origin);
  return origin;
}

let dialer: TcpDialer;

function dial(ip: Uint8Array, port: number, options: DialOptions = {}, owner = new Collector()): Promise<Outcome> {
  return new Promise((resolve) => {
    const listener: DialListener = {
      onConnected: (socket, local) => {
        socket.data = owner;
        resolve({ socket, local });
      },
      onFailed: (code) => resolve({ code }),
    };
    dialer.dial(ip, port, options, listener);
  });
}

async function connected(ip: Uint8Array, port: number, options: DialOptions = {}, owner = new Collector()) {
  const outcome = await dial(ip, port, options, owner);
  if ("code" in outcome) throw new Error(`failed: ${outcome.code}`);
  return { ...outcome, owner };
}

describe.each(SOCKET_WAYS)("TcpDialer, with sockets that are %s", (_, pollerOf) => {
  beforeAll(async () => {
    dialer = new TcpDialer({ noDelay: true }, await pollerOf());
  });

  for (const [family, host, ip] of [
    ["IPv4", "127.0.0.1", LOOPBACK],
    ["IPv6", "::1", LOOPBACK6],
  ] as const) {
    test(`${family}: connects, and tells the outgoing socket's own endpoint`, async () => {
      const { socket, local, owner } = await connected(ip, echo(host).port);
      expect(local.ip).toEqual(ip);
      expect(local.port).toBeGreaterThan(0);
      expect(socket.write(new TextEncoder().encode("hello"))).toBe(5);
      await owner.firstData.promise;
      expect(Buffer.concat(owner.chunks).toString()).toBe("hello");
      socket.terminate();
      expect(await owner.closed.promise).toBeUndefined();
    });
  }

  test("nobody listens: ECONNREFUSED", async () => {
    expect(await dial(LOOPBACK, freePort())).toEqual({ code: "ECONNREFUSED" });
  });

  test.skipIf(libc === undefined)("leaves by the source address that it is given", async () => {
    const { socket, local } = await connected(LOOPBACK, echo().port, { localAddress: Uint8Array.of(127, 0, 0, 77) });
    expect(local.ip).toEqual(Uint8Array.of(127, 0, 0, 77));
    expect(local.port).toBeGreaterThan(0);
    socket.terminate();
  });

  test.skipIf(libc === undefined)("says why it cannot even begin, and leaves no descriptor open", async () => {
    const { port } = echo();
    const before = descriptorCount();
    expect(await dial(LOOPBACK, port, { localAddress: Uint8Array.of(192, 0, 2, 1) })).toEqual({
      code: "EADDRNOTAVAIL",
    });
    expect(await dial(LOOPBACK, port, { localAddress: LOOPBACK6 })).toEqual({ code: "EAFNOSUPPORT" });
    expect(await dial(LOOPBACK, port, { interfaceName: "no-such-one" })).toEqual({ code: "ENODEV" });
    expect(await dial(Uint8Array.of(255, 255, 255, 255), port)).not.toHaveProperty("socket");
    expect(descriptorCount()).toBe(before);
  });

  test("a target that accepts, speaks and resets before we look: its bytes, and then the reset", async () => {
    using dir = scratchDir();
    const done = dir.file("done");
    const program = `
      const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: {
        data: () => undefined,
        open: (socket) => {
          socket.write("last words");
          socket.terminate();
          require("node:fs").writeFileSync(${JSON.stringify(done)}, "");
        },
      } });
      console.log(listener.port);`;
    const target = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
    try {
      const { value } = await target.stdout.getReader().read();
      const owner = new Collector();
      const outcome = dial(LOOPBACK, Number(new TextDecoder().decode(value)), {}, owner);
      // Nothing of ours runs until it has happened.
      const limitMs = performance.now() + 5000;
      while (!existsSync(done)) expect(performance.now()).toBeLessThan(limitMs);
      expect(await outcome).toHaveProperty("socket");
      expect(await owner.closed.promise).toBe("ECONNRESET");
      expect(Buffer.concat(owner.chunks).toString()).toBe("last words");
    } finally {
      target.kill();
      await target.exited;
    }
  });

  test("given up, it tells nobody, and closes its socket", async () => {
    // The kernel has connected it before it is given up: the other end sees one that comes and goes.
    const seen: string[] = [];
    const gone = Promise.withResolvers<void>();
    const peer = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: () => void seen.push("accepted"),
        data: () => undefined,
        close: () => gone.resolve(),
      },
    });
    let told = 0;
    const cancelled = dialer.dial(LOOPBACK, peer.port, {}, { onConnected: () => told++, onFailed: () => told++ });
    cancelled.cancel();
    cancelled.cancel();
    await gone.promise;
    expect(seen).toEqual(["accepted"]);
    expect(told).toBe(0);
    peer.stop(true);
  });

  test("a hundred at once, each to its own listener", async () => {
    const origin = echo();
    const all = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const { socket, owner } = await connected(LOOPBACK, origin.port);
        socket.write(Uint8Array.of(index));
        await owner.firstData.promise;
        socket.terminate();
        return owner.chunks[0]?.[0];
      }),
    );
    expect(all).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });
});

describe.skipIf(libc === undefined)("TCP_NODELAY of our own sockets", () => {
  for (const [what, noDelay, sizes, isSet] of [
    ["not for one segment, which goes out at once anyway", true, [536], false],
    ["before the second write", true, [1, 1], true],
    ["before a first write of more than one segment", true, [537], true],
    ["never, where it is not wanted", false, [537, 1], false],
  ] as const) {
    test(what, async () => {
      dialer = new TcpDialer({ noDelay }, await readyPoller());
      const { socket } = await connected(LOOPBACK, echo().port);
      for (const size of sizes) expect(socket.write(new Uint8Array(size))).toBe(size);
      const value = new Int32Array(1);
      const { fd } = socket as unknown as { readonly fd: number };
      expect(libc?.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, value, Uint32Array.of(4))).toBe(0);
      expect(value[0] !== 0).toBe(isSet);
      socket.terminate();
    });
  }
});

function descriptorCount(): number {
  return [...new Bun.Glob("*").scanSync({ cwd: "/proc/self/fd", onlyFiles: false })].length;
}
