/**
 * What a line of the access log costs: CPU of the whole process (thread pool included) for each line, at the rate and in
 * the bursts of a proxy that finishes 10,000 requests a second: to make it of its record, and to write it to a file and to a
 * pipe that is read.
 *
 *     node_modules/.bin/bun run bench/micro/access-log.ts
 */

import { systemClock } from "../../src/net/system-clock.ts";
import { openAccessLog } from "../../src/observe/access-log.ts";
import { appendAccessLogLine } from "../../src/observe/access-log-line.ts";
import { JsonBytes } from "../../src/observe/json-bytes.ts";
import { createLog } from "../../src/observe/log.ts";
import type { RequestRecord } from "../../src/ports/proxy-events.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import { summarise } from "../statistics.ts";

const LINES_A_TURN = 10;
const TURNS = 1000;
const TURN_MS = 1;
const ROUNDS = 5;

let made = 0;

/** The record of the next request: a CONNECT by address, as the proxy tells of it. */
function nextRecord(): RequestRecord {
  const i = made++;
  const nowMs = systemClock.wallMs();
  return {
    startedWallMs: nowMs - 3,
    endedWallMs: nowMs,
    clientAddress: "192.0.2.1",
    clientPort: 32_768 + ((i * 7) % 28_000),
    user: "alice",
    command: "connect",
    host: `198.51.100.${i % 200}`,
    port: 443,
    connectedAddress: `198.51.100.${i % 200}`,
    connectedPort: undefined,
    reply: 0,
    lookups: [],
    attempts: [
      {
        address: `198.51.100.${i % 200}`,
        startMs: (i % 90) / 1000,
        outcome: "connected",
        ms: ((i * 7919) % 900) / 1000,
      },
    ],
    bytesUp: 517 + (i % 1000),
    bytesDown: 5120 + (i % 10_000),
    udp: undefined,
    end: "finished",
    detail: undefined,
  };
}

const log = createLog(
  { level: "info", format: "text" },
  { isTerminal: false, write: (line) => process.stderr.write(`${line}\n`), wallMs: () => systemClock.wallMs() },
);

/** CPU microseconds for each turn of the loop, with `onRecord` called for each record of it. */
async function measure(onRecord: (record: RequestRecord) => void): Promise<number> {
  const before = process.cpuUsage();
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < LINES_A_TURN; i++) onRecord(nextRecord());
    await Bun.sleep(TURN_MS);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TURNS;
}

const line = new JsonBytes();
appendAccessLogLine(nextRecord(), line);
const LINE = Buffer.from(line.bytes.subarray(0, line.length));

async function written(path: string): Promise<number> {
  const accessLog = openAccessLog({ path, queueBytes: 16 * 1024 * 1024 }, log, systemClock);
  const us = await measure(() => accessLog.writeBytes(LINE, LINE.length));
  await accessLog.close(5000);
  if (accessLog.lost() > 0) throw new Error(`${accessLog.lost()} lines are lost`);
  return us;
}

using dir = scratchDir();
Bun.spawnSync(["mkfifo", dir.file("pipe")]);
const script = 'exec 3<>"$1"; echo open; exec cat <&3 >/dev/null';
const reader = Bun.spawn(["sh", "-c", script, "sh", dir.file("pipe")], { stdout: "pipe" });
await reader.stdout.getReader().read();

let bytesMade = 0;
const ways = {
  nothing: () => measure(() => undefined),
  made: () =>
    measure((record) => {
      line.cut(0);
      appendAccessLogLine(record, line);
      bytesMade += line.length;
    }),
  "written to a file": () => written(dir.file("log")),
  "written to a pipe": () => written(dir.file("pipe")),
} as const;

// The first round warms up. Each way has its turn in each round, so that a busy machine is busy for all of them.
const samples = Object.entries(ways).map(([name, run]) => ({ name, run, us: [] as number[] }));
for (let round = 0; round <= ROUNDS; round++) {
  for (const { run, us } of samples) {
    const sample = await run();
    if (round > 0) us.push(sample);
  }
}
reader.kill();
if (bytesMade === 0) throw new Error("no line was made");
const [idle = Number.NaN, ...costs] = samples.map(({ us }) => summarise(us)?.median ?? Number.NaN);
console.log(`${LINE.length + 1} bytes a line`);
for (const [index, us] of costs.entries()) {
  console.log(`${samples[index + 1]?.name}: ${((us - idle) / LINES_A_TURN).toFixed(2)} µs a line`);
}
