/**
 * A program that writes more to its two logs than any pipe holds, and then shows that it is alive: it hashes a password,
 * which takes the engine's thread pool, and leaves what it found in the file named by its argument. It ends on SIGTERM.
 */

import { writeFileSync } from "node:fs";
import { systemClock } from "../../src/net/system-clock.ts";
import { openAccessLog } from "../../src/observe/access-log.ts";
import { openStderrLog } from "../../src/observe/log.ts";

const LINES = 20_000;

const log = openStderrLog({ level: "info", format: "auto" }, systemClock);
const accessLog = openAccessLog({ path: "-", queueBytes: 65_536 }, log, systemClock);
process.on("SIGTERM", async () => {
  await Promise.all([accessLog.close(200), log.close(200)]);
  process.exit(0);
});

const line = "x".repeat(200);
for (let i = 0; i < LINES; i++) {
  log.info(line, { i });
  accessLog.write(line);
}
const hash = await Bun.password.hash("alive", { algorithm: "argon2id", memoryCost: 1024, timeCost: 1 });
writeFileSync(process.argv[2] ?? "", JSON.stringify({ hashed: hash.startsWith("$argon2id"), lost: accessLog.lost() }));
setInterval(() => undefined, 60_000);
