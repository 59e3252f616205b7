/**
 * Tunnels over real sockets, the same tests for all ways of moving bytes: copied between Bun's sockets, copied between our own,
 * handed over when they have proven to move much, and spliced from the first byte. What the peers see must not differ.
 */

import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { NOBODY } from "../../src/net/epoll/nobody.ts";
import type { Poller } from "../../src/net/epoll/poller.ts";
import { EINTR } from "../../src/net/errno.ts";
import { gentleReset } from "../../src/net/gentle-reset.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLERR, EPOLLHUP, type Libc, libc, SOL_SOCKET } from "../../src/net/libc.ts";
import { Splicer } from "../../src/net/splice/splicer.ts";
import { systemClock } from "../../src/net/system-clock.ts";
import { TcpDialer } from "../../src/net/tcp-dial.ts";
import { TcpListener } from "../../src/net/tcp-listener.ts";
import type { ConnectedSocket, SocketOwner } from "../../src/ports/socket.ts";
import { Tunnel } from "../../src/relay/tunnel.ts";
import type { TunnelEnd } from "../../src/relay/tunnel-end.ts";
import { settled } from "../support/deadline.ts";
import { exchangeOrigin } from "../support/origin.ts";
import { readyPoller } from "../support/poller.ts";
import { startProxy } from "../support/proxy-process.ts";
import { MSG_OOB, RawListener } from "../support/raw-peer.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { openTunnel, TestConnection } from "../support/socks-client.ts";
import { openTunnelRig, type Peer, type RigOptions, type TunnelRig } from "../support/tunnel-rig.ts";

const MIB = 1_048_576;
const SEND_BUFFER = 65_536;
const ETIMEDOUT = 110;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

const sha256 = (...pieces: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
};

const noise = (size: number, seed: number): Uint8Array => {
  const random = new SeededRandom(seed);
  const words = new Uint32Array(size / 4);
  for (let at = 0; at < words.length; at++) words[at] = random.next();
  return new Uint8Array(words.buffer);
};

function setSize({ fd }: { readonly fd: number }, option: number, bytes: number): void {
  expect(libc?.setsockopt(fd, SOL_SOCKET, option, Int32Array.of(bytes), 4)).toBe(0);
}

const descriptors = (): number => readdirSync("/proc/self/fd").length;

describe.skipIf(process.platform !== "linux")("splice", () => {
  let poller: Poller;
  let splicer: Splicer;

  beforeAll(async () => {
    poller = await readyPoller();
    splicer = new Splicer(libc as Libc, poller, { pipes: 32, keepsSmall: false });
  });

  afterAll(() => {
    splicer.close();
    poller.close();
  });

  for (const [way, when] of [
    ["Bun's sockets", "off"],
    ["copied", "off"],
    ["auto", "auto"],
    ["always", "always"],
  ] as const) {
    const open = (options: Partial<RigOptions> = {}): Promise<TunnelRig> =>
      openTunnelRig({
        bulk: when === "off" ? undefined : { mover: splicer, when },
        poller: way === "Bun's sockets" ? undefined : poller,
        ...options,
      });

    describe(way, () => {
      test("64 MiB each way at once arrive whole, and both FINs", async () => {
        const up = noise(8 * MIB, 1);
        const down = noise(8 * MIB, 2);
        using rig = await open();
        const { client, target, tunnel, totals } = rig;
        for (let piece = 0; piece < 8; piece++) {
          client.send(up);
          target.send(down);
        }
        await target.until(() => target.received > 4 * MIB, "the first bytes");
        expect(totals.bytes).toBeGreaterThanOrEqual(target.received);
        expect(tunnel.isAway).toBe(when !== "off");
        client.finish();
        target.finish();
        expect(await client.ended()).toBe("fin");
        expect(await target.ended()).toBe("fin");
        expect(await rig.over).toBe("finished");
        expect(target.sha256()).toBe(sha256(...Array.from({ length: 8 }, () => up)));
        expect(client.sha256()).toBe(sha256(...Array.from({ length: 8 }, () => down)));
        expect(tunnel.target.bytesWritten).toBe(64 * MIB);
        expect(tunnel.client.bytesWritten).toBe(64 * MIB);
        expect(totals.bytes).toBe(128 * MIB);
        expect(rig.ends).toHaveLength(1);
      });

      test("one side finishes first: the other goes on for long", async () => {
        const answer = noise(8 * MIB, 3);
        using rig = await open();
        const { client, target } = rig;
        client.send(noise(2 * MIB, 4));
        client.finish();
        expect(await target.ended()).toBe("fin");
        expect(target.received).toBe(2 * MIB);
        expect(rig.tunnel.isHalfClosed).toBe(true);
        for (let piece = 0; piece < 4; piece++) target.send(answer);
        await client.until(() => client.received === 32 * MIB, "the answer");
        target.finish();
        expect(await client.ended()).toBe("fin");
        expect(await rig.over).toBe("finished");
        expect(client.sha256()).toBe(sha256(answer, answer, answer, answer));
      });

      for (const who of ["client", "target"] as const) {
        const far = (rig: TunnelRig): [resetting: Peer, other: Peer] =>
          who === "client" ? [rig.client, rig.target] : [rig.target, rig.client];

        test(`RST of the ${who} arrives as RST, after the bytes`, async () => {
          const bytes = noise(4 * MIB, 5);
          using rig = await open();
          const [resetting, other] = far(rig);
          resetting.send(bytes);
          await other.until(() => other.received === bytes.length, "the bytes before the reset");
          resetting.reset();
          expect(await other.ended()).toBe("reset");
          expect(await rig.over).toBe(`${who}-reset`);
          expect(other.sha256()).toBe(sha256(bytes));
        });

        test(`RST of the ${who} while it is being sent to`, async () => {
          using rig = await open();
          const [resetting, other] = far(rig);
          const bytes = noise(16 * MIB, 6);
          other.send(bytes);
          other.send(bytes);
          await resetting.until(() => resetting.received > 3 * MIB, "some bytes");
          resetting.reset();
          expect(await rig.over).toBe(`${who}-reset`);
          await other.until(() => other.isClosed, "the reset");
        });

        test(`RST of the ${who} after its FIN and a long silence`, async () => {
          using rig = await open();
          const [resetting, other] = far(rig);
          resetting.finish();
          expect(await other.ended()).toBe("fin");
          other.send(noise(4 * MIB, 17));
          await resetting.until(() => resetting.received === 4 * MIB, "the bytes");
          await settled(() => rig.totals.bytes);
          expect(rig.tunnel.isAway).toBe(when !== "off");
          resetting.reset();
          expect(await rig.over).toBe(`${who}-reset`);
          await other.until(() => other.end === "reset", "the reset");
        });

        test(`RST of the ${who} that waits for a slow reader comes after the bytes`, async () => {
          // So little fits into the kernel's buffers that the tunnel must hold bytes when the reset comes.
          using rig = await open({
            bufferSize: 4 * MIB,
            onSocket: (socket) => setSize(socket, SO_SNDBUF, SEND_BUFFER),
          });
          const [resetting, other] = far(rig);
          setSize(other, SO_RCVBUF, 65_536);
          // Proof of much to move, for "auto".
          resetting.send(noise(4 * MIB, 7));
          await other.until(() => other.received === 4 * MIB, "the first bytes");
          other.stopReading();
          resetting.send(noise(MIB, 8));
          await resetting.until(() => resetting.isSent, "the last bytes to be sent");
          const side = who === "client" ? rig.tunnel.target : rig.tunnel.client;
          await settled(() => side.bytesWritten);
          expect(side.bytesWritten).toBeLessThan(5 * MIB);
          resetting.reset();
          await settled(() => side.bytesWritten);
          expect(other.end).toBeUndefined();
          other.readOn();
          expect(await other.ended()).toBe("reset");
          expect(other.received).toBe(5 * MIB);
          expect(await rig.over).toBe(`${who}-reset`);
        });
      }

      test("a reader that stands still stops the sender, and gets everything later", async () => {
        // More than the kernels on the way take: Linux lets a receive buffer grow to 32 MiB here and there.
        const bytes = noise(96 * MIB, 9);
        using rig = await open();
        const { client, target } = rig;
        client.send(bytes.subarray(0, 2 * MIB));
        await target.until(() => target.received === 2 * MIB, "the first bytes");
        target.stopReading();
        client.send(bytes.subarray(2 * MIB));
        await settled(() => rig.totals.bytes);
        expect(client.isSent).toBe(false);
        target.readOn();
        client.finish();
        expect(await target.ended()).toBe("fin");
        expect(target.sha256()).toBe(sha256(bytes));
        target.finish();
        expect(await rig.over).toBe("finished");
      });

      test("the buffer size changes a thousand times during 1 GiB", async () => {
        const bytes = noise(16 * MIB, 10);
        const random = new SeededRandom(11);
        using rig = await open();
        const { client, target, tunnel, settings } = rig;
        let changes = 0;
        let sent = 0;
        while (sent < 64 || changes < 1000) {
          if (client.isSent && sent < 64) {
            client.send(bytes);
            sent++;
          }
          const before = target.received;
          await target.until(() => target.received > before || target.received === sent * bytes.length, "a byte");
          settings.bufferSize = 300 + random.below(random.chance(0.5) ? 100_000 : 16_776_917);
          tunnel.applyBufferSize();
          changes++;
        }
        client.finish();
        expect(await target.ended()).toBe("fin");
        expect(target.received).toBe(64 * bytes.length);
        expect(target.sha256()).toBe(sha256(...Array.from({ length: 64 }, () => bytes)));
      }, 60_000);

      test("what follows an urgent byte arrives", async () => {
        using rig = await open();
        const { client, target } = rig;
        const bytes = noise(2 * MIB, 22);
        client.send(bytes);
        await target.until(() => target.received === bytes.length, "the bytes before");
        const urgent = Uint8Array.of(7);
        for (let round = 1; round <= 100; round++) {
          expect(libc?.send(client.fd, urgent, 1, MSG_OOB)).toBe(1);
          client.send(urgent);
          // The urgent byte itself may be left out, and is an ordinary one when another one follows too soon.
          await target.until(() => target.received >= bytes.length + round, "the bytes after");
        }
        client.finish();
        expect(await target.ended()).toBe("fin");
      });

      test("kill resets both, whatever is on the way", async () => {
        using rig = await open();
        const { client, target } = rig;
        const bytes = noise(16 * MIB, 12);
        client.send(bytes);
        target.send(bytes);
        await target.until(() => target.received > 2 * MIB, "some bytes");
        rig.tunnel.kill("idle-timeout");
        expect(await rig.over).toBe("idle-timeout");
        await client.until(() => client.isClosed, "the reset of the client");
        await target.until(() => target.isClosed, "the reset of the target");
        expect(rig.ends).toHaveLength(1);
      });

      test("keep-alive can be switched on", async () => {
        using rig = await open();
        rig.client.send(noise(2 * MIB, 13));
        await rig.target.until(() => rig.target.received === 2 * MIB, "the bytes");
        expect(rig.tunnel.client.stream.setKeepAlive(true, 60_000)).toBe(true);
        expect(rig.tunnel.target.stream.setKeepAlive(true, 60_000)).toBe(true);
      });

      test("many tunnels at once, opened, used and ended at random, leave nothing behind", async () => {
        const before = descriptors() - 2 * splicer.pipes.open;
        await Promise.all(Array.from({ length: 24 }, (_, seed) => randomTunnel(open, seed)));
        expect(splicer.tunnels).toBe(0);
        expect(splicer.pipes.taken).toBe(0);
        await settled(() => descriptors());
        expect(descriptors() - 2 * splicer.pipes.open).toBeLessThanOrEqual(before);
      });
    });
  }

  for (const [limit, drain] of [
    ["no limit", "0"],
    ["a limit", '"30s"'],
  ] as const) {
    test(`a stop with ${limit} waits for tunnels that only the splicer serves`, async () => {
      using scratch = scratchDir();
      const file = scratch.file("sockeye.toml");
      await Bun.write(file, `[timeouts]\ndrain = ${drain}\n`);
      await using proxy = await startProxy(["--config", file, "--splice", "always", "--admin-udp-port", "0"]);
      const bytes = noise(8 * MIB, 18);
      using origin = exchangeOrigin(bytes);
      const client = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
      await client.read(MIB);
      proxy.kill("SIGTERM");
      await proxy.stderr.waitFor((line) => line.includes("stopping"), 5000);
      client.send("after the signal");
      client.finish();
      let received = MIB;
      expect(
        await client.readToEnd((piece) => {
          received += piece.length;
        }),
      ).toBe("fin");
      expect(received).toBe(bytes.length);
      await origin.ended;
      expect(origin.receivedSha256()).toBe(sha256(new TextEncoder().encode("after the signal")));
      expect(await proxy.exited).toBe(0);
      expect(proxy.accessLog()[0]).toMatchObject({ ended: "finished", bytes_up: 16, bytes_down: bytes.length });
    });
  }

  test("a tunnel without traffic holds no pipe", async () => {
    using rig = await openTunnelRig({ bulk: { mover: splicer, when: "always" }, poller });
    const { client, target } = rig;
    client.send(noise(4 * MIB, 14));
    await target.until(() => target.received === 4 * MIB, "the bytes");
    expect(rig.tunnel.isAway).toBe(true);
    expect(splicer.pipes.taken).toBe(0);
  });

  test("what has become a conversation comes home", async () => {
    using rig = await openTunnelRig({ bulk: { mover: splicer, when: "auto" }, poller });
    const { client, target } = rig;
    client.send(noise(4 * MIB, 15));
    await target.until(() => target.received === 4 * MIB, "the bytes");
    expect(rig.tunnel.isAway).toBe(true);
    for (let message = 1; message <= 300; message++) {
      client.send(Uint8Array.of(message));
      await target.until(() => target.received === 4 * MIB + message, "a message");
    }
    expect(rig.tunnel.isAway).toBe(false);
  });

  test("a target that speaks and resets before anybody looks is passed on as a reset", async () => {
    const options = { address: "127.0.0.1", port: 0, backlog: 1, ipv6Only: false, reusePort: false, noDelay: true };
    const accepted = Promise.withResolvers<ConnectedSocket>();
    const accept = (socket: ConnectedSocket): SocketOwner => {
      accepted.resolve(socket);
      return NOBODY;
    };
    const listener = new TcpListener(options, accept, poller);
    const client = await TestConnection.open(listener.port);
    const clientSocket = await accepted.promise;
    using origin = new RawListener();
    const over = Promise.withResolvers<TunnelEnd>();
    const onConnected = (targetSocket: ConnectedSocket): void => {
      const tunnel = new Tunnel(clientSocket, targetSocket, {
        settings: { bufferSize: 65_536 },
        totals: { bytes: 0 },
        bulk: { mover: splicer, when: "always" },
        nowMs: () => systemClock.nowMs(),
        reset: gentleReset(systemClock),
        onHalfClosed: () => undefined,
        onHome: () => undefined,
        onEnded: over.resolve,
      });
      clientSocket.data = tunnel.client;
      targetSocket.data = tunnel.target;
      tunnel.start();
    };
    const dialer = new TcpDialer({ noDelay: true }, poller);
    dialer.dial(Uint8Array.of(127, 0, 0, 1), origin.port, {}, { onConnected, onFailed: over.reject });
    const target = origin.accept();
    target.send("last words");
    target.reset();
    expect(await over.promise).toBe("target-reset");
    const words: Uint8Array[] = [];
    expect(await client.readToEnd((bytes) => words.push(bytes))).toBe("reset");
    expect(Buffer.concat(words).toString()).toBe("last words");
    listener.close();
  });

  test("calls that a signal interrupts are made again", async () => {
    const c = libc as Libc;
    let calls = 0;
    let isInterrupted = false;
    const interrupted: Libc = {
      ...c,
      splice: (...args) => {
        isInterrupted = ++calls % 3 === 0;
        return isInterrupted ? -1 : c.splice(...args);
      },
      errno: () => (isInterrupted ? EINTR : c.errno()),
    };
    await withSplicer(interrupted, async (ends) => {
      using rig = await openTunnelRig(ends);
      const bytes = noise(16 * MIB, 19);
      rig.client.send(bytes);
      rig.client.finish();
      expect(await rig.target.ended()).toBe("fin");
      expect(rig.target.sha256()).toBe(sha256(bytes));
      expect(calls).toBeGreaterThan(3);
    });
  });

  test("a socket that fails ends its tunnel, and its peer is reset after the bytes", async () => {
    const c = libc as Libc;
    let failing = -1;
    const poor: Libc = {
      ...c,
      splice: (from, ...rest) => (from === failing ? -1 : c.splice(from, ...rest)),
      errno: () => (failing >= 0 ? ETIMEDOUT : c.errno()),
    };
    await withSplicer(poor, async (ends) => {
      using rig = await openTunnelRig(ends);
      rig.client.send(noise(MIB, 20));
      await rig.target.until(() => rig.target.received === MIB, "the bytes");
      failing = (rig.tunnel.client.stream as unknown as { readonly fd: number }).fd;
      rig.client.send(Uint8Array.of(1));
      expect(await rig.over).toBe("client-lost");
      expect(await rig.target.ended()).toBe("reset");
    });
  });

  test("an event of a socket that has gone is not taken for one of the next socket with its descriptor", async () => {
    const c = libc as Libc;
    const words = process.arch === "x64" ? 3 : 4;
    /** Data of an end that is watched for a RST and nothing else: the one that would believe such an event. */
    let quiet: Uint32Array | undefined;
    const late: Libc = {
      ...c,
      epoll_ctl: (epoll, operation, fd, event) => {
        if (operation === EPOLL_CTL_MOD && event[0] === 0) quiet = event.slice();
        return c.epoll_ctl(epoll, operation, fd, event);
      },
      epoll_wait: (epoll, events, ...rest) => {
        const count = c.epoll_wait(epoll, events, ...rest);
        if (quiet === undefined || count < 1) return count;
        // Before the first event, the last one of whoever had the quiet end's descriptor before.
        events.copyWithin(words, 0, count * words);
        events.set(quiet);
        events[0] = EPOLLERR | EPOLLHUP;
        events[words - 1] = (events[words - 1] as number) - 1;
        return count + 1;
      },
    };
    await withSplicer(late, async (ends) => {
      using rig = await openTunnelRig(ends);
      rig.client.finish();
      expect(await rig.target.ended()).toBe("fin");
      for (const size of [MIB, 2 * MIB]) {
        rig.target.send(noise(MIB, 21));
        await rig.client.until(() => rig.client.received === size, "the bytes");
      }
      expect(quiet).toBeDefined();
      rig.target.finish();
      expect(await rig.over).toBe("finished");
    });
  });

  for (const when of ["off", "always"] as const) {
    test(`events in any order, one by one, and told again when they are no news: ${when}`, async () => {
      const c = libc as Libc;
      const words = process.arch === "x64" ? 3 : 4;
      const random = new SeededRandom(23);
      /** BOUNDED: the last looks' events that say no more than that something may be read or written. */
      const old: Uint32Array<ArrayBuffer>[] = [];
      const odd: Libc = {
        ...c,
        epoll_wait: (epoll, events, max, timeoutMs) => {
          const count = c.epoll_wait(epoll, events, 1 + random.below(max / 2), timeoutMs);
          if (count < 1) return count;
          const found = Array.from({ length: count }, (_, at) => events.slice(at * words, (at + 1) * words));
          old.push(...found.filter(([bits = 0]) => (bits & (EPOLLERR | EPOLLHUP)) === 0).map((event) => event.slice()));
          old.splice(0, old.length - 64);
          for (let extra = random.below(4); extra > 0 && old.length > 0; extra--) {
            found.push(old[random.below(old.length)] as Uint32Array<ArrayBuffer>);
          }
          found.sort(() => random.next() - 0x8000_0000);
          for (const [at, event] of found.entries()) events.set(event, at * words);
          return found.length;
        },
      };
      await withSplicer(odd, async (ends) => {
        const options = when === "off" ? { ...ends, bulk: undefined } : ends;
        await Promise.all(Array.from({ length: 24 }, (_, seed) => randomTunnel(() => openTunnelRig(options), seed)));
      });
    });
  }

  test("a tunnel whose socket the kernel watches no more is reset, and not forgotten", async () => {
    const c = libc as Libc;
    let isPoor = false;
    const poor: Libc = {
      ...c,
      epoll_ctl: (epoll, operation, ...rest) =>
        isPoor && operation === EPOLL_CTL_ADD ? -1 : c.epoll_ctl(epoll, operation, ...rest),
    };
    await withSplicer(poor, async (ends) => {
      using rig = await openTunnelRig(ends);
      const { client, target } = rig;
      target.stopReading();
      client.send(noise(96 * MIB, 22));
      await settled(() => rig.totals.bytes);
      isPoor = true;
      target.readOn();
      expect(await client.ended()).toBe("reset");
      expect(await target.ended()).toBe("reset");
      await rig.over;
    });
  });

  test("a bug of ours ends its tunnel, and is not kept quiet", async () => {
    const c = libc as Libc;
    const bug = new Error("a bug");
    let hasBug = false;
    const faulty: Libc = {
      ...c,
      splice: (...args) => {
        if (hasBug) throw bug;
        return c.splice(...args);
      },
    };
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    await withSplicer(faulty, async (ends) => {
      using rig = await openTunnelRig(ends);
      hasBug = true;
      rig.client.send(Uint8Array.of(1));
      expect(await rig.target.ended()).toBe("reset");
      expect(report.mock.calls).toEqual([[bug]]);
      hasBug = false;
      using next = await openTunnelRig(ends);
      next.client.send(Uint8Array.of(1));
      await next.target.until(() => next.target.received === 1, "the next tunnel's byte");
    }).finally(() => report.mockRestore());
  });

  test("without pipes tunnels are copied, and stand-still readers stop nobody else", async () => {
    const scarce = new Splicer(libc as Libc, poller, { pipes: 1, keepsSmall: false });
    const ends: RigOptions = { bulk: { mover: scarce, when: "always" }, poller };
    const rigs = await Promise.all(Array.from({ length: 4 }, () => openTunnelRig(ends)));
    const bytes = noise(8 * MIB, 16);
    const [stuck, ...others] = rigs as [TunnelRig, ...TunnelRig[]];
    stuck.target.stopReading();
    stuck.client.send(bytes);
    await settled(() => stuck.totals.bytes);
    expect(scarce.pipes.taken).toBe(1);
    for (const { client } of others) {
      client.send(bytes);
      client.finish();
    }
    for (const { target } of others) {
      expect(await target.ended()).toBe("fin");
      expect(target.sha256()).toBe(sha256(bytes));
    }
    stuck.target.readOn();
    stuck.client.finish();
    expect(await stuck.target.ended()).toBe("fin");
    expect(stuck.target.sha256()).toBe(sha256(bytes));
    for (const rig of rigs) rig[Symbol.dispose]();
    scarce.close();
  });
});

/** Sends pieces of all sizes both ways, finishes or resets at random, and checks what arrived against what was sent. */
async function randomTunnel(open: () => Promise<TunnelRig>, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  using rig = await open();
  const { client, target } = rig;
  const play = async (from: Peer, to: Peer): Promise<void> => {
    const hash = createHash("sha256");
    const pieces = random.below(40);
    for (let piece = 0; piece < pieces; piece++) {
      const bytes = noise(4 * random.below(random.chance(0.2) ? 200_000 : 500), random.next());
      hash.update(bytes);
      from.send(bytes);
      if (random.chance(0.1)) to.stopReading();
      await from.until(() => from.isSent || from.isClosed, "a piece to be sent").finally(() => to.readOn());
    }
    from.finish();
    expect(await to.ended()).toBe("fin");
    expect(to.sha256()).toBe(hash.digest("hex"));
  };
  if (random.chance(0.7)) {
    await Promise.all([play(client, target), play(target, client)]);
    expect(await rig.over).toBe("finished");
    return;
  }
  await play(client, target);
  target.reset();
  expect(await client.ended()).toBe("reset");
  expect(await rig.over).toBe("target-reset");
}

/** Runs `use` with a splicer of its own on another C library, every tunnel spliced from its first byte. */
async function withSplicer(c: Libc, use: (ends: RigOptions) => Promise<void>): Promise<void> {
  const poller = await readyPoller(c);
  const mover = new Splicer(c, poller, { pipes: 4, keepsSmall: true });
  await use({ bulk: { mover, when: "always" }, poller });
  expect(mover.tunnels).toBe(0);
  mover.close();
  poller.close();
}
