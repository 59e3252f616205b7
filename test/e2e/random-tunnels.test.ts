/**
 * Random histories of tunnels over real sockets, several at once: whatever both ends do in whatever order, each gets all
 * that the other has sent, and hears how the other has ended.
 *
 * The seeds are always the same; `TUNNEL_SEEDS=2000` tries that many. Since real sockets take their own time, a seed repeats
 * what the ends do, and not what happens between.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { type ManualOrigin, manualOrigin } from "../support/manual-origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { type End, openTunnel, TestConnection } from "../support/socks-client.ts";

const SEEDS = Number(process.env["TUNNEL_SEEDS"] ?? 120);
const AT_ONCE = 8;
const SIZES = [1, 10, 1000, 50_000, 400_000];

/** One end of a tunnel, and what it has done. */
interface TunnelEnd {
  readonly connection: TestConnection;
  /** Which end it is: its bytes differ from the other's. */
  readonly index: number;
  readonly received: Uint8Array[];
  readonly ended: Promise<End>;
  sent: number;
  hasFinished: boolean;
}

function endOf(connection: TestConnection, index: number): TunnelEnd {
  const received: Uint8Array[] = [];
  const ended = connection.readToEnd((bytes) => received.push(bytes), 20_000);
  return { connection, index, received, ended, sent: 0, hasFinished: false };
}

/** Bytes `from` to `from + count` of what an end sends: any loss, doubling or swap shows. */
function bytesOf(index: number, from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = ((from + i) * 31 + ((from + i) >> 8) * 17 + index * 101) & 0xff;
  return bytes;
}

describe.each(["off", "always", "auto"])("splice %s:", (splice) => {
  let proxy: ProxyProcess;
  let socketsAtRest: number;

  beforeAll(async () => {
    using dir = scratchDir();
    writeFileSync(
      dir.file("sockeye.toml"),
      `[relay]\nsplice = "${splice}"\nbuffer_size = 5000\n[timeouts]\ndrain = "200ms"\n`,
    );
    proxy = await startProxy(["--config", dir.file("sockeye.toml")]);
    socketsAtRest = socketCount(proxy.pid);
  });

  afterAll(async () => {
    expect(await proxy.stop()).toBe(0);
    expect(proxy.stderr.text()).not.toContain("bug");
    expect(proxy.accessLog().length).toBe(SEEDS);
  });

  /** A round trip through the proxy on another connection: what it had to notice before, it has noticed. */
  async function turnOfTheProxy(): Promise<void> {
    const other = await TestConnection.open(proxy.port);
    other.send(Uint8Array.of(5, 1, 0));
    await other.read(2);
    other.reset();
  }

  /** One thing that one end does. Returns how the history shows it. */
  async function step(end: TunnelEnd, random: SeededRandom): Promise<string> {
    const { connection } = end;
    const kind = random.below(20);
    if (kind < 9 && !end.hasFinished) {
      const size = SIZES[random.below(SIZES.length)] ?? 1;
      connection.send(bytesOf(end.index, end.sent, size));
      end.sent += size;
      return `${end.index} sends ${size}`;
    }
    if (kind < 12) {
      connection.pause();
      return `${end.index} pauses`;
    }
    if (kind < 15) {
      connection.resume();
      return `${end.index} resumes`;
    }
    if (kind < 16 && !end.hasFinished) {
      finish(end);
      return `${end.index} finishes`;
    }
    await turnOfTheProxy();
    return "a turn";
  }

  function finish(end: TunnelEnd): void {
    if (end.hasFinished) return;
    end.hasFinished = true;
    end.connection.finish();
  }

  /** Has one end reset once the proxy has taken all of its bytes; the other may be reading or not. */
  async function reset(end: TunnelEnd, other: TunnelEnd, random: SeededRandom): Promise<void> {
    for (const { connection } of [end, other]) connection.resume();
    const isTaken = (): boolean => end.connection.isEmpty && end.connection.unacknowledged() === 0;
    await until(isTaken, 15_000, "the proxy to take everything");
    if (random.chance(0.5)) other.connection.pause();
    end.connection.reset();
    if (random.chance(0.7)) await turnOfTheProxy();
  }

  async function play(seed: number): Promise<void> {
    const random = new SeededRandom(seed);
    using origin: ManualOrigin = manualOrigin();
    const client = endOf(await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port }), 0);
    const target = endOf(await origin.accept(), 1);
    const history: string[] = [];
    for (let left = random.below(25); left > 0; left--) {
      history.push(await step(random.chance(0.5) ? client : target, random));
    }
    const [first, second] = random.chance(0.5) ? [client, target] : [target, client];
    const isReset = random.chance(0.4) && !client.hasFinished && !target.hasFinished;
    if (isReset) await reset(first, second, random);
    for (const end of [client, target]) end.connection.resume();
    // Whoever has been reset has nothing to say any more; otherwise both come to their end.
    const listeners = isReset ? [second] : [client, target];
    if (!isReset) for (const end of [client, target]) finish(end);
    for (const listener of listeners) {
      const speaker = listener === client ? target : client;
      const ended = await listener.ended;
      const isWhole = Buffer.concat(listener.received).equals(bytesOf(speaker.index, 0, speaker.sent));
      const story = `seed ${seed}: ${history.join(", ")}${isReset ? `, ${speaker.index} resets` : ""}`;
      expect({ story, ended, isWhole }).toEqual({ story, ended: isReset ? "reset" : "fin", isWhole: true });
    }
  }

  test(`${SEEDS} histories`, async () => {
    let next = 0;
    const player = async (): Promise<void> => {
      while (next < SEEDS) await play(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, player));
    await until(() => socketCount(proxy.pid) === socketsAtRest, 10_000, "the proxy to close its sockets");
  }, 60_000);
});
