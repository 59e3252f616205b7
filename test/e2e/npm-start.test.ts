/** `npm start`, the first command of whoever tries Sockeye, and of many a container. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { LineLog } from "../support/line-log.ts";
import { scratchDir } from "../support/scratch-dir.ts";

const root = dirname(dirname(import.meta.dir));

test("npm start serves; a SIGTERM to npm stops the proxy itself, which leaves with 0", async () => {
  using dir = scratchDir();
  const ports = ["--port", "0", "--admin-port", "0", "--admin-udp-port", "0"];
  const npm = Bun.spawn(["npm", "start", "--", ...ports], {
    cwd: root,
    env: { ...process.env, SOCKEYE_STATE_DIR: dir.file("state") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stderr = new LineLog("stderr of npm start");
  const output = stderr.collect(npm.stderr);
  await stderr.waitFor((line) => line.includes("ready: socks"));
  npm.kill("SIGTERM");
  // stderr is the proxy's as well as npm's: its end is the end of both.
  await output;
  expect(stderr.lines.findLast((line) => line.includes('"message"'))).toContain('"stopped"');
  expect(await npm.exited).toBe(0);
  expect(existsSync(dir.file("state"))).toBe(true);
});
