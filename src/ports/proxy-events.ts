import type { ResolutionStep } from "./resolver.ts";

/** What the proxy tells to whoever listens: the logs and the metrics. Calls are cheap and never throw. */
export interface ProxyEvents {
  /** A request has come to its end, whatever the end was. */
  onRequestFinished(record: RequestRecord): void;
  /** A client was turned away because a limit was reached. */
  onLimitReached(limit: LimitName, clientAddress: string): void;
  /**
   * Name or password were wrong.
   *
   * @param user - The name, where a user of that name exists. Other names may be mistyped passwords.
   */
  onAuthenticationFailed(clientAddress: string, clientPort: number, user: string | undefined): void;
  /** A client broke the protocol, or let the handshake's time pass. */
  onFault(clientAddress: string, clientPort: number, fault: string): void;
  /** Accepting stopped because descriptors are short, or goes on. */
  onAcceptPaused(isPaused: boolean, connections: number): void;
}

/** The limits at which a client is turned away, by their names in the configuration. */
export type LimitName =
  | "connections"
  | "connections_per_address"
  | "handshakes_per_address"
  | "hash_queue"
  | "udp.associations"
  | "udp.associations_per_address"
  | "udp.associations_per_user"
  | "bind.listeners"
  | "bind.listeners_per_address"
  | "bind.listeners_per_user";

export interface AttemptRecord {
  /** The address that was tried, as text. */
  readonly address: string;
  /** When it began, in milliseconds since the request was taken up. */
  readonly startMs: number;
  /** "connected", "denied" (the rules forbid it), "cancelled", "timeout", or the name of the error number. */
  readonly outcome: string;
  /** How long the attempt took, in milliseconds. */
  readonly ms: number;
}

/** Why a datagram was not relayed. */
export type DropReason =
  /** Not the client's address, or not the port that its first datagram came from. */
  | "stranger"
  /** No header as RFC 1928 §7 has it. */
  | "malformed"
  /** FRAG other than 0. */
  | "fragment"
  /** The access rules forbid the destination, or the sender of an answer. */
  | "denied"
  /** An answer from a host that the client has sent nothing to, or before it has sent anything. */
  | "uninvited"
  /** The name has no address, or none that can be reached. */
  | "unresolved"
  /** Too much waits for names to be looked up. */
  | "queue-full"
  /** The kernel refused it: too long, no route, no descriptor, port 0; or the network was too slow. */
  | "unsent";

/** What a UDP association has moved. */
export interface UdpRecord {
  /** Datagrams from the client to its targets, and back. */
  readonly datagramsUp: number;
  readonly datagramsDown: number;
  /** Their payload, without headers. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** How many destinations, as the client wrote them, it has sent to. One that was forgotten counts again. */
  readonly targets: number;
  /** Datagrams that were not relayed; a reason that did not occur is absent. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

/** One request from its first byte to its last, for the access log. */
export interface RequestRecord {
  /** When the client connected and when everything was over, in milliseconds since 1970. */
  readonly startedWallMs: number;
  readonly endedWallMs: number;
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly user: string | undefined;
  /** `undefined`, as host and port are, when the request could not be read. */
  readonly command: "connect" | "bind" | "udp_associate" | undefined;
  /** The destination as the client asked for it. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** The address that was connected, if one was. */
  readonly connectedAddress: string | undefined;
  /** For BIND: the port from which it was. For CONNECT it is `port`. */
  readonly connectedPort?: number | undefined;
  /** REP of RFC 1928 §6; `undefined` when the client left before there was an answer. */
  readonly reply: number | undefined;
  readonly attempts: readonly AttemptRecord[];
  /** What was done to look up the destination's name; nothing for an address. */
  readonly lookups?: readonly ResolutionStep[];
  /** Payload bytes from the client to the target, and back. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** For a UDP association that was opened. */
  readonly udp?: UdpRecord | undefined;
  /** Why it ended: a `TunnelEnd`, "refused", "client-gone". */
  readonly end: string;
  /** More about a failure, where there is more to say ("the system's resolver knows no such name"). */
  readonly detail: string | undefined;
}
