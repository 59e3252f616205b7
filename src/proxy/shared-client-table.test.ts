import { describe, expect, test } from "bun:test";
import type { AddressEntry } from "./client-table.ts";
import { SharedClientTable } from "./shared-client-table.ts";
import { SharedCounts, sizeOfSharedCounts } from "./shared-counts.ts";

const NO_LIMITS = { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 0 };
const SLOTS = 8;

function workers(slots = SLOTS): SharedClientTable[] {
  const bytes = new Uint8Array(sizeOfSharedCounts(slots, 2));
  const own = [0, 0];
  return [0, 1].map((worker) => {
    const connections = {
      get total() {
        return (own[0] ?? 0) + (own[1] ?? 0);
      },
      get own() {
        return own[worker] ?? 0;
      },
      set own(value: number) {
        own[worker] = value;
      },
    };
    return new SharedClientTable(
      new SharedCounts(bytes, slots, 2, worker),
      connections,
      (address) => Bun.hash(address) as bigint,
    );
  });
}

function entered(entry: AddressEntry | string): AddressEntry {
  if (typeof entry === "string") throw new Error(`kept out: ${entry}`);
  return entry;
}

describe("SharedClientTable", () => {
  test("the limit of an address holds over both workers, and is free again when one leaves", () => {
    const [a, b] = workers() as [SharedClientTable, SharedClientTable];
    const limits = { ...NO_LIMITS, connectionsPerAddress: 2 };
    const first = entered(a.enter("192.0.2.1", limits));
    entered(b.enter("192.0.2.1", limits));
    expect(a.enter("192.0.2.1", limits)).toBe("connections_per_address");
    expect(b.enter("192.0.2.1", limits)).toBe("connections_per_address");
    entered(b.enter("192.0.2.2", limits));
    a.handshakeEnded(first);
    a.leave(first);
    entered(b.enter("192.0.2.1", limits));
    expect(a.enter("192.0.2.1", limits)).toBe("connections_per_address");
  });

  test("handshakes are counted over both, until they end", () => {
    const [a, b] = workers() as [SharedClientTable, SharedClientTable];
    const limits = { ...NO_LIMITS, handshakesPerAddress: 1 };
    const first = entered(a.enter("192.0.2.1", limits));
    expect(b.enter("192.0.2.1", limits)).toBe("handshakes_per_address");
    a.handshakeEnded(first);
    entered(b.enter("192.0.2.1", limits));
  });

  test("so are all connections together", () => {
    const [a, b] = workers() as [SharedClientTable, SharedClientTable];
    const limits = { ...NO_LIMITS, connections: 2 };
    entered(a.enter("192.0.2.1", limits));
    entered(b.enter("192.0.2.2", limits));
    expect(a.enter("192.0.2.3", limits)).toBe("connections");
  });

  test("with the shared table full, each worker still keeps the limit for itself", () => {
    const [a] = workers(1) as [SharedClientTable];
    const limits = { ...NO_LIMITS, connectionsPerAddress: 1 };
    entered(a.enter("192.0.2.1", limits));
    entered(a.enter("192.0.2.2", limits));
    expect(a.enter("192.0.2.2", limits)).toBe("connections_per_address");
  });

  test("who leaves leaves no trace: more addresses than slots may come one after the other", () => {
    const [a] = workers() as [SharedClientTable];
    const limits = { ...NO_LIMITS, connectionsPerAddress: 1 };
    for (let i = 0; i < SLOTS * 10; i++) {
      const entry = entered(a.enter(`192.0.2.${i}`, limits));
      a.handshakeEnded(entry);
      a.leave(entry);
    }
  });
});
