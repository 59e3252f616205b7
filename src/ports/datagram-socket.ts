import type { DialOptions } from "./dialer.ts";

/** What a socket's owner hears of it. Nothing after `close`. */
export interface DatagramListener {
  /**
   * A whole datagram arrived, perhaps empty.
   *
   * @param payload - A view that is valid during the call only. It may be handed to `send` within it.
   * @param address - The sender's, as the system writes it.
   */
  onDatagram(payload: Uint8Array, address: string, port: number): void;
  /** The kernel has taken datagrams; `payloadBytes` are theirs without headers. */
  onSent(datagrams: number, payloadBytes: number): void;
  /** Datagrams were lost: cut on arrival, refused by the kernel, or too many for a slow network. */
  onLost(datagrams: number): void;
}

/** A UDP socket that speaks with anybody. */
export interface DatagramSocket {
  /** The port that it is bound to. */
  readonly port: number;
  /**
   * Sends soon, at the end of this turn of the event loop at the latest, together with what else is sent until then.
   *
   * @param payload - Must not change afterwards, unless it is (of) a datagram that is being handed out.
   * @param port - 1 to 65535.
   * @param address - An IP literal of the socket's family.
   * @param header - Put before the payload, by copying both. It may change afterwards.
   */
  send(payload: Uint8Array, port: number, address: string, header?: Uint8Array): void;
  /** Sends what waits, as far as the kernel takes it, and closes. */
  close(): void;
}

export interface DatagramSocketOptions {
  /** Where to bind: 4 or 16 bytes; zeros are every address of the family. */
  readonly ip: Uint8Array;
  /** 0 takes a free one. */
  readonly port: number;
  /** What the kernel may keep for us while we are busy, in bytes. The system has a limit of its own. */
  readonly receiveBufferSize: number;
  /** How to leave the machine. Its `localAddress` is not looked at: `ip` says where to bind. */
  readonly outgoing?: DialOptions;
}

/** Opens UDP sockets. */
export interface DatagramSockets {
  /** @returns The socket, or the name of the error number: "EADDRINUSE", "EMFILE", "EAFNOSUPPORT" … */
  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string;
}
