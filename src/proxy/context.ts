/** What all connections of a proxy share. What an administrator or a reload may change is replaced here in one go. */

import type { Clock } from "../ports/clock.ts";
import type { Dialer, DialOptions } from "../ports/dialer.ts";
import type { ProxyEvents } from "../ports/proxy-events.ts";
import type { Resolver } from "../ports/resolver.ts";
import type { ServerSessionOptions } from "../protocol/socks5/server-session.ts";
import type { RelaySettings, RelayTotals } from "../relay/tunnel.ts";
import type { TimerWheel } from "../time/timer-wheel.ts";
import type { AccessRules } from "./access-rules.ts";
import type { ClientLimits, Clients } from "./client-table.ts";
import type { UserDirectory } from "./user-directory.ts";

/** Time limits in milliseconds; 0 is none. */
export interface ProxyTimeouts {
  /** Looking up and connecting, over all addresses of a name. */
  readonly connectMs: number;
  /** A tunnel on which no byte moves. */
  readonly idleMs: number;
  /** A tunnel one side of which has ended and on which no byte moves. */
  readonly halfClosedMs: number;
  /** Silence after which the kernel is told to ask whether the peers of a tunnel are still there. */
  readonly keepAliveMs: number;
}

/** Since the start. */
export interface ProxyCounters {
  /** Clients accepted, whatever became of them. */
  accepted: number;
  /** Clients turned away at a limit. */
  limitReached: number;
  /** Conversations that broke RFC 1928 or RFC 1929. */
  faults: number;
  handshakeTimeouts: number;
  authenticationFailures: number;
  requestsConnected: number;
  requestsRefused: number;
  /** Tunnels ended because no byte moved. */
  idleTimeouts: number;
}

export interface ProxyContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly events: ProxyEvents;
  readonly clients: Clients;
  readonly users: UserDirectory;
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  readonly counters: ProxyCounters;
  resolver: Resolver;
  rules: AccessRules;
  timeouts: ProxyTimeouts;
  limits: ClientLimits;
  session: ServerSessionOptions;
  outgoing: DialOptions;
}
