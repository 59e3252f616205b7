/**
 * TCP peers by system calls: each call has happened when it returns, before the event loop of the test runs again. So a
 * test can have bytes, FIN and RST arrive as one. Linux only.
 */

import { errnoName } from "../../src/net/errno.ts";
import {
  AF_INET,
  IPPROTO_TCP,
  type Libc,
  libc,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../src/net/libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "../../src/net/sockaddr.ts";

/** Sends the last byte as urgent (RFC 9293 §3.8.5). */
export const MSG_OOB = 1;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const TCP_INFO = 11;
/** What a socket is that has received a RST, among the states of TCP_INFO. */
export const TCP_CLOSE = 7;
/** What a socket is that has received FIN. */
export const TCP_CLOSE_WAIT = 8;

const c = libc as Libc;

function succeeded(result: number, what: string): number {
  if (result < 0) throw new Error(`${what}: ${errnoName(c.errno())}`);
  return result;
}

/** The state of a TCP socket, as the kernel numbers them. */
export function tcpState(fd: number): number {
  const info = new Int32Array(1);
  succeeded(c.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, Uint32Array.of(4)), "TCP_INFO");
  return (info[0] as number) & 0xff;
}

/** Looks until a socket has come to `state`: the kernel may take a moment for it, and tells nobody. */
export function awaitTcpState(fd: number, state: number): void {
  const limitMs = performance.now() + 5000;
  while (tcpState(fd) !== state) {
    if (performance.now() > limitMs) throw new Error(`a socket in state ${tcpState(fd)}, not ${state}`);
  }
}

export class RawPeer implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    c.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, Int32Array.of(1), 4);
  }

  /** Connects to a listener on 127.0.0.1, which need not have accepted yet. */
  static open(port: number): RawPeer {
    const fd = succeeded(c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
    succeeded(c.connect(fd, sockaddr, writeSockaddr(LOOPBACK, port, sockaddr)), "connect");
    return new RawPeer(fd);
  }

  get fd(): number {
    return this.#fd;
  }

  /** Returns how many bytes the kernel took, -1 when the connection is gone. */
  send(bytes: Uint8Array | string, flags = 0): number {
    const sent = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    return c.send(this.#fd, sent, sent.length, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
  }

  /** Takes what has arrived: "" where there is nothing, "FIN" at the end, or the name of the error. */
  receive(sizeMax = 65_536): string {
    const into = new Uint8Array(sizeMax);
    const count = c.recv(this.#fd, into, sizeMax, MSG_DONTWAIT);
    if (count > 0) return Buffer.from(into.subarray(0, count)).toString("latin1");
    if (count === 0) return "FIN";
    const code = errnoName(c.errno());
    return code === "EAGAIN" ? "" : code;
  }

  finish(): void {
    c.shutdown(this.#fd, SHUT_WR);
  }

  /** Sends RST, and is gone. */
  reset(): void {
    if (this.#fd < 0) return;
    c.setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) c.close(this.#fd);
    this.#fd = -1;
  }
}

/** A listening socket on 127.0.0.1 whose clients the test accepts. */
export class RawListener implements Disposable {
  readonly port: number;
  readonly #fd: number;

  constructor() {
    const fd = succeeded(c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
    succeeded(c.bind(fd, sockaddr, writeSockaddr(LOOPBACK, 0, sockaddr)), "bind");
    succeeded(c.listen(fd, 16), "listen");
    succeeded(c.getsockname(fd, sockaddr, Uint32Array.of(sockaddr.length)), "getsockname");
    this.#fd = fd;
    this.port = readSockaddr(sockaddr).port;
  }

  /** Takes the next client; waits for it, and the event loop with it. */
  accept(): RawPeer {
    return new RawPeer(this.#accept(SOCK_CLOEXEC));
  }

  /** The same, with the bare descriptor of a socket that does not block. */
  acceptDescriptor(): number {
    return this.#accept(SOCK_CLOEXEC | SOCK_NONBLOCK);
  }

  #accept(flags: number): number {
    const size = SOCKADDR_IN6_BYTES;
    return succeeded(c.accept4(this.#fd, new Uint8Array(size), Uint32Array.of(size), flags), "accept4");
  }

  [Symbol.dispose](): void {
    c.close(this.#fd);
  }
}
