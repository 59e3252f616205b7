/** A target that neither accepts nor refuses: connecting to it hangs, on loopback and without privileges. Linux only. */

import { AF_INET, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../src/net/libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "../../src/net/sockaddr.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
/** More than a queue of length 0 takes. */
const FILLERS = 4;

export interface FullListener extends Disposable {
  readonly port: number;
}

/** Listens with a queue that is full: the kernel drops every further SYN, as if nobody were there. */
export function fullListener(): FullListener {
  if (libc === undefined) throw new Error("needs Linux");
  const c = libc;
  const open: number[] = [];
  const makeSocket = (): number => {
    const fd = c.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    open.push(fd);
    return fd;
  };
  const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
  const listener = makeSocket();
  if (c.bind(listener, sockaddr, writeSockaddr(LOOPBACK, 0, sockaddr)) < 0 || c.listen(listener, 0) < 0) {
    throw new Error("cannot listen");
  }
  c.getsockname(listener, sockaddr, Uint32Array.of(sockaddr.length));
  const { port } = readSockaddr(sockaddr);
  for (let i = 0; i < FILLERS; i++) c.connect(makeSocket(), sockaddr, writeSockaddr(LOOPBACK, port, sockaddr));
  return {
    port,
    [Symbol.dispose]: () => {
      for (const fd of open) c.close(fd);
    },
  };
}
