/**
 * What the program knows of its configuration, once it has been read, merged and judged: plain data, deeply frozen, with
 * every default filled in. The keys of the file are the same in snake_case; `schema.ts` describes them.
 */

import type { AddressRange } from "../ports/address-range.ts";

export interface Config {
  readonly socks: SocksConfig;
  /** BOUNDED by {@link USERS_MAX}. Names are unique. */
  readonly users: readonly UserConfig[];
  readonly relay: RelayConfig;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  readonly destinations: DestinationsConfig;
  readonly udp: UdpConfig;
  readonly bind: BindConfig;
  readonly dns: DnsConfig;
  readonly outgoing: OutgoingConfig;
  readonly accessLog: AccessLogConfig;
  readonly log: LogConfig;
  readonly admin: AdminConfig;
  readonly process: ProcessConfig;
}

/** The most processes that may share the port. */
export const WORKERS_MAX = 256;

export interface ProcessConfig {
  /** Processes that share the SOCKS ports, 1 to {@link WORKERS_MAX}; "auto": one for each core. */
  readonly workers: number | "auto";
}

/** The most users that a configuration may hold. */
export const USERS_MAX = 65_536;
/** The most addresses to listen on, for SOCKS and for the admin protocol each. */
export const LISTEN_MAX = 64;
/** The most servers for DNS over HTTP, and the most addresses of one. */
export const DOH_SERVERS_MAX = 16;
export const DOH_SERVER_ADDRESSES_MAX = 16;
/** The most entries of one list of address ranges. */
export const RANGES_MAX = 4096;

export interface SocksConfig {
  /** At least one. */
  readonly listen: readonly ListenConfig[];
  /** "users": RFC 1929 is demanded of everybody. "none": no authentication, and no users. */
  readonly auth: "none" | "users";
  /** The queue of connections that the kernel has finished and we have not accepted yet. */
  readonly backlog: number;
  /** Take requests whose RSV is not X'00'. */
  readonly ignoreReserved: boolean;
}

export interface ListenConfig {
  /** An IP address, without brackets. */
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The IP address by which clients reach us from outside, where it is not the one that we are bound to. */
  readonly advertise: string | undefined;
}

export interface UserConfig {
  /** 1 to 255 bytes as UTF-8, which is what a client must send. */
  readonly name: string;
  readonly secret: Secret;
  /** How this user's connections leave, where it is not as for everybody. */
  readonly outgoing?: OutgoingWayConfig | undefined;
}

export type Secret =
  /** 1 to 255 bytes as UTF-8. */
  | { readonly kind: "plain"; readonly password: string }
  /** An argon2id hash as a PHC string. */
  | { readonly kind: "hash"; readonly phc: string };

export interface RelayConfig {
  /** Bytes held for each direction of a tunnel while its receiver is slow. 300 to 16777216. */
  readonly bufferSize: number;
  readonly noDelay: boolean;
  /** Which tunnels the kernel moves by splice(2), where the system has it. */
  readonly splice: "auto" | "always" | "off";
  /** The most pipes at once that splicing may have. */
  readonly splicePipes: number;
  /** Whose TCP sockets serve clients: our own where the system has what they need, or Bun's. */
  readonly sockets: "auto" | "bun";
  /** Silence before TCP asks whether the peer still lives. 0: never. */
  readonly keepAliveMs: number;
}

/** All in milliseconds; 0 is off. */
export interface TimeoutsConfig {
  /** The whole handshake, from the accept to the complete request. */
  readonly handshakeMs: number;
  /** Looking up and connecting, over all addresses of a name. */
  readonly connectMs: number;
  /** A tunnel on which no byte moves in either direction. */
  readonly idleMs: number;
  /** A tunnel one side of which has ended, counted from the last byte that moved. */
  readonly halfClosedMs: number;
  /** How long a stop waits for open tunnels. */
  readonly drainMs: number;
  /** How long a client may take to close after a reply that said no. Never off; RFC 1928 section 6 grants 10 s. */
  readonly replyCloseMs: number;
}

export interface LimitsConfig {
  /** Clients connected at once. 0: as many as the descriptors allow. */
  readonly connections: number;
  /** Clients connected at once from one address. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Handshakes in progress at once from one address. 0: no limit. */
  readonly handshakesPerAddress: number;
  /** Password hashes computed at once. */
  readonly hashChecks: number;
  /** Password checks that wait for a turn. */
  readonly hashQueue: number;
}

export interface DestinationsConfig {
  readonly deny: readonly AddressRange[];
  /** Holds for clients that do not come from loopback. */
  readonly denyFromRemote: readonly AddressRange[];
  /** Exceptions from both lists above. */
  readonly allow: readonly AddressRange[];
}

/** Both ends belong to it; 1 to 65535. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** 0 is no limit. */
export interface CommandLimitsConfig {
  readonly total: number;
  readonly perAddress: number;
  readonly perUser: number;
}

/** Who may use a command: everybody who may use the proxy, those who have authenticated, nobody. */
export type CommandAccess = "all" | "users" | "none";

/** UDP ASSOCIATE. */
export interface UdpConfig {
  readonly access: CommandAccess;
  /** For the sockets that clients send to. `undefined`: any free port. */
  readonly ports: PortRange | undefined;
  /** Who may send to a client: everybody, or the hosts that it has sent to. */
  readonly answersFrom: "all" | "contacted";
  /** An association without a datagram. 0: no limit. */
  readonly idleMs: number;
  /** Of associations. */
  readonly limits: CommandLimitsConfig;
  /** Destinations, and hosts that answer, that one association remembers. */
  readonly targets: number;
  /** Bytes that one association keeps while names are looked up. */
  readonly queueBytes: number;
  /** Names that are looked up at once for one association. */
  readonly lookups: number;
  /** SO_RCVBUF of each socket. */
  readonly receiveBufferSize: number;
}

/** BIND. */
export interface BindConfig {
  readonly access: CommandAccess;
  /** To listen on. `undefined`: any free port. */
  readonly ports: PortRange | undefined;
  /** How long the expected host may take to connect. 0: no limit. */
  readonly waitMs: number;
  /** Of listening sockets. */
  readonly limits: CommandLimitsConfig;
}

export interface DnsConfig {
  /** In the order in which they are asked. Without any, the system resolves. BOUNDED by {@link DOH_SERVERS_MAX}. */
  readonly servers: readonly DnsServerConfig[];
  readonly method: "post" | "get";
  readonly fallback: "none" | "system";
  /** A path, or "off". */
  readonly hostsFile: string;
  readonly queryTimeoutMs: number;
  readonly timeoutMs: number;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  /** 0: never. */
  readonly serveStaleMs: number;
  readonly systemLookups: number;
  readonly systemQueue: number;
}

export interface DnsServerConfig {
  /** An http: or https: URL, or the template of RFC 8484 with `{?dns}` at its end. */
  readonly url: string;
  /** IP addresses; empty: those of the URL, or what the system says. BOUNDED by {@link DOH_SERVER_ADDRESSES_MAX}. */
  readonly addresses: readonly string[];
  readonly caFile: string | undefined;
  readonly httpVersion: "auto" | "1.1" | "2";
}

export interface OutgoingConfig {
  readonly way: OutgoingWayConfig;
  readonly resolutionDelayMs: number;
  readonly attemptDelayMs: number;
  readonly attempts: number;
}

/** What is absent is the system's choice; for a user, as for everybody. */
export interface OutgoingWayConfig {
  readonly family: "auto" | "prefer-ipv4" | "prefer-ipv6" | "ipv4-only" | "ipv6-only" | undefined;
  readonly sourceIpv4: string | undefined;
  readonly sourceIpv6: string | undefined;
  readonly interfaceName: string | undefined;
  readonly mark: number | undefined;
}

export interface AccessLogConfig {
  /** A file, "-" for stdout, "off" for none. */
  readonly path: string;
  /** Bytes of lines not yet written that are kept; further lines are dropped and counted. */
  readonly queueBytes: number;
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error";
  /** "auto": text on a terminal, JSON elsewhere. */
  readonly format: "auto" | "json" | "text";
}

export interface AdminConfig {
  /** At least one IP address, without brackets. */
  readonly listen: readonly string[];
  /** SCTP port. 0 takes a free one. */
  readonly port: number;
  readonly transport: "auto" | "kernel" | "udp";
  /** The UDP port of the encapsulation (RFC 6951). */
  readonly udpPort: number;
  /** Absent: the administrator gets a generated password. */
  readonly user: UserConfig | undefined;
  readonly limits: AdminLimitsConfig;
}

/** What the clients of the admin protocol can make us hold. */
export interface AdminLimitsConfig {
  readonly associations: number;
  readonly associationsPerAddress: number;
  /** Associations that have not logged in. */
  readonly unauthenticated: number;
  /** How long a login, and then a request, may take. 0 is off. */
  readonly idleMs: number;
  /** Failed logins of one address. */
  readonly failuresPerMinute: number;
  /** Addresses whose failures are remembered. */
  readonly failureAddresses: number;
}
