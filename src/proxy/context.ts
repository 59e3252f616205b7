/** What all connections of a proxy share. What an administrator or a reload may change is replaced here in one go. */

import type { Clock } from "../ports/clock.ts";
import type { DatagramSockets } from "../ports/datagram-socket.ts";
import type { Dialer } from "../ports/dialer.ts";
import type { PeerListeners } from "../ports/peer-listener.ts";
import type { ProxyEvents } from "../ports/proxy-events.ts";
import type { Resolver } from "../ports/resolver.ts";
import type { Routes } from "../ports/routes.ts";
import type { GentleReset } from "../ports/socket.ts";
import type { ServerSessionOptions } from "../protocol/socks5/server-session.ts";
import type { RelaySettings, RelayTotals } from "../relay/side.ts";
import type { BulkOptions } from "../relay/tunnel.ts";
import type { TimerWheel } from "../time/timer-wheel.ts";
import type { AccessRules } from "./access-rules.ts";
import type { ClientLimits, Clients } from "./client-table.ts";
import type { Outgoing } from "./outgoing.ts";
import type { PortChoice } from "./port-choice.ts";
import type { Places, QuotaLimits } from "./quota.ts";
import type { Tidier } from "./tidier.ts";
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

/** Who may use a command: everybody who may use the proxy, those who have proved who they are, or nobody. */
export type CommandAccess = "all" | "users" | "none";

/** Ports to listen on; 1 to 65535, both ends belong to it. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface UdpSettings {
  readonly access: CommandAccess;
  /** For the sockets that clients send to; any free port when absent. */
  readonly ports: PortRange | undefined;
  /** Who may answer: anybody (STUN and peer-to-peer need it), or hosts that the client has sent to. */
  readonly answersFrom: "all" | "contacted";
  /** An association without a datagram, in milliseconds; 0 is no limit. */
  readonly idleMs: number;
  readonly limits: QuotaLimits;
  /** Destinations that one association remembers. */
  readonly targets: number;
  /** What one association keeps while names are looked up, in bytes. */
  readonly queueBytes: number;
  /** Names that are looked up at once for one association. */
  readonly lookups: number;
  /** Of each socket, in bytes. */
  readonly receiveBufferSize: number;
}

export interface UdpContext {
  readonly sockets: DatagramSockets;
  readonly routes: Routes;
  readonly quota: Places;
  readonly ports: PortChoice;
  settings: UdpSettings;
}

export interface BindSettings {
  readonly access: CommandAccess;
  /** To listen on; any free port when absent. */
  readonly ports: PortRange | undefined;
  /** How long the expected host may take, in milliseconds; 0 is no limit. */
  readonly waitMs: number;
  readonly limits: QuotaLimits;
}

export interface BindContext {
  readonly listeners: PeerListeners;
  readonly routes: Routes;
  readonly quota: Places;
  readonly ports: PortChoice;
  settings: BindSettings;
}

export interface ProxyContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly reset: GentleReset;
  readonly events: ProxyEvents;
  readonly clients: Clients;
  readonly users: UserDirectory;
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  readonly counters: ProxyCounters;
  readonly udp: UdpContext;
  readonly bind: BindContext;
  resolver: Resolver;
  rules: AccessRules;
  timeouts: ProxyTimeouts;
  limits: ClientLimits;
  session: ServerSessionOptions;
  outgoing: Outgoing;
  /** Brings addresses into the order in which they are to be tried (RFC 6724). */
  readonly sort: (addresses: readonly string[]) => readonly string[];
  /** How tunnels that move much leave the program; `undefined`: they do not. */
  bulk: BulkOptions | undefined;
  /** Absent where the memory of the process is somebody else's business. */
  readonly tidier: Tidier | undefined;
}
