import type { RequestRecord } from "../../src/ports/proxy-events.ts";

/** A finished request, all of whose parts are there. */
export function requestRecord(change: Partial<RequestRecord> = {}): RequestRecord {
  return {
    startedWallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    endedWallMs: Date.UTC(2026, 0, 2, 3, 4, 7, 8),
    clientAddress: "2001:db8::1",
    clientPort: 40000,
    user: "alice",
    command: "connect",
    host: "example.org",
    port: 443,
    connectedAddress: "192.0.2.7",
    reply: 0,
    lookups: [{ source: "doh", detail: "A example.org: 192.0.2.7", ms: 7.65432 }],
    attempts: [
      { address: "2001:db8::7", startMs: 0, outcome: "ENETUNREACH", ms: 0.1 },
      { address: "192.0.2.7", startMs: 0.2, outcome: "connected", ms: 12.5 },
    ],
    bytesUp: 517,
    bytesDown: 5120,
    end: "finished",
    detail: undefined,
    ...change,
  };
}
