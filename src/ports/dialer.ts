import type { ConnectedSocket, Endpoint } from "./socket.ts";

/** How to leave the machine; what is absent is the system's choice. */
export interface DialOptions {
  /** Source address, 4 or 16 bytes, of the same family as the target. */
  readonly localAddress?: Uint8Array;
  /** Network interface to leave by (SO_BINDTODEVICE). Linux only. */
  readonly interfaceName?: string;
  /** Firewall mark (SO_MARK); needs CAP_NET_ADMIN. Linux only. */
  readonly mark?: number;
}

/** What becomes of an attempt: exactly one of the two is called, once, and neither after `cancel`. */
export interface DialListener {
  /**
   * The target has accepted. The socket belongs to the listener, who sets its `data` before returning; nothing has been
   * read from it.
   *
   * @param local - The outgoing socket's own endpoint.
   */
  onConnected(socket: ConnectedSocket, local: Endpoint): void;
  /** @param code - The name of the error number: "ECONNREFUSED", "ENETUNREACH", "EMFILE" … */
  onFailed(code: string): void;
}

/** An attempt under way. */
export interface Dial {
  /** Gives the attempt up. Harmless when it has ended. */
  cancel(): void;
}

/** Connects to one address, and says truly why when it cannot. */
export interface Dialer {
  /**
   * Starts to connect to `ip` (4 or 16 bytes, never mapped). A failure that is known at once may be reported before this
   * returns.
   */
  dial(ip: Uint8Array, port: number, options: DialOptions, listener: DialListener): Dial;
}
