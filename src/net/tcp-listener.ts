/**
 * A listening socket whose accepting can be paused.
 *
 * On Linux the socket is made by system calls, and its clients are accepted by a poller of ours, or by Bun, which gets a
 * duplicate of the descriptor. Pausing takes the socket from the poller, or closes the duplicate: the kernel goes on queueing
 * clients, and nobody is lost or woken for nothing while no descriptors are left. Closing the last descriptor really stops
 * listening.
 */

import type { SocketHandler, TCPSocketListener } from "bun";
import { formatEndpoint, formatIp, parseIp } from "../bytes/ip.ts";
import type { AcceptPeer } from "../ports/peer-listener.ts";
import type { SocketOwner } from "../ports/socket.ts";
import { PolledListener } from "./epoll/polled-listener.ts";
import type { Poller } from "./epoll/poller.ts";
import { errnoName } from "./errno.ts";
import { endFaultySocket } from "./handler-fault.ts";
import {
  AF_INET,
  AF_INET6,
  F_DUPFD_CLOEXEC,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  type Libc,
  libc,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "./libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";
import { remoteEndpoint, type TcpTuning } from "./tcp-socket.ts";

export interface ListenOptions extends TcpTuning {
  /** An IP literal. */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** How many clients the kernel queues before they are accepted. */
  readonly backlog: number;
  /** Keep an IPv6 wildcard from taking IPv4 clients too. */
  readonly ipv6Only: boolean;
  /** Share the port with other processes of this user (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

/** A listener that could not be opened. `code` is the name of the error number. */
export class ListenError extends Error {
  readonly code: string;
  constructor(address: string, port: number, code: string) {
    super(`cannot listen on ${formatEndpoint(address, port)}: ${REASONS[code] ?? code}`);
    this.name = "ListenError";
    this.code = code;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use by another program; stop that one or choose another port (EADDRINUSE)",
  EADDRNOTAVAIL: "this machine has no such address (EADDRNOTAVAIL)",
  EAFNOSUPPORT: "this machine has no IPv6 (EAFNOSUPPORT)",
  EACCES: "ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose a higher port (EACCES)",
};

/** Who accepts the clients of a listening socket. */
interface Accepting {
  stop(): void;
}

export class TcpListener {
  /** The address and port that are really bound. */
  readonly address: string;
  readonly port: number;
  readonly #start: () => Accepting;
  /** Whether it is known whose sockets serve. */
  readonly #isSettled: () => boolean;
  /** Our own descriptor of the listening socket; -1 where Bun has the only one. */
  readonly #fd: number;
  #isPaused = false;
  #isClosed = false;
  #accepting: Accepting | undefined;

  /**
   * @param poller - Where its clients are served by sockets of our own; absent, or not ready in the end: by Bun's.
   * @throws {ListenError}
   */
  constructor(options: ListenOptions, accept: AcceptPeer, poller?: Poller) {
    if (libc === undefined) {
      const { address, port, backlog, reusePort } = options;
      const handlers = handlersFor(accept, options.noDelay);
      // Every socket gets its owner in `open`; there is no data before.
      const listen = (wantedPort: number): TCPSocketListener<SocketOwner> => {
        const where = { hostname: address, port: wantedPort, backlog, reusePort };
        return Bun.listen({
          ...where,
          allowHalfOpen: true,
          socket: handlers,
        } as Bun.TCPSocketListenOptions<SocketOwner>);
      };
      const first = startOrExplain(options, () => listen(port));
      this.#fd = -1;
      this.#isSettled = () => true;
      this.#start = () => listen(this.port);
      this.#accepting = first;
      this.address = address;
      this.port = first.port;
      return;
    }
    const c = libc;
    const fd = listeningSocket(c, options);
    this.#fd = fd;
    const bound = boundEndpoint(c, fd);
    this.address = bound.address;
    this.port = bound.port;
    this.#isSettled = () => poller?.isSettled ?? true;
    this.#start = () => {
      if (!poller?.isReady) return acceptByBun(c, fd, options, accept);
      const accepting = new PolledListener(c, poller, fd, accept);
      if (!accepting.start()) throw new ListenError(options.address, options.port, "ENOMEM");
      return accepting;
    };
    try {
      // Who comes before the poller is settled waits in the kernel's queue.
      if (poller === undefined) this.#accepting = this.#start();
      else poller.whenSettled(() => this.#accept());
    } catch (fault) {
      c.close(fd);
      throw fault;
    }
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Accepts nobody until `resume`; the kernel queues who comes. Does nothing where the listener cannot be paused. */
  pause(): void {
    if (this.#fd < 0) return;
    this.#isPaused = true;
    this.#accepting?.stop();
    this.#accepting = undefined;
  }

  /** @throws {ListenError} when there is no descriptor left for it. */
  resume(): void {
    this.#isPaused = false;
    this.#accept();
  }

  #accept(): void {
    if (this.#isClosed || this.#isPaused || !this.#isSettled()) return;
    this.#accepting ??= this.#start();
  }

  /** Stops listening. Accepted sockets live on. */
  close(): void {
    this.#isClosed = true;
    this.#accepting?.stop();
    this.#accepting = undefined;
    if (this.#fd >= 0) libc?.close(this.#fd);
  }
}

/** Gives Bun a duplicate: it closes what it has been given when it stops accepting. */
function acceptByBun(c: Libc, listening: number, options: ListenOptions, accept: AcceptPeer): Accepting {
  const fd = c.fcntl(listening, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) throw new ListenError(options.address, options.port, errnoName(c.errno()));
  // `fd` is missing in Bun's types.
  const byDescriptor = { fd, allowHalfOpen: true, socket: handlersFor(accept, options.noDelay) };
  return Bun.listen(byDescriptor as unknown as Bun.TCPSocketListenOptions<SocketOwner>);
}

function listeningSocket(c: Libc, options: ListenOptions): number {
  const fd = boundSocket(c, options);
  // What is accepted inherits it.
  if (options.noDelay) c.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, Int32Array.of(1), 4);
  if (c.listen(fd, options.backlog) < 0) {
    const code = errnoName(c.errno());
    c.close(fd);
    throw new ListenError(options.address, options.port, code);
  }
  return fd;
}

type BindOptions = Pick<ListenOptions, "address" | "port" | "ipv6Only" | "reusePort">;

function boundSocket(c: Libc, { address, port, ipv6Only, reusePort }: BindOptions): number {
  const ip = parseIp(address);
  if (ip === undefined) throw new ListenError(address, port, "EINVAL");
  const failed = (fd: number): never => {
    const code = errnoName(c.errno());
    if (fd >= 0) c.close(fd);
    throw new ListenError(address, port, code);
  };
  const family = ip.length === 4 ? AF_INET : AF_INET6;
  const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) failed(fd);
  const set = (level: number, name: number, value: number): void => {
    if (c.setsockopt(fd, level, name, Int32Array.of(value), 4) < 0) failed(fd);
  };
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (reusePort) set(SOL_SOCKET, SO_REUSEPORT, 1);
  if (family === AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0);
  const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
  if (c.bind(fd, sockaddr, writeSockaddr(ip, port, sockaddr)) < 0) failed(fd);
  return fd;
}

/** A port that is bound and not listened on. */
export interface ReservedPort {
  readonly port: number;
  close(): void;
}

/**
 * Keeps a port for listeners of this and other processes that share it (SO_REUSEPORT). Linux only.
 *
 * @throws {ListenError} when anybody else has it, a program of our own that shares ports included.
 */
export function reservePort(options: Omit<BindOptions, "reusePort">): ReservedPort {
  const c = libc;
  if (c === undefined) throw new ListenError(options.address, options.port, "ENOPROTOOPT");
  // Alone first: two servers of one user that share ports would otherwise both believe that the port is theirs.
  if (options.port !== 0) c.close(listeningSocket(c, { ...options, reusePort: false, backlog: 1, noDelay: true }));
  const fd = boundSocket(c, { ...options, reusePort: true });
  return { port: boundEndpoint(c, fd).port, close: () => void c.close(fd) };
}

function boundEndpoint(c: Libc, fd: number): { address: string; port: number } {
  const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
  if (c.getsockname(fd, sockaddr, Uint32Array.of(sockaddr.length)) < 0) throw new Error(errnoName(c.errno()));
  const { ip, port } = readSockaddr(sockaddr);
  return { address: formatIp(ip), port };
}

function startOrExplain(
  { address, port }: ListenOptions,
  start: () => TCPSocketListener<SocketOwner>,
): TCPSocketListener<SocketOwner> {
  try {
    return start();
  } catch (fault) {
    throw new ListenError(address, port, (fault as { code?: string }).code ?? String(fault));
  }
}

function handlersFor(accept: AcceptPeer, noDelay: boolean): SocketHandler<SocketOwner> {
  return {
    open: (socket) => {
      if (!noDelay) socket.setNoDelay(false);
      socket.data = accept(socket, remoteEndpoint(socket));
    },
    data: (socket, chunk) => socket.data.handleData(chunk),
    drain: (socket) => socket.data.handleDrain(),
    end: (socket) => socket.data.handleEnd(),
    close: (socket, fault) => socket.data.handleClose((fault as { code?: string } | undefined)?.code),
    error: endFaultySocket,
  };
}
