import { expect, test } from "bun:test";
import { accessLogLine } from "../../test/support/access-log-line.ts";
import { requestRecord } from "../../test/support/request-record.ts";

const RECORD = requestRecord();

test("a line says who reached what, when, how, and why it ended", () => {
  const line = accessLogLine(RECORD);
  expect(JSON.parse(line)).toEqual({
    start: "2026-01-02T03:04:05.006Z",
    end: "2026-01-02T03:04:07.008Z",
    client: "[2001:db8::1]:40000",
    user: "alice",
    command: "connect",
    destination: "example.org:443",
    connected: "192.0.2.7:443",
    reply: 0,
    lookups: [{ source: "doh", detail: "A example.org: 192.0.2.7", ms: 7.654 }],
    attempts: [
      { address: "2001:db8::7", start_ms: 0, outcome: "ENETUNREACH", ms: 0.1 },
      { address: "192.0.2.7", start_ms: 0.2, outcome: "connected", ms: 12.5 },
    ],
    bytes_up: 517,
    bytes_down: 5120,
    ended: "finished",
  });
});

test("a name with control characters can neither forge a line nor steer a terminal", () => {
  const host = 'a\n{"client"}\u2028\u001b[2J\u009b2J\u007f';
  const line = accessLogLine({ ...RECORD, host });
  expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(line).destination).toBe(`${host}:443`);
});

test("a request that could not be read has neither command nor destination", () => {
  const unread = { command: undefined, host: undefined, port: undefined, connectedAddress: undefined };
  const line = JSON.parse(accessLogLine({ ...RECORD, ...unread, reply: 8, end: "refused" }));
  expect([line.command, line.destination, line.connected, line.reply]).toEqual([undefined, undefined, undefined, 8]);
});

test("an association has its datagrams, a BIND its peer's port", () => {
  const dropped = { fragment: 2, stranger: 1 };
  const udp = { datagramsUp: 3, datagramsDown: 4, bytesUp: 517, bytesDown: 5120, targets: 2, dropped };
  expect(JSON.parse(accessLogLine({ ...RECORD, command: "udp_associate", udp })).udp).toEqual({
    datagrams_up: 3,
    datagrams_down: 4,
    targets: 2,
    dropped,
  });
  const bind = accessLogLine({ ...RECORD, command: "bind", port: 21, connectedPort: 2020 });
  expect(JSON.parse(bind)).toMatchObject({ destination: "example.org:21", connected: "192.0.2.7:2020" });
});
