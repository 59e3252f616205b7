/** The seam between a client's connection and what it asked for: each CMD of RFC 1928 §4 is one {@link Command}. */

import type { AttemptRecord, UdpRecord } from "../ports/proxy-events.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { Address } from "../protocol/socks5/address.ts";
import type { FailureRep } from "../protocol/socks5/constants.ts";
import type { TunnelEnd } from "../relay/tunnel-end.ts";
import type { ProxyContext } from "./context.ts";

/** What a command knows of the connection that asked for it, and may do with it. */
export interface CommandHost {
  readonly context: ProxyContext;
  /** The client's address as text, never mapped. */
  readonly clientAddress: string;
  readonly clientIsLocal: boolean;
  /** Our own address on the client's connection, never mapped; `undefined` when the client is gone already. */
  readonly localIp: Uint8Array | undefined;
  /** The address by which clients reach that one from outside, where somebody has said so. */
  readonly advertisedIp: Uint8Array | undefined;
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
  /** Gives the first of BIND's two answers: we listen at `bndAddr`. The second is `refuse` or `openTunnel`. */
  bound(bndAddr: Uint8Array, bndPort: number): void;
  /** Says yes to UDP ASSOCIATE: datagrams go to `bndAddr`. The command goes on until `finish` or `close`. */
  associate(bndAddr: Uint8Array, bndPort: number): void;
  /** Ends an association, and with it the connection. After it the command hears only `close`. */
  finish(end: TunnelEnd): void;
}

/** One request being carried out. */
export interface Command {
  /** Every attempt to reach an address so far. BOUNDED by the addresses of a name. */
  readonly attempts: readonly AttemptRecord[];
  /** What a UDP association has moved so far. */
  readonly udp?: UdpRecord | undefined;
  /** What was done to look up the destination's name. BOUNDED by the resolver's deadline. */
  readonly lookups?: readonly ResolutionStep[];
  /** Begins, once. The outcome may be told to the host before this returns. */
  start(dst: Address): void;
  /** The time that was set has passed. */
  timeOut(): void;
  /** The client sent FIN: it asks for nothing more, but may still listen. */
  handleClientEnd(): void;
  /** The client's connection is closed: gives up and frees whatever is left. */
  close(): void;
}
