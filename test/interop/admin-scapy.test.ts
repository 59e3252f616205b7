/** Our SCTP in UDP, packet by packet, judged by scapy's decoder and checksum. `scapy/packet_peer.py` does it. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { startAdminService } from "../support/admin-service.ts";
import { until } from "../support/deadline.ts";

/** What `packet_peer.py` checks. Fewer mean that it did not come to its end. */
const CHECKS = 15;
const LIMIT_MS = 60_000;

test(
  "SCTP packets that scapy makes and reads",
  async () => {
    using service = await startAdminService();
    const script = join(import.meta.dir, "scapy", "packet_peer.py");
    const peer = Bun.spawn(["/usr/bin/python3", script, `${service.port}`, `${service.udpPort}`], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const lines = (await new Response(peer.stdout).text()).split("\n");
    expect(lines.filter((line) => line.startsWith("not ok "))).toEqual([]);
    expect(lines).toContain("done");
    expect(lines.filter((line) => line.startsWith("ok "))).toHaveLength(CHECKS);
    expect(await peer.exited).toBe(0);
    await until(() => service.server.connectionCount === 0, 20_000, "the last association to end");
  },
  LIMIT_MS,
);
