/** What the relay needs of a connected socket. Bun's sockets have it; so do the fakes of the tests. */
export interface Stream {
  /** Hands bytes to the kernel; returns how many it took, -1 when the socket is closed. Copies nothing. */
  write(bytes: Uint8Array): number;
  /** Sends FIN; we can still read. Where the peer has sent FIN before, the close may come before this returns. */
  shutdown(): void;
  /**
   * Sends FIN after all that was written, and forgets the socket, whose peer has sent FIN before. Its owner hears of the
   * close before this returns.
   */
  close(): void;
  /** Sends RST and forgets the socket. */
  terminate(): void;
  /** Stops reading, so that the peer's window fills. */
  pause(): void;
  resume(): void;
  /** Has the kernel ask whether the peer is still there, first after `delayMs` of silence. */
  setKeepAlive(isOn: boolean, delayMs: number): boolean;
}

/**
 * Resets a stream as soon as its peer has everything that was written to it, now or later. Returns what calls that off,
 * for when the stream has closed before. Whoever calls it sets the limit.
 */
export type GentleReset = (stream: Stream) => () => void;

/** Whoever a socket's events go to at the moment: the `data` of a socket. It changes as the connection goes on. */
export interface SocketOwner {
  /** Bytes arrived. They are lent until this returns: what is kept longer is to be copied. */
  handleData(chunk: Uint8Array): void;
  /** The socket takes bytes again. */
  handleDrain(): void;
  /** The peer sent FIN. */
  handleEnd(): void;
  /** The socket is closed; `code` names the error that closed it ("ECONNRESET"), if one did. */
  handleClose(code: string | undefined): void;
}

/** An address of 4 or 16 bytes, never a mapped one and not to be written to, and a port. */
export interface Endpoint {
  readonly ip: Uint8Array;
  readonly port: number;
}

/** A connected socket, ours or accepted. */
export interface ConnectedSocket extends Stream {
  data: SocketOwner;
  /** Our own address on this connection as text; a mapped IPv4 address may come wrapped. */
  readonly localAddress: string;
}
