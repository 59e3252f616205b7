import type { Routes } from "../ports/routes.ts";
import { errnoName } from "./errno.ts";
import { AF_INET, AF_INET6, libc, SOCK_CLOEXEC, SOCK_DGRAM } from "./libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";

const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
const sockaddrSize = new Uint32Array(1);
/** Any port will do. 0 would be a question for no socket at all. */
const SOME_PORT = 9;

/** Asks the kernel by connecting a UDP socket, which chooses a route and sends nothing. Linux only. */
export class RouteTable implements Routes {
  sourceFor(ip: Uint8Array): Uint8Array | "unreachable" | undefined {
    if (libc === undefined) return undefined;
    const fd = libc.socket(ip.length === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // No descriptor left says nothing about routes; no such family on this machine says all.
    if (fd < 0) return errnoName(libc.errno()) === "EAFNOSUPPORT" ? "unreachable" : undefined;
    try {
      if (libc.connect(fd, sockaddr, writeSockaddr(ip, SOME_PORT, sockaddr)) < 0) return "unreachable";
      sockaddrSize[0] = sockaddr.length;
      if (libc.getsockname(fd, sockaddr, sockaddrSize) < 0) return undefined;
      return readSockaddr(sockaddr).ip;
    } finally {
      libc.close(fd);
    }
  }
}
