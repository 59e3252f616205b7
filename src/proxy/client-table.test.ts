import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type AddressEntry, type ClientLimits, ClientTable } from "./client-table.ts";

const LIMITS: ClientLimits = { connections: 5, connectionsPerAddress: 3, handshakesPerAddress: 2 };
const NONE: ClientLimits = { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 0 };

describe("ClientTable", () => {
  test("names the limit that keeps a client out, the one for all first", () => {
    const table = new ClientTable();
    const entry = table.enter("a", LIMITS) as AddressEntry;
    table.enter("a", LIMITS);
    expect(table.enter("a", LIMITS)).toBe("handshakes_per_address");
    table.handshakeEnded(entry);
    table.enter("a", LIMITS);
    table.handshakeEnded(entry);
    expect(table.enter("a", LIMITS)).toBe("connections_per_address");
    table.enter("b", LIMITS);
    table.enter("c", LIMITS);
    expect(table.enter("d", LIMITS)).toBe("connections");
    expect(table.connections).toBe(5);
  });

  test("0 is no limit", () => {
    const table = new ClientTable();
    for (let i = 0; i < 1000; i++) expect(table.enter("a", NONE)).toMatchObject({ connections: i + 1 });
  });

  test("a lowered limit holds for new clients, and counts the old ones", () => {
    const table = new ClientTable();
    const entry = table.enter("a", NONE) as AddressEntry;
    table.enter("a", NONE);
    table.handshakeEnded(entry);
    table.handshakeEnded(entry);
    expect(table.enter("a", { ...NONE, connectionsPerAddress: 1 })).toBe("connections_per_address");
  });

  test("counts come and go together, and an address without clients is forgotten", () => {
    const visit = fc.record({ address: fc.constantFrom("a", "b", "c"), asks: fc.boolean(), leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(visit), (visits) => {
        const table = new ClientTable();
        const inside: AddressEntry[] = [];
        for (const { address, asks, leaves } of visits) {
          const entry = table.enter(address, LIMITS);
          if (typeof entry === "string") continue;
          if (asks || leaves) table.handshakeEnded(entry);
          if (leaves) table.leave(entry);
          else inside.push(entry);
          expect(table.connections).toBe(inside.length);
          expect(entry.connections).toBe(inside.filter((other) => other.address === address).length);
          expect(entry.handshakes).toBeGreaterThanOrEqual(0);
        }
        for (const entry of inside) table.leave(entry);
        expect(table.connections).toBe(0);
        // A new entry starts from nothing.
        expect(table.enter("a", LIMITS)).toMatchObject({ connections: 1, handshakes: 1 });
      }),
    );
  });
});
