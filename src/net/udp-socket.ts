/**
 * UDP sockets by Bun, which reads and writes many datagrams with one system call.
 *
 * On Linux the socket is made and bound by system calls, so that its options stand before the first datagram, and then
 * given to Bun by its descriptor.
 */

import type { udp } from "bun";
import { formatIp } from "../bytes/ip.ts";
import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../ports/datagram-socket.ts";
import { boundSocket } from "./bound-udp.ts";
import { DatagramOutbox } from "./datagram-outbox.ts";
import { IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, type Libc, libc } from "./libc.ts";

type BunSocket = udp.Socket<"uint8array">;

const OFF = new Int32Array(1);

/** Implements {@link DatagramSockets} with Bun's sockets. */
export class UdpSockets implements DatagramSockets {
  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    if (libc === undefined) {
      const { ip, port } = options;
      return UdpSocket.open({ hostname: formatIp(ip), port }, undefined, listener);
    }
    const bound = boundSocket(libc, options);
    if (typeof bound === "string") return bound;
    const socket = UdpSocket.open({ fd: bound.fd }, bound.port, listener);
    if (typeof socket === "string") libc.close(bound.fd);
    // Bun asks for ICMP errors, and then the next datagram, whoever it is for, fails with the error of an earlier one.
    else forgetErrors(libc, bound.fd, options.ip);
    return socket;
  }
}

class UdpSocket implements DatagramSocket {
  readonly port: number;
  readonly #socket: BunSocket;
  readonly #outbox: DatagramOutbox;
  #isClosed = false;

  /** @param at - A descriptor that is bound, which Bun then owns, or where to bind. */
  static open(
    at: { fd: number } | { hostname: string; port: number },
    port: number | undefined,
    listener: DatagramListener,
  ): UdpSocket | string {
    let owner: UdpSocket | undefined;
    // `fd` is missing in Bun's types.
    const options = {
      ...at,
      binaryType: "uint8array",
      socket: {
        data: (_, payload, senderPort, senderAddress, { truncated }) => {
          if (owner === undefined || owner.#isClosed) return;
          if (truncated) listener.onLost(1);
          else listener.onDatagram(payload, senderAddress, senderPort);
        },
        drain: () => {
          if (owner !== undefined && !owner.#isClosed) owner.#outbox.handleDrain();
        },
        // An ICMP error for some datagram: the socket lives, and UDP promises nothing to whoever sent it.
        error: () => undefined,
      },
    } as udp.SocketOptions<"uint8array">;
    try {
      // Bun binds at once and wraps the result in a promise that is fulfilled already.
      const opened = Bun.peek(Bun.udpSocket(options));
      if (opened instanceof Promise) throw new Error("Bun no longer opens UDP sockets at once");
      owner = new UdpSocket(opened, port ?? opened.port, listener);
      return owner;
    } catch (fault) {
      const { code } = fault as { code?: string };
      if (code === undefined) throw fault;
      return code;
    }
  }

  private constructor(socket: BunSocket, port: number, listener: DatagramListener) {
    this.#socket = socket;
    this.port = port;
    this.#outbox = new DatagramOutbox(socket, listener);
  }

  send(payload: Uint8Array, port: number, address: string, header?: Uint8Array): void {
    if (!this.#isClosed) this.#outbox.add(payload, port, address, header);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#outbox.flush();
    this.#isClosed = true;
    this.#socket.close();
  }
}

function forgetErrors(c: Libc, fd: number, ip: Uint8Array): void {
  c.setsockopt(fd, IPPROTO_IP, IP_RECVERR, OFF, 4);
  if (ip.length === 16) c.setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, OFF, 4);
}
