/** What happens at the admin protocol's door, as lines of the diagnostics. */

import type { AdminEvent, AdminEventSink, LoginRefusal } from "../ports/admin-events.ts";
import type { Log } from "../ports/log.ts";
import type { LimitedLog } from "./log-limiter.ts";

/**
 * Makes the sink of admin events.
 *
 * @param limited - For what anybody can cause: a flood of strangers must not become a flood of lines.
 */
export function adminObserver(log: Log, limited: LimitedLog): AdminEventSink {
  return (event) => {
    const { address: client, port } = event;
    switch (event.kind) {
      case "login-accepted":
        // The request that follows says the same and more.
        log.debug("admin: login accepted", { client, port });
        return;
      case "login-refused":
        limited.warn("admin login", `admin: login refused from ${client}: ${REFUSALS[event.why]}`, { client, port });
        return;
      case "request-done":
        log.info(`admin: ${event.summary}`, { client, port, answer: event.data });
        return;
      case "request-refused":
        limited.info("admin request", `admin: request refused: ${event.text}`, { client, port, code: event.code });
        return;
      case "failed":
        log.error(`admin: a ${event.stage} failed by a fault of ours: ${String(event.error)}`, { client, port });
        return;
      case "idle":
        limited.info("admin idle", `admin: no ${event.stage} in time from ${client}`, { client, port });
        return;
      case "limit-reached":
        limited.warn("admin limit", limitText(event), { client, port });
        return;
      default:
        event satisfies never;
    }
  };
}

const REFUSALS: Readonly<Record<LoginRefusal, string>> = {
  version: "another version of the protocol",
  "empty-field": "an empty name or password",
  credentials: "wrong name or password",
  "too-many-failures": "too many failures from that address (admin.failures_per_minute)",
};

function limitText({ limit, outcome }: AdminEvent & { kind: "limit-reached" }): string {
  const what = outcome === "refused" ? "an association was refused" : "the oldest association without a login gave way";
  return `admin: ${what}: admin.${limit} is reached`;
}
