/** What every TCP socket of the proxy has in common, whoever opened it. */

import type { Socket } from "bun";
import { parseIp } from "../bytes/ip.ts";
import type { Endpoint } from "../ports/socket.ts";
import { libc } from "./libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES } from "./sockaddr.ts";

export interface TcpTuning {
  /** Send small segments at once (TCP_NODELAY). Bun does unless told otherwise. */
  readonly noDelay: boolean;
}

const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
const sockaddrSize = new Uint32Array(1);

/**
 * The socket's own address and port; `undefined` when it has died in this very moment.
 *
 * @param socket - One of Bun's, or one of ours.
 */
export function localEndpoint(socket: object): Endpoint | undefined {
  if (libc === undefined) {
    const { localAddress, localPort } = socket as Socket<unknown>;
    return endpointOf(localAddress, localPort);
  }
  sockaddrSize[0] = sockaddr.length;
  return libc.getsockname(descriptorOf(socket), sockaddr, sockaddrSize) < 0 ? undefined : readSockaddr(sockaddr);
}

/** The peer's address and port; `undefined` when the peer is gone already. */
export function remoteEndpoint(socket: Socket<unknown>): Endpoint | undefined {
  if (libc === undefined) return endpointOf(socket.remoteAddress, socket.remotePort);
  sockaddrSize[0] = sockaddr.length;
  return libc.getpeername(descriptorOf(socket), sockaddr, sockaddrSize) < 0 ? undefined : readSockaddr(sockaddr);
}

function endpointOf(address: string, port: number): Endpoint | undefined {
  const ip = parseIp(address);
  return ip === undefined ? undefined : { ip, port };
}

/** The descriptor, which Bun's types do not know. -1 once the socket is closed. */
export function descriptorOf(socket: object): number {
  return (socket as unknown as { readonly fd: number }).fd;
}
