/** Listens to the proxy: the access log gets a line for each finished request, the diagnostics what an operator acts on. */

import type { LimitName, ProxyEvents, RequestRecord } from "../ports/proxy-events.ts";
import type { LimitedLog } from "./log-limiter.ts";
import type { PendingRecords } from "./pending-records.ts";

export class ProxyObserver implements ProxyEvents {
  readonly #finished: PendingRecords;
  /** For what a client can cause: a flood of clients must not become a flood of lines. */
  readonly #limited: LimitedLog;

  constructor(finished: PendingRecords, limited: LimitedLog) {
    this.#finished = finished;
    this.#limited = limited;
  }

  onRequestFinished(record: RequestRecord): void {
    this.#finished.push(record);
  }

  onLimitReached(limit: LimitName, clientAddress: string): void {
    this.#limited.warn(`limit:${limit}`, `a client was turned away: limits.${limit} is reached`, {
      client: clientAddress,
    });
  }

  onAuthenticationFailed(clientAddress: string, clientPort: number, user: string | undefined): void {
    this.#limited.warn("authentication", `authentication failed from ${clientAddress}`, {
      client: clientAddress,
      port: clientPort,
      ...(user === undefined ? {} : { user }),
    });
  }

  onFault(clientAddress: string, clientPort: number, fault: string): void {
    this.#limited.info("fault", `a client broke the protocol: ${fault}`, { client: clientAddress, port: clientPort });
  }

  onAcceptPaused(isPaused: boolean, connections: number): void {
    if (isPaused) {
      this.#limited.warn("accept", "no new clients for now: the descriptors are used up; raise the limit (ulimit -n)", {
        connections,
      });
    } else {
      this.#limited.info("accept", "new clients are accepted again", { connections });
    }
  }
}
