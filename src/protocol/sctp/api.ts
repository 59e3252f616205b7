/**
 * What the world sees of our SCTP: the words that a driver and an {@link SctpEndpoint} exchange. The machine behind it is
 * `endpoint.ts`; the driver that owns the UDP socket and the clock lives in `net/`.
 *
 * The driver's loop: hand in a packet, a timeout or a call; poll events until there are none; set one timer to
 * `pollTimeout()`.
 */

/** Where packets come from and go to. Two paths are the same when both fields are equal; nothing else is read from them. */
export interface Path {
  /** The peer's address as text, of whatever family. Always in the same spelling for the same peer. */
  readonly address: string;
  /** The peer's UDP port (RFC 6951); 0 where SCTP runs directly over IP. */
  readonly udpPort: number;
}

/** Names one association of one endpoint. Never used twice by the same endpoint. */
export type AssociationId = number & { readonly brand: "AssociationId" };

/** Which side sent the INIT. Both, when two INITs crossed and became one association. */
export type Role = "client" | "server";

/** Why an association is no more. */
export type CloseReason =
  /** Both sides agreed (RFC 9260 §9.2); all that was accepted by `send` was acknowledged. */
  | "shutdown"
  /** `abort` was called. */
  | "aborted"
  /** The peer sent ABORT; the detail says with which cause. */
  | "peer-aborted"
  /** The peer did not answer for as long as the retransmission limits allow. */
  | "unreachable"
  /** The peer broke the protocol and was sent ABORT. */
  | "protocol-violation"
  /** The peer sent a message longer than we accept and was sent ABORT. */
  | "message-too-long"
  /** The peer began anew (RFC 9260 §5.2.4, action A). A `connected` event with a new id follows at once. */
  | "peer-restarted";

/** What the driver is to do or to know, in the order in which it happened. */
export type SctpEvent =
  /** Send these bytes, which are the driver's to keep, in one datagram. */
  | { readonly kind: "send"; readonly to: Path; readonly packet: Uint8Array }
  /** An association is up: an own `connect` succeeded, or a peer came in. */
  | {
      readonly kind: "connected";
      readonly association: AssociationId;
      readonly role: Role;
      readonly peer: Path;
      readonly localPort: number;
      readonly remotePort: number;
    }
  /** A whole message arrived, in order. `bytes` is a copy and the receiver's to keep. */
  | {
      readonly kind: "message";
      readonly association: AssociationId;
      readonly streamId: number;
      /** Payload protocol identifier, as the peer sent it. */
      readonly ppid: number;
      readonly bytes: Uint8Array;
    }
  /** There is room again after `send` had answered "buffer-full". */
  | { readonly kind: "writable"; readonly association: AssociationId }
  /**
   * The peer wants to close. SCTP knows no half-open state: what `send` accepted before is still delivered, `send`
   * accepts no more, and `closed` follows by itself.
   */
  | { readonly kind: "peer-shutdown"; readonly association: AssociationId }
  /** The association is gone, and its id with it. Also the answer to a `connect` that failed. */
  | {
      readonly kind: "closed";
      readonly association: AssociationId;
      readonly reason: CloseReason;
      /** For a log: a sentence or a cause name, in plain ASCII, without anything that the peer could have worded. */
      readonly detail: string;
    };

/** What became of a call to `send`. */
export type SendResult =
  /** Taken. It is delivered, or the association ends with a reason other than "shutdown". */
  | "queued"
  /** The send buffer is full. Try again after `writable`. */
  | "buffer-full"
  /** Longer than the send buffer, or empty. It can never be sent. */
  | "bad-length"
  /** The association is not up yet, closing, or unknown. */
  | "not-open";

/** What became of a call to `connect`. */
export type ConnectResult =
  | { readonly kind: "connecting"; readonly association: AssociationId }
  /** There are as many associations as the limits allow. */
  | { readonly kind: "too-many-associations" }
  /** There is an association between these two addresses and ports, or no local port is free. */
  | { readonly kind: "in-use" };

/** The sizes that a peer cannot exceed. */
export interface SctpLimits {
  /** Associations of the endpoint, at any stage. Beyond it an INIT is answered with ABORT, "Out of Resource". */
  readonly associationsMax: number;
  /** Associations with one address. Beyond it likewise. */
  readonly associationsPerAddressMax: number;
  /** Bytes of one incoming message. A longer one ends its association. */
  readonly messageBytesMax: number;
  /** The receive window of an association in bytes; at least `messageBytesMax` and 1,500. */
  readonly receiveWindowBytes: number;
  /** What `send` accepts before the peer has acknowledged it, in bytes, per association; 64 bytes count for each message. At most 4,259,775. */
  readonly sendBufferBytes: number;
}

/** The protocol parameters of RFC 9260 §16 that can be chosen, with their defaults in `constants.ts`. */
export interface SctpTiming {
  readonly rtoInitialMs: number;
  readonly rtoMinMs: number;
  readonly rtoMaxMs: number;
  /** Unanswered transmissions in a row after which the peer is unreachable. */
  readonly associationMaxRetrans: number;
  /** Unanswered INITs, or COOKIE ECHOs, after which a `connect` has failed. */
  readonly maxInitRetransmits: number;
  /** An idle association is probed this often, give or take half an RTO, so that a vanished peer is noticed. */
  readonly heartbeatIntervalMs: number;
  /** How long a state cookie is good for. */
  readonly cookieLifeMs: number;
  /** How long the key that signs cookies is used. The one before is accepted for as long again. */
  readonly cookieKeyLifeMs: number;
  /** An acknowledgement is held back for at most this long; RFC 9260 §6.2 allows up to 500. */
  readonly sackDelayMs: number;
  /** A graceful shutdown that takes longer is ended by ABORT (T5). */
  readonly shutdownGuardMs: number;
}

/** What an endpoint needs to exist. */
export interface EndpointOptions {
  /** `count` fresh bytes, fit for keys and tags. */
  readonly random: (count: number) => Uint8Array;
  /** HMAC-SHA-256: 32 bytes. */
  readonly hmacSha256: (key: Uint8Array, data: Uint8Array) => Uint8Array;
  /** The SCTP port on which associations are accepted; absent for an endpoint that only connects. */
  readonly acceptPort?: number;
  readonly limits?: Partial<SctpLimits>;
  readonly timing?: Partial<SctpTiming>;
}

/**
 * Why a packet, or a chunk of it, was not taken. Every one is counted, none is answered with more than one packet, and
 * none is an error of ours.
 */
export type Oddity =
  /** Shorter than a header and a chunk, or longer than 65,535 bytes. */
  | "bad-length"
  | "bad-checksum"
  /** A port of 0. */
  | "bad-port"
  /** A chunk, or a parameter within, whose length does not fit. */
  | "malformed-chunk"
  /** The verification tag is not that of the association. */
  | "wrong-tag"
  /** No association and no reason for one: answered as RFC 9260 §8.4 says. */
  | "out-of-the-blue"
  /** A chunk that must travel alone came in company. */
  | "bundled"
  /** INIT with an initiate tag, a stream count or a window that cannot be. */
  | "bad-init"
  /** INIT or COOKIE ECHO beyond the limits. */
  | "refused-limit"
  /** INIT for a live association from another UDP port. */
  | "new-udp-port"
  /** A cookie that we did not sign, or not for this peer. */
  | "forged-cookie"
  | "stale-cookie"
  /** A cookie of ours that fits no row of RFC 9260 §5.2.4. */
  | "unmatched-cookie"
  /** A chunk that has no business in the state of its association. */
  | "unexpected-chunk"
  | "unknown-chunk"
  /** DATA that we have already. */
  | "duplicate-data"
  /** DATA for which there is no room; not acknowledged, so the peer sends it again. */
  | "no-room"
  /** DATA on a stream that we do not have. */
  | "bad-stream";

/** What an endpoint has counted since its start. A snapshot. */
export interface SctpCounters {
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** Associations that came up, in either role, restarts included. */
  readonly associationsOpened: number;
  readonly associationsClosed: number;
  /** DATA chunks that were sent again. */
  readonly dataRetransmitted: number;
  readonly oddities: Readonly<Record<Oddity, number>>;
}

/** What an endpoint holds now; all zero when nothing goes on. */
export interface SctpHoldings {
  readonly associations: number;
  /** Bytes accepted by `send` and not yet acknowledged. */
  readonly sendBytes: number;
  /** Bytes received and not yet handed on. */
  readonly receiveBytes: number;
}

/** Many associations behind one socket. */
export interface SctpEndpoint {
  /**
   * Takes one packet, without its UDP header. Never throws, whatever the bytes.
   *
   * @param packet - A view that is valid during the call only.
   * @param from - Where the packet came from.
   * @param nowMs - The time, on any clock that never goes back.
   */
  handlePacket(packet: Uint8Array, from: Path, nowMs: number): void;
  /** Takes the news that it is now `nowMs`. Harmless when nothing is due. */
  handleTimeout(nowMs: number): void;
  /** The next thing to do or to know; `undefined` when there is none. */
  pollEvent(): SctpEvent | undefined;
  /** When `handleTimeout` is due; `Infinity` when nothing is. */
  pollTimeout(): number;

  /**
   * Begins an association. `connected` or `closed` tells the outcome.
   *
   * @param localPort - 1 to 65,535, or 0 for one that is free, chosen at random from 49,152 to 65,535.
   */
  connect(to: Path, localPort: number, remotePort: number, nowMs: number): ConnectResult;
  /**
   * Sends a message, copied, on stream 0, ordered. It goes when events are polled: what is sent, and a `shutdown`, between two
   * polls leaves together.
   */
  send(association: AssociationId, bytes: Uint8Array, nowMs: number): SendResult;
  /**
   * Ends gracefully: delivers what `send` has accepted, then closes. While connecting, the same as `abort`. Harmless when
   * closing or gone.
   */
  shutdown(association: AssociationId, nowMs: number): void;
  /** Ends at once with an ABORT; `closed` follows. Harmless when gone. */
  abort(association: AssociationId, nowMs: number): void;
  /** Stops `message` events: what arrives stays in the receive window, which closes as it fills. */
  pause(association: AssociationId): void;
  /** Starts them again. */
  resume(association: AssociationId, nowMs: number): void;

  counters(): SctpCounters;
  holdings(): SctpHoldings;
}
