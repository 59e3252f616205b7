/** The line of any record, beside the plainest way to make it. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { accessLogLine } from "../../test/support/access-log-line.ts";
import type { DropReason, RequestRecord } from "../ports/proxy-events.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import { escapeControls } from "./escape-controls.ts";

function plainLine(record: RequestRecord): string {
  const endpoint = (host: string, port: number) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  const { host, port, connectedAddress, lookups = [], udp } = record;
  const connectedPort = record.connectedPort ?? port;
  const line = {
    start: new Date(record.startedWallMs).toISOString(),
    end: new Date(record.endedWallMs).toISOString(),
    client: endpoint(record.clientAddress, record.clientPort),
    user: record.user,
    command: record.command,
    destination: host !== undefined && port !== undefined ? endpoint(host, port) : undefined,
    connected:
      connectedAddress !== undefined && connectedPort !== undefined
        ? endpoint(connectedAddress, connectedPort)
        : undefined,
    reply: record.reply,
    lookups:
      lookups.length > 0
        ? lookups.map(({ source, detail, ms }) => ({ source, detail, ms: Math.round(ms * 1000) / 1000 }))
        : undefined,
    attempts: record.attempts.map(({ address, startMs, outcome, ms }) => ({ address, start_ms: startMs, outcome, ms })),
    bytes_up: record.bytesUp,
    bytes_down: record.bytesDown,
    udp: udp && {
      datagrams_up: udp.datagramsUp,
      datagrams_down: udp.datagramsDown,
      targets: udp.targets,
      dropped: udp.dropped,
    },
    ended: record.end,
    detail: record.detail,
  };
  return escapeControls(JSON.stringify(line));
}

/** Any sequence of UTF-16 units, among them halves of pairs; more often what needs care in JSON or on a terminal. */
const unit = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7e }),
  fc.constantFrom(...'"\\/:\n\r\t\b\u0000\u001b\u007f\u0085\u009b\u2028\u2029\ufeff\ud834\udd1e'),
  fc.integer({ min: 0, max: 0xffff }),
);
const text = fc
  .array(unit, { maxLength: 20 })
  .map((units) => units.map((one) => (typeof one === "number" ? String.fromCharCode(one) : one)).join(""));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const port = fc.integer({ min: 0, max: 65_535 });
const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(-0, 2 ** 53, 1e21, 1.5e300));
const ms = fc.oneof(
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  fc.nat().map((us) => us / 1000),
);
const wallMs = fc.oneof(
  fc.integer({ min: 0, max: 3000 }).map((offset) => Date.UTC(2026, 0, 1) + offset),
  fc.integer({ min: -8.64e15, max: 8.64e15 }),
);
const sources: readonly ResolutionStep["source"][] = [
  "literal",
  "localhost",
  "hosts",
  "cache",
  "stale",
  "doh",
  "system",
];
const reasons: readonly DropReason[] = [
  "stranger",
  "malformed",
  "fragment",
  "denied",
  "uninvited",
  "unresolved",
  "unsent",
];

const anyRecord: fc.Arbitrary<RequestRecord> = fc.record(
  {
    startedWallMs: wallMs,
    endedWallMs: wallMs,
    clientAddress: text,
    clientPort: port,
    user: optional(text),
    command: optional(fc.constantFrom("connect", "bind", "udp_associate")),
    host: optional(text),
    port: optional(port),
    connectedAddress: optional(text),
    connectedPort: optional(port),
    reply: optional(fc.integer({ min: 0, max: 255 })),
    lookups: fc.array(fc.record({ source: fc.constantFrom(...sources), detail: text, ms }), { maxLength: 4 }),
    attempts: fc.array(fc.record({ address: text, startMs: ms, outcome: text, ms }), { maxLength: 4 }),
    bytesUp: count,
    bytesDown: count,
    udp: optional(
      fc.record({
        datagramsUp: count,
        datagramsDown: count,
        bytesUp: count,
        bytesDown: count,
        targets: count,
        dropped: fc.dictionary(fc.constantFrom(...reasons), count),
      }),
    ),
    end: text,
    detail: optional(text),
  },
  {
    requiredKeys: [
      ...(["startedWallMs", "endedWallMs", "clientAddress", "clientPort", "user", "command", "host", "port"] as const),
      ...(["connectedAddress", "reply", "attempts", "bytesUp", "bytesDown", "end", "detail"] as const),
    ],
  },
);

test("is JSON.stringify's, with the control characters escaped", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const line = accessLogLine(record);
      expect(line).toBe(plainLine(record));
      expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    }),
    { numRuns: 500 },
  );
});
