/**
 * The admin protocol with the SCTP of the Linux kernel, in user-mode Linux, since the kernel of most machines and containers
 * has none: our kernel backend to a plain kernel client, our own SCTP to a kernel client that wraps it in UDP, and our
 * clients to a kernel server. `uml/kernel_peer.py` does it, inside.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
/** Boot, some forty conversations, and a start of the program for each run of `ctl`. */
const LIMIT_MS = 180_000;
/** What `kernel_peer.py` checks. Fewer mean that it did not come to its end. */
const CHECKS = 24;

test(
  "kernel SCTP, as client and as server, directly and in UDP",
  async () => {
    const script = join(import.meta.dir, "uml", "kernel_peer.py");
    const command = ["/usr/bin/python3", script, process.execPath, root];
    const guest = Bun.spawn(["sh", join(import.meta.dir, "uml", "boot.sh"), ...command], {
      env: { ...process.env, UML_SECONDS_MAX: `${LIMIT_MS / 1000 - 10}` },
      stdout: "pipe",
      stderr: "inherit",
    });
    const output = await new Response(guest.stdout).text();
    const lines = output.split(/\r?\n/);
    expect(lines.filter((line) => line.startsWith("not ok "))).toEqual([]);
    expect(lines).toContain("done");
    expect(lines.filter((line) => line.startsWith("ok "))).toHaveLength(CHECKS);
    expect(await guest.exited).toBe(0);
  },
  LIMIT_MS,
);
