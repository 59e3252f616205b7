/**
 * SCTP as its users see it: associations that carry bytes, whether the kernel speaks the protocol (`sctp-kernel.ts`) or
 * we do, inside UDP (`sctp-udp.ts`).
 */

import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";

/** Who speaks SCTP: the kernel, over IP protocol 132; or this program, over UDP (RFC 6951). */
export type SctpTransport = "kernel" | "udp";
/** What an operator may ask for: `auto` is the kernel's where there is one. */
export type SctpTransportChoice = SctpTransport | "auto";

/** One end of an association. */
export interface SctpAddress {
  /** An IP address as text, without brackets. */
  readonly address: string;
  /** The SCTP port. */
  readonly port: number;
  /** The UDP port below it; absent with the kernel's SCTP. */
  readonly udpPort?: number;
}

/** One association. Message boundaries are kept when sending; when receiving they mean nothing. */
export interface Association {
  readonly peer: SctpAddress;
  /**
   * Sends `message`, 1 to {@link MESSAGE_BYTES_MAX} bytes, as one message. Copied, or handed on at once. Ignored once the
   * association is closing.
   */
  write(message: Uint8Array): void;
  /** Closes gracefully: what was written arrives first. */
  close(): void;
  /** Ends at once with an ABORT. */
  abort(): void;
}

/** What an association tells its user. */
export interface AssociationHandler {
  /** Bytes arrived. `bytes` is a view that is valid during the call only. Not called after `close` or `abort`. */
  data(bytes: Uint8Array): void;
  /** The association is gone, however it ended. Called once, and last. */
  end(): void;
}

/** Takes a new association in; `undefined` refuses it with an ABORT. */
export type Accept = (association: Association) => AssociationHandler | undefined;

/** A listener that is up. */
export interface SctpListener {
  readonly transport: SctpTransport;
  /** What is really bound. */
  readonly local: SctpAddress;
  /** Stops accepting. Associations that stand are not touched: whoever accepted them closes them. */
  close(): void;
  /**
   * Lets go of everything, aborting what still stands. A UDP listener needs its socket as long as associations close, so
   * this comes later than `close`.
   */
  destroy(): void;
}

/** The longest message in either direction, in bytes. */
export const MESSAGE_BYTES_MAX = 65_536;

export interface ListenOptions {
  readonly transport: SctpTransport;
  /** An IP address, without brackets. */
  readonly address: string;
  /** SCTP port; 0 takes a free one. */
  readonly port: number;
  /** UDP port of the encapsulation; 0 takes a free one. Not used by the kernel's SCTP. */
  readonly udpPort: number;
  /** Associations at once, at any stage. */
  readonly associationsMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ConnectOptions {
  readonly transport: SctpTransport;
  /** An IP address, without brackets. */
  readonly address: string;
  /** SCTP port. */
  readonly port: number;
  /** UDP port of the peer's encapsulation. Not used by the kernel's SCTP. */
  readonly udpPort: number;
  /** The association must stand within this many milliseconds; otherwise the connect fails with ETIMEDOUT. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}
