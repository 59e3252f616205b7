import type { ConnectedSocket, Endpoint, SocketOwner } from "./socket.ts";

/**
 * Takes a socket that was just accepted; returns who its events go to.
 *
 * @param peer - `undefined` when the peer is gone already.
 */
export type AcceptPeer = (socket: ConnectedSocket, peer: Endpoint | undefined) => SocketOwner;

/** A listening TCP socket for one expected peer. */
export interface PeerListener {
  /** The port that is really bound. */
  readonly port: number;
  /** Stops listening, once. Accepted sockets live on. */
  close(): void;
}

/** Opens such listeners. */
export interface PeerListeners {
  /**
   * Listens on `ip` (4 or 16 bytes) and `port`; 0 takes a free one.
   *
   * @param accept - Called for everybody who connects, perhaps once more after `close`.
   * @returns The listener, or the name of the error number: "EADDRINUSE", "EMFILE" …
   */
  listen(ip: Uint8Array, port: number, accept: AcceptPeer): PeerListener | string;
}
