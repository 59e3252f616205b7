/** A UDP socket that is bound and has its options before the first datagram comes. Linux only. */

import type { DatagramSocketOptions } from "../ports/datagram-socket.ts";
import { errnoName } from "./errno.ts";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  type Libc,
  SO_BINDTODEVICE,
  SO_MARK,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "./libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";

const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
const sockaddrSize = new Uint32Array(1);
const cell = new Int32Array(1);

/** @returns The descriptor and the port, or the name of the error number. */
export function boundSocket(c: Libc, options: DatagramSocketOptions): { fd: number; port: number } | string {
  const { ip, port, receiveBufferSize, outgoing } = options;
  const fd = c.socket(ip.length === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errnoName(c.errno());
  const failed = (): string => {
    const code = errnoName(c.errno());
    c.close(fd);
    return code;
  };
  // The kernel takes what its own limit allows, and says nothing of the rest.
  set(c, fd, SOL_SOCKET, SO_RCVBUF, receiveBufferSize);
  // One family a socket: an IPv4 sender would otherwise reach the IPv6 socket, too, and in another spelling.
  if (ip.length === 16) set(c, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (outgoing?.mark !== undefined && set(c, fd, SOL_SOCKET, SO_MARK, outgoing.mark) < 0) return failed();
  if (outgoing?.interfaceName !== undefined) {
    const name = new TextEncoder().encode(outgoing.interfaceName);
    if (c.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) < 0) return failed();
  }
  if (c.bind(fd, sockaddr, writeSockaddr(ip, port, sockaddr)) < 0) return failed();
  sockaddrSize[0] = sockaddr.length;
  if (c.getsockname(fd, sockaddr, sockaddrSize) < 0) return failed();
  return { fd, port: readSockaddr(sockaddr).port };
}

function set(c: Libc, fd: number, level: number, name: number, value: number): number {
  cell[0] = value;
  return c.setsockopt(fd, level, name, cell, 4);
}
