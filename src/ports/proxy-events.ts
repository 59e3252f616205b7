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
export type LimitName = "connections" | "connections_per_address" | "handshakes_per_address" | "hash_queue";

export interface AttemptRecord {
  /** The address that was tried, as text. */
  readonly address: string;
  /** "connected", "denied" (the rules forbid it), "cancelled", "timeout", or the name of the error number. */
  readonly outcome: string;
  /** How long the attempt took, in milliseconds. */
  readonly ms: number;
}

/** One request from its first byte to its last, for the access log. */
export interface RequestRecord {
  /** When the client connected and when everything was over, in milliseconds since 1970. */
  readonly startedWallMs: number;
  readonly endedWallMs: number;
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly user: string | undefined;
  readonly command: "connect" | "bind" | "udp_associate";
  /** The destination as the client asked for it. */
  readonly host: string;
  readonly port: number;
  /** The address that was connected, if one was. */
  readonly connectedAddress: string | undefined;
  /** REP of RFC 1928 §6; `undefined` when the client left before there was an answer. */
  readonly reply: number | undefined;
  readonly attempts: readonly AttemptRecord[];
  /** Payload bytes from the client to the target, and back. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Why it ended: a `TunnelEnd`, "refused", "client-gone". */
  readonly end: string;
  /** More about a failure, where there is more to say ("the system's resolver knows no such name"). */
  readonly detail: string | undefined;
}
