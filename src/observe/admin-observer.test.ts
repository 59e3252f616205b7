import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { SilentLog } from "../../test/support/silent-log.ts";
import type { AdminEvent } from "../ports/admin-events.ts";
import { adminObserver } from "./admin-observer.ts";
import { LimitedLog } from "./log-limiter.ts";

const peer = { address: "192.0.2.1", port: 40_000 };

function linesOf(...events: readonly AdminEvent[]): string[] {
  const log = new SilentLog();
  const observe = adminObserver(log, new LimitedLog(log, new ManualClock(), 5));
  for (const event of events) observe(event);
  return log.lines.map(({ level, message, fields }) => `${level} ${message} [${fields["client"]}]`);
}

describe("adminObserver", () => {
  test.each<[AdminEvent, string]>([
    [{ ...peer, kind: "login-accepted" }, "debug admin: login accepted"],
    [
      { ...peer, kind: "login-refused", why: "credentials" },
      "warn admin: login refused from 192.0.2.1: wrong name or password",
    ],
    [{ ...peer, kind: "request-done", summary: "buffer-size 4096", data: "4096" }, "info admin: buffer-size 4096"],
    [{ ...peer, kind: "request-refused", code: 255, text: "no method 9" }, "info admin: request refused: no method 9"],
    [
      { ...peer, kind: "failed", stage: "login", error: new Error("out of memory") },
      "error admin: a login failed by a fault of ours: Error: out of memory",
    ],
    [{ ...peer, kind: "idle", stage: "login" }, "info admin: no login in time from 192.0.2.1"],
    [
      { ...peer, kind: "limit-reached", limit: "associations", outcome: "refused" },
      "warn admin: an association was refused: admin.associations is reached",
    ],
  ])("%o", (event, line) => {
    expect(linesOf(event)).toEqual([`${line} [192.0.2.1]`]);
  });

  test("a flood of refused logins is a few lines", () => {
    const flood = Array.from({ length: 100 }, (): AdminEvent => ({ ...peer, kind: "login-refused", why: "version" }));
    expect(linesOf(...flood)).toHaveLength(5);
  });
});
