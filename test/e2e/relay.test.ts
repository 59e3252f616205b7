/** Tunnels between real sockets: ends, order, back-pressure. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { type ManualOrigin, manualOrigin } from "../support/manual-origin.ts";
import { echoOrigin, exchangeOrigin, sourceOrigin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { type ScratchDir, scratchDir } from "../support/scratch-dir.ts";
import { type End, openTunnel, TestConnection } from "../support/socks-client.ts";

const MIB = 1 << 20;

/** The resident memory of a process, in KiB. */
function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

// By our own hands, by the kernel's, and as it comes.
describe.each(["off", "always", "auto"])("splice %s:", (splice) => {
  let scratch: ScratchDir;
  let proxy: ProxyProcess;
  let socketsAtRest: number;

  beforeAll(async () => {
    scratch = scratchDir();
    configure(65_536);
    proxy = await startProxy(["--config", scratch.file("sockeye.toml")]);
    socketsAtRest = socketCount(proxy.pid);
  });

  afterEach(async () => {
    await until(() => socketCount(proxy.pid) === socketsAtRest, 10_000, "the proxy to close its sockets");
  });

  afterAll(async () => {
    expect(proxy.stderr.text()).not.toContain("bug");
    expect(await proxy.stop()).toBe(0);
    scratch[Symbol.dispose]();
  });

  function configure(bufferSize: number): void {
    writeFileSync(scratch.file("sockeye.toml"), `[relay]\nsplice = "${splice}"\nbuffer_size = ${bufferSize}\n`);
  }

  /** Gives the running proxy a new buffer size, and returns when it has it. */
  async function setBufferSize(bufferSize: number): Promise<void> {
    const linesBefore = proxy.stderr.lines.length;
    configure(bufferSize);
    proxy.kill("SIGHUP");
    await proxy.stderr.waitFor((line) => line.includes("reloaded"), 10_000, linesBefore);
  }

  const tunnelTo = (origin: { host: string; port: number }): Promise<TestConnection> =>
    openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });

  const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

  /** The access log's line about the tunnel to `port`. */
  async function lineAbout(port: number): Promise<Record<string, unknown>> {
    return JSON.parse(await proxy.stdout.waitFor((line) => line.includes(`${port}`))) as Record<string, unknown>;
  }

  describe("FIN", () => {
    test("of the client ends its direction alone: the answer comes after it", async () => {
      using origin = echoOrigin();
      const tunnel = await tunnelTo(origin);
      const question = randomBytes(3 * MIB);
      tunnel.send(question);
      tunnel.finish();
      const answer = createHash("sha256");
      expect(await tunnel.readToEnd((bytes) => answer.update(bytes))).toBe("fin");
      expect(answer.digest("hex")).toBe(sha256(question));
      expect(await lineAbout(origin.port)).toMatchObject({ ended: "finished" });
    });

    test("of the target ends its direction alone: the client may go on sending", async () => {
      const up = randomBytes(3 * MIB);
      using origin = exchangeOrigin(new TextEncoder().encode("that is all"));
      const tunnel = await tunnelTo(origin);
      const heard: number[] = [];
      expect(await tunnel.readToEnd((bytes) => heard.push(...bytes))).toBe("fin");
      expect(Buffer.from(heard).toString()).toBe("that is all");
      tunnel.send(up);
      tunnel.finish();
      await origin.ended;
      expect(origin.receivedSha256()).toBe(sha256(up));
      expect(await lineAbout(origin.port)).toMatchObject({ ended: "finished" });
    });

    test("comes after the last byte, however slow the reader", async () => {
      const down = randomBytes(16 * MIB);
      using origin = sourceOrigin(() => [down]);
      const tunnel = await tunnelTo(origin);
      tunnel.pause();
      const received = createHash("sha256");
      let count = 0;
      const ended = tunnel.readToEnd((bytes) => {
        received.update(bytes);
        count += bytes.length;
      });
      // A sip at a time, each after another tunnel has done a round.
      for (let sip = 0; sip < 5; sip++) {
        tunnel.resume();
        (await tunnelTo(origin)).reset();
        tunnel.pause();
      }
      tunnel.resume();
      expect(await ended).toBe("fin");
      expect(count).toBe(down.length);
      expect(received.digest("hex")).toBe(sha256(down));
      tunnel.finish();
    });
  });

  /** A tunnel and the connection at its other end. */
  async function tunnelWithEnds(origin: ManualOrigin): Promise<{ client: TestConnection; target: TestConnection }> {
    const client = await tunnelTo(origin);
    return { client, target: await origin.accept() };
  }

  /** Everything until the end, as one string or one digest, and how it ended. */
  async function hear(connection: TestConnection): Promise<{ end: End; text: string; sha256: string; count: number }> {
    const chunks: Uint8Array[] = [];
    const end = await connection.readToEnd((bytes) => chunks.push(bytes));
    const all = Buffer.concat(chunks);
    return { end, text: all.toString("latin1", 0, 100), sha256: sha256(all), count: all.length };
  }

  /** A round trip through the proxy on another connection: whatever it had to notice before, it has noticed. */
  async function turnOfTheProxy(): Promise<void> {
    const other = await TestConnection.open(proxy.port);
    other.send(Uint8Array.of(5, 1, 0));
    await other.read(2);
    other.reset();
  }

  describe("RST", () => {
    test("of the target is a RST for the client, and the bytes before it come first", async () => {
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      target.send("last words");
      target.reset();
      expect(await hear(client)).toMatchObject({ end: "reset", text: "last words" });
      expect(await lineAbout(origin.port)).toMatchObject({ ended: "target-reset" });
    });

    test("of the client is a RST for the target, and the bytes before it come first", async () => {
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      client.send("last words");
      client.reset();
      expect(await hear(target)).toMatchObject({ end: "reset", text: "last words" });
      expect(await lineAbout(origin.port)).toMatchObject({ ended: "client-reset" });
    });

    test("of the target while the client sends is a RST, never a FIN", async () => {
      // Many rounds: the proxy meets the reset now while it reads, now while it writes.
      for (let round = 0; round < 50; round++) {
        using origin = manualOrigin();
        const { client, target } = await tunnelWithEnds(origin);
        client.send(new Uint8Array(200_000));
        target.reset();
        expect(await client.readToEnd()).toBe("reset");
      }
    });

    test("after a FIN is still a RST", async () => {
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      client.finish();
      expect(await target.readToEnd()).toBe("fin");
      target.reset();
      expect(await client.readToEnd()).toBe("reset");
    });

    test("of the target takes nothing from a slow client that the target had sent before", async () => {
      // Room in the proxy for everything.
      await setBufferSize(16 * MIB);
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      const down = randomBytes(8 * MIB);
      client.pause();
      target.send(down);
      await until(() => target.unacknowledged() === 0 && target.isEmpty, 5000, "the proxy to have taken everything");
      target.reset();
      await turnOfTheProxy();
      client.resume();
      expect(await hear(client)).toMatchObject({ end: "reset", count: down.length, sha256: sha256(down) });
      expect(await lineAbout(origin.port)).toMatchObject({ ended: "target-reset" });
      await setBufferSize(65_536);
    });

    test("of the target waits until a slow client has all that is left in the proxy's kernel, too", async () => {
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      // So much that not all of it fits into the client's receive buffer, and none is left in the proxy's memory.
      const down = randomBytes(1_500_000);
      client.pause();
      target.send(down);
      await until(() => target.unacknowledged() === 0 && target.isEmpty, 5000, "the proxy to have taken everything");
      target.reset();
      await turnOfTheProxy();
      client.resume();
      expect(await hear(client)).toMatchObject({ end: "reset", count: down.length, sha256: sha256(down) });
    });
  });

  describe("back-pressure", () => {
    /** What the sender's kernel has taken when nothing moves any more. */
    async function sendUntilStuck(
      sender: TestConnection,
      make: (from: number, count: number) => Uint8Array,
      expected = 0,
    ) {
      let sent = 0;
      let lastMoveMs = performance.now();
      // Stuck is: no byte taken for a while in which many round trips would fit; on a busy machine, with more to come, for long.
      while (performance.now() - lastMoveMs < (sent > expected ? 300 : 5000)) {
        const taken = sender.sendWhatFits(make(sent, 256 * 1024));
        if (taken > 0) {
          sent += taken;
          lastMoveMs = performance.now();
        } else await turnOfTheProxy();
      }
      return sent;
    }
    /** Byte `i` of an endless stream in which every position can be told from its neighbours. */
    const stream = (from: number, count: number): Uint8Array => {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) bytes[i] = ((from + i) * 31 + ((from + i) >> 8) * 17) & 0xff;
      return bytes;
    };

    test("a receiver that does not read stops its sender; more buffer lets more through at once; no byte is lost", async () => {
      await setBufferSize(300);
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      target.pause();
      const small = await sendUntilStuck(client, stream);
      // The proxy holds 300 bytes and one read; the rest is what three kernels keep for two connections.
      const held = residentKiB(proxy.pid);

      await setBufferSize(16 * MIB);
      const large = await sendUntilStuck(client, (from, count) => stream(small + from, count), 15 * MIB);
      // The proxy's own memory took it, and no more than it may, by a wide margin for what its memory has besides.
      expect(large).toBeGreaterThan(15 * MIB);
      expect(residentKiB(proxy.pid) - held).toBeLessThan(48 * 1024);

      await setBufferSize(1000);
      client.finish();
      target.resume();
      const heard = await hear(target);
      expect(heard).toMatchObject({ end: "fin", count: small + large, sha256: sha256(stream(0, small + large)) });
      target.finish();
      expect(await client.readToEnd()).toBe("fin");
      await setBufferSize(65_536);
    });

    test("buffer sizes that change all the time lose no byte of tunnels under load", async () => {
      const bytes = randomBytes(24 * MIB);
      using origin = echoOrigin();
      const transfers = Array.from({ length: 4 }, async () => {
        const tunnel = await tunnelTo(origin);
        tunnel.send(bytes);
        tunnel.finish();
        return await hear(tunnel);
      });
      for (const size of [300, 16 * MIB, 1000, 65_536, 300, 1_000_000, 65_536]) await setBufferSize(size);
      for (const heard of await Promise.all(transfers)) {
        expect(heard).toMatchObject({ end: "fin", count: bytes.length, sha256: sha256(bytes) });
      }
    });

    test("one stalled tunnel does not hold up another", async () => {
      using origin = manualOrigin();
      const { client, target } = await tunnelWithEnds(origin);
      target.pause();
      await sendUntilStuck(client, stream);
      using other = echoOrigin();
      const tunnel = await tunnelTo(other);
      tunnel.send("hello");
      expect(Buffer.from(await tunnel.read(5)).toString()).toBe("hello");
      tunnel.reset();
      client.reset();
    });
  });
});
