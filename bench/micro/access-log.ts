/**
 * What a line of the access log costs: CPU of the whole process (thread pool included) for each line, at the rate and in
 * the bursts of a proxy that finishes 10,000 requests a second, to a file and to a pipe that is read.
 *
 *     node_modules/.bin/bun run bench/micro/access-log.ts
 */

import { systemClock } from "../../src/net/system-clock.ts";
import { openAccessLog } from "../../src/observe/access-log.ts";
import { createLog } from "../../src/observe/log.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";

const LINES_A_TURN = 10;
const TURNS = 5000;
const TURN_MS = 1;
const LINE = JSON.stringify({ time: "2026-01-02T03:04:05.678Z", fill: "x".repeat(360) });

const log = createLog(
  { level: "info", format: "text" },
  { isTerminal: false, write: (line) => process.stderr.write(`${line}\n`), wallMs: () => systemClock.wallMs() },
);

/** CPU microseconds for each turn of the loop, with `perTurn` in it. */
async function measure(perTurn: () => void): Promise<number> {
  const before = process.cpuUsage();
  for (let turn = 0; turn < TURNS; turn++) {
    perTurn();
    await Bun.sleep(TURN_MS);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TURNS;
}

async function costOf(path: string): Promise<string> {
  const accessLog = openAccessLog({ path, queueBytes: 16 * 1024 * 1024 }, log, systemClock);
  const us = await measure(() => {
    for (let i = 0; i < LINES_A_TURN; i++) accessLog.write(LINE);
  });
  await accessLog.close(5000);
  return `${((us - idle) / LINES_A_TURN).toFixed(2)} µs a line, ${accessLog.lost()} lost`;
}

using dir = scratchDir();
await measure(() => undefined);
const idle = await measure(() => undefined);
process.stdout.write(`${LINE.length + 1} bytes a line, ${TURNS * LINES_A_TURN} lines\n`);
process.stdout.write(`file: ${await costOf(dir.file("log"))}\n`);
Bun.spawnSync(["mkfifo", dir.file("pipe")]);
const script = 'exec 3<>"$1"; echo open; exec cat <&3 >/dev/null';
const reader = Bun.spawn(["sh", "-c", script, "sh", dir.file("pipe")], { stdout: "pipe" });
await reader.stdout.getReader().read();
process.stdout.write(`pipe: ${await costOf(dir.file("pipe"))}\n`);
reader.kill();
