import { describe, expect, test } from "bun:test";
import { SharedState } from "./shared-state.ts";

const NO_LIMITS = { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 0 };

describe.skipIf(process.platform !== "linux")("SharedState", () => {
  test("what a worker counts, the supervisor sees at once, summed", () => {
    const supervisor = SharedState.create(2, 65_536);
    const [a, b] = [0, 1].map((worker) => SharedState.open(supervisor.fd, 2).share(worker));
    if (a === undefined || b === undefined) return expect.unreachable();
    a.totals.bytes += 5;
    b.totals.bytes += 7;
    b.counters.accepted++;
    expect([supervisor.sum("bytes"), supervisor.sum("accepted")]).toEqual([12, 1]);
  });

  test("one buffer size for all", () => {
    const supervisor = SharedState.create(2, 65_536);
    const share = SharedState.open(supervisor.fd, 2).share(1);
    expect(share.settings.bufferSize).toBe(65_536);
    supervisor.bufferSize = 300;
    expect(share.settings.bufferSize).toBe(300);
  });

  test("a dead worker's counts stay, its connections and clients do not", () => {
    const supervisor = SharedState.create(2, 65_536);
    const dead = SharedState.open(supervisor.fd, 2).share(0);
    const alive = SharedState.open(supervisor.fd, 2).share(1);
    const limits = { ...NO_LIMITS, connectionsPerAddress: 1 };
    dead.counters.accepted++;
    dead.totals.bytes += 9;
    expect(typeof dead.clients.enter("192.0.2.1", limits)).toBe("object");
    expect(alive.clients.enter("192.0.2.1", limits)).toBe("connections_per_address");
    expect(supervisor.sum("connections")).toBe(1);
    supervisor.retireWorker(0);
    expect([supervisor.sum("bytes"), supervisor.sum("accepted"), supervisor.sum("connections")]).toEqual([9, 1, 0]);
    expect(typeof alive.clients.enter("192.0.2.1", limits)).toBe("object");
  });
});
