/**
 * Random clients, many at once: right and wrong, split and coalesced, patient and dying in the middle. Whatever they do,
 * each comes to its end, nothing is left of them, and nothing throws. The seeds are always the same;
 * `CLIENT_SEEDS=5000` tries that many.
 */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { socketCount } from "../support/descriptors.ts";
import { freePort } from "../support/free-port.ts";
import { fullListener } from "../support/full-listener.ts";
import { echoOrigin, resettingOrigin, sourceOrigin } from "../support/origin.ts";
import { startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { TestConnection } from "../support/socks-client.ts";

const SEEDS = Number(process.env["CLIENT_SEEDS"] ?? 400);
const AT_ONCE = 24;
/** Every limit so short that clients reach it. */
const LIMITS = `[timeouts]
handshake = "300ms"
connect = "300ms"
reply_close = "200ms"
idle = "500ms"
half_closed = "400ms"
drain = "200ms"
[bind]
access = "all"
wait = "300ms"
[udp]
idle = "300ms"
`;

const text = (words: string): number[] => [...Buffer.from(words)];
const userpass = (name: string, password: string): number[] => [
  1,
  name.length,
  ...text(name),
  password.length,
  ...text(password),
];
const IPV6_LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/** Everything that one client says. */
function speechOf(random: SeededRandom, withUsers: boolean, ports: readonly number[]): Uint8Array {
  const oneOf = <Value>(values: readonly Value[]): Value => values[random.below(values.length)] as Value;
  const speech: number[] = [];
  speech.push(...oneOf([[5, 1, withUsers ? 2 : 0], [5, 2, 0, 2], [5, 3, 9, 0, 2], [5, 0], [random.below(256)]]));
  if (withUsers) {
    const credentials = [userpass("alice", "right"), userpass("alice", "wrong"), userpass("bob", "x"), [1, 0, 0], [5]];
    speech.push(...oneOf(credentials));
  }
  const cmd = random.chance(0.75) ? 1 : oneOf([2, 3, 9]);
  const port = oneOf(ports);
  const at = [port >> 8, port & 0xff];
  speech.push(
    ...oneOf([
      [5, cmd, 0, 1, 127, 0, 0, 1, ...at],
      [5, cmd, 0, 3, 9, ...text("localhost"), ...at],
      [5, cmd, 0, 3, 12, ...text("no such name"), ...at],
      [5, cmd, 0, 4, ...IPV6_LOOPBACK, ...at],
      [5, cmd, random.below(2), 7, 1],
    ]),
  );
  if (random.chance(0.5)) speech.push(...random.bytes(random.below(3000)));
  return Uint8Array.from(speech);
}

/** One client from its first byte to its end. */
async function play(random: SeededRandom, proxyPort: number, speech: Uint8Array): Promise<void> {
  const client = await TestConnection.open(proxyPort);
  const pieceMax = [speech.length, 6, 40][random.below(3)] ?? 1;
  for (let at = 0; at < speech.length; ) {
    const size = pieceMax === speech.length ? pieceMax : 1 + random.below(pieceMax);
    client.send(speech.slice(at, at + size));
    at += size;
    if (random.chance(0.03)) client.reset();
    if (random.chance(0.03)) break;
    if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
  }
  const manner = random.below(4);
  if (manner === 0) client.reset();
  else if (manner === 1) client.finish();
  // The others say nothing more: the proxy ends them when their time is over.
  await client.readToEnd(undefined, 10_000);
  client.close();
}

describe.each([false, true])("with users: %p", (withUsers) => {
  test(`${SEEDS} clients`, async () => {
    using dir = scratchDir();
    const hash = await Bun.password.hash("right", { algorithm: "argon2id", memoryCost: 1024, timeCost: 1 });
    const users = `[[users]]\nname = "alice"\npassword_hash = "${hash}"\n[[users]]\nname = "bob"\npassword = "x"\n`;
    writeFileSync(dir.file("sockeye.toml"), withUsers ? `${LIMITS}${users}` : LIMITS);
    await using proxy = await startProxy(["--config", dir.file("sockeye.toml")]);
    using echo = echoOrigin();
    using source = sourceOrigin(() => [new Uint8Array(100_000)]);
    using resetting = resettingOrigin();
    using full = fullListener();
    const ports = [echo.port, source.port, resetting.port, full.port, freePort(), 0];
    const atRest = socketCount(proxy.pid);
    let next = 0;
    const player = async (): Promise<void> => {
      while (next < SEEDS) {
        const seed = next++;
        const random = new SeededRandom(seed);
        try {
          await play(random, proxy.port, speechOf(random, withUsers, ports));
        } catch (fault) {
          throw new Error(`seed ${seed}: ${fault instanceof Error ? fault.message : fault}`, { cause: fault });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, player));
    await until(() => socketCount(proxy.pid) === atRest, 10_000, "the proxy to close its sockets");
    expect(await proxy.stop()).toBe(0);
    expect(proxy.stderr.text()).not.toContain("bug");
    const ends = new Set(proxy.accessLog().map((line) => line["ended"]));
    // Which ends there are is a matter of time on a busy machine; that they are many is not.
    expect(ends.size).toBeGreaterThanOrEqual(3);
  }, 120_000);
});
