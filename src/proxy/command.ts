/** The seam between a client's connection and what it asked for: each CMD of RFC 1928 §4 is one {@link Command}. */

import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { Address } from "../protocol/socks5/address.ts";
import type { FailureRep } from "../protocol/socks5/constants.ts";
import type { ProxyContext } from "./context.ts";

/** What a command knows of the connection that asked for it, and may do with it. */
export interface CommandHost {
  readonly context: ProxyContext;
  /** The client's address as text, never mapped. */
  readonly clientAddress: string;
  readonly clientIsLocal: boolean;
  /** Who the client has proved to be; `undefined` where nobody had to prove anything. */
  readonly user: string | undefined;
  /** Calls the command's `timeOut` once, `limitMs` from now, in place of what was set before; 0 or less is never. */
  setDeadlineIn(limitMs: number): void;
  /** Says no. After it the command hears only `close`. */
  refuse(rep: FailureRep, detail: string | undefined): void;
  /**
   * Says yes and joins the client with `socket`. After it the command hears only `close`.
   *
   * @param bnd - What the reply names.
   * @param connectedAddress - The other end, for the access log.
   */
  openTunnel(socket: ConnectedSocket, bnd: Endpoint, connectedAddress: string): void;
}

/** One request being carried out. */
export interface Command {
  /** Every attempt to reach an address so far. BOUNDED by the addresses of a name. */
  readonly attempts: readonly AttemptRecord[];
  /** Begins, once. The outcome may be told to the host before this returns. */
  start(dst: Address): void;
  /** The time that was set has passed. */
  timeOut(): void;
  /** The client's connection is closed: gives up and frees whatever is left. */
  close(): void;
}
