import { expect, spyOn, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { requestRecord } from "../../test/support/request-record.ts";
import { PendingRecords, RECORD_WAIT_MS, RECORDS_MAX } from "./pending-records.ts";

function setUp() {
  const clock = new ManualClock();
  const ports: number[] = [];
  const pending = new PendingRecords(clock, ({ clientPort }) => void ports.push(clientPort));
  const push = (clientPort: number): void => pending.push(requestRecord({ clientPort }));
  return { clock, ports, pending, push };
}

test("what comes together is written together, in its order, after a moment", () => {
  const { clock, ports, push } = setUp();
  for (const port of [1, 2, 3]) push(port);
  clock.advance(RECORD_WAIT_MS - 1);
  expect(ports).toEqual([]);
  clock.advance(1);
  expect(ports).toEqual([1, 2, 3]);
  push(4);
  clock.advance(RECORD_WAIT_MS);
  expect(ports).toEqual([1, 2, 3, 4]);
  expect(clock.pendingCount).toBe(0);
});

test("no more wait than the limit", () => {
  const { clock, ports, push } = setUp();
  for (let port = 1; port <= RECORDS_MAX; port++) push(port);
  expect(ports).toHaveLength(RECORDS_MAX);
  push(0);
  expect(ports).toHaveLength(RECORDS_MAX);
  clock.advance(RECORD_WAIT_MS);
  expect(ports).toHaveLength(RECORDS_MAX + 1);
});

test("flushed, they are written at once, and only once", () => {
  const { clock, ports, pending, push } = setUp();
  push(1);
  pending.flush();
  expect(ports).toEqual([1]);
  clock.advance(RECORD_WAIT_MS);
  expect(ports).toEqual([1]);
  expect(clock.pendingCount).toBe(0);
});

test("a record of which no line can be made is told of once, and the others have theirs", () => {
  const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
  try {
    const ports: number[] = [];
    const bug = new Error("a bug");
    const pending = new PendingRecords(new ManualClock(), ({ clientPort }) => {
      if (clientPort === 2) throw bug;
      ports.push(clientPort);
    });
    for (const clientPort of [1, 2, 3]) pending.push(requestRecord({ clientPort }));
    pending.flush();
    pending.flush();
    expect(ports).toEqual([1, 3]);
    expect(report.mock.calls).toEqual([[bug]]);
  } finally {
    report.mockRestore();
  }
});
