/**
 * One attempt to connect to one address, with the true reason when it fails.
 *
 * `Bun.connect({ hostname })` reports unreachable networks and hosts as refused. So on Linux the socket is made and
 * connected by system calls, where errno is honest, and then watched by a poller of ours. Where there is none, it is given to
 * Bun by its descriptor: there `open` fires before the connection stands; `drain` says that it stands, `close` that it
 * failed, with the true code.
 */

import type { Socket, SocketHandler } from "bun";
import { formatIp } from "../bytes/ip.ts";
import type { Dial, Dialer, DialListener, DialOptions } from "../ports/dialer.ts";
import type { Endpoint, SocketOwner } from "../ports/socket.ts";
import { PolledDial } from "./epoll/polled-dial.ts";
import type { Poller } from "./epoll/poller.ts";
import { EINPROGRESS, errnoName } from "./errno.ts";
import { endFaultySocket } from "./handler-fault.ts";
import {
  AF_INET,
  AF_INET6,
  IP_BIND_ADDRESS_NO_PORT,
  IPPROTO_IP,
  type Libc,
  libc,
  SO_BINDTODEVICE,
  SO_MARK,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./libc.ts";
import { SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";
import { localEndpoint, type TcpTuning } from "./tcp-socket.ts";

const NOWHERE: Endpoint = { ip: new Uint8Array(4), port: 0 };

/** Of an attempt that is over before anybody could have given it up. */
const ENDED: Dial = { cancel: () => undefined };

const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
const optionCell = new Int32Array(1);

export class TcpDialer implements Dialer {
  readonly #tuning: TcpTuning;
  readonly #poller: Poller | undefined;

  /** @param poller - Where it is ready, sockets are our own; else Bun's. */
  constructor(tuning: TcpTuning, poller?: Poller) {
    this.#tuning = tuning;
    this.#poller = poller;
  }

  dial(ip: Uint8Array, port: number, options: DialOptions, listener: DialListener): Dial {
    if (libc !== undefined && this.#poller?.isReady)
      return this.#dialPolled(libc, this.#poller, ip, port, options, listener);
    const attempt = new Attempt(listener, this.#tuning.noDelay);
    if (libc === undefined) {
      const target = { hostname: formatIp(ip), port };
      attempt.follow(Bun.connect({ ...target, allowHalfOpen: true, socket: HANDLERS, data: attempt }));
      return attempt;
    }
    const fd = connectingSocket(libc, ip, port, options);
    if (typeof fd === "string") {
      attempt.fail(fd);
      return attempt;
    }
    // `fd` is missing in Bun's types.
    const byDescriptor = { fd, allowHalfOpen: true, socket: HANDLERS, data: attempt };
    attempt.follow(Bun.connect(byDescriptor as unknown as Parameters<typeof Bun.connect<SocketOwner>>[0]));
    return attempt;
  }

  #dialPolled(
    c: Libc,
    poller: Poller,
    ip: Uint8Array,
    port: number,
    options: DialOptions,
    listener: DialListener,
  ): Dial {
    const fd = connectingSocket(c, ip, port, options);
    if (typeof fd === "string") {
      listener.onFailed(fd);
      return ENDED;
    }
    const dial = new PolledDial(c, poller, fd, this.#tuning.noDelay, listener);
    dial.start();
    return dial;
  }
}

/** A socket whose connect is under way, or the code of the error that ended it at once. */
function connectingSocket(c: Libc, ip: Uint8Array, port: number, options: DialOptions): number | string {
  const family = ip.length === 4 ? AF_INET : AF_INET6;
  const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errnoName(c.errno());
  if (options.mark !== undefined) {
    optionCell[0] = options.mark;
    if (c.setsockopt(fd, SOL_SOCKET, SO_MARK, optionCell, 4) < 0) return failed(c, fd);
  }
  if (options.interfaceName !== undefined) {
    const name = new TextEncoder().encode(`${options.interfaceName}\0`);
    if (c.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) < 0) return failed(c, fd);
  }
  if (options.localAddress !== undefined) {
    // The port is chosen at connect, when the whole four-tuple is known: otherwise ports run out early.
    optionCell[0] = 1;
    if (c.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, optionCell, 4) < 0) return failed(c, fd);
    if (c.bind(fd, sockaddr, writeSockaddr(options.localAddress, 0, sockaddr)) < 0) return failed(c, fd);
  }
  if (c.connect(fd, sockaddr, writeSockaddr(ip, port, sockaddr)) < 0 && c.errno() !== EINPROGRESS) return failed(c, fd);
  return fd;
}

/** Closes a socket on which a call has failed just now; returns the code of the error. */
function failed(c: Libc, fd: number): string {
  const code = errnoName(c.errno());
  c.close(fd);
  return code;
}

class Attempt implements Dial, SocketOwner {
  #listener: DialListener | undefined;
  #socket: Socket<SocketOwner> | undefined;

  readonly #noDelay: boolean;

  constructor(listener: DialListener, noDelay: boolean) {
    this.#listener = listener;
    this.#noDelay = noDelay;
  }

  /** The promise repeats what the handlers say, or says what never reached them. */
  follow(connecting: Promise<unknown>): void {
    connecting.catch((fault: { code?: string }) => this.fail(fault.code ?? "EIO"));
  }

  handleOpen(socket: Socket<SocketOwner>): void {
    this.#socket = socket;
    if (this.#listener === undefined) socket.terminate();
    // Without the C library, `open` comes when the connection stands.
    else if (libc === undefined) this.handleDrain();
  }

  handleDrain(): void {
    const listener = this.#listener;
    const socket = this.#socket;
    if (listener === undefined || socket === undefined) return;
    this.#listener = undefined;
    if (!this.#noDelay) socket.setNoDelay(false);
    // Where the socket has died in this very moment its close follows, and no longer matters what it was called.
    listener.onConnected(socket, localEndpoint(socket) ?? NOWHERE);
  }

  handleData(chunk: Uint8Array): void {
    this.#handOver()?.handleData(chunk);
  }

  handleEnd(): void {
    this.#handOver()?.handleEnd();
  }

  /** `drain` says that the connection stands; but of one that was reset meanwhile Bun gives the bytes first. */
  #handOver(): SocketOwner | undefined {
    this.handleDrain();
    const owner = this.#socket?.data;
    return owner === this ? undefined : owner;
  }

  handleClose(code: string | undefined): void {
    this.fail(code ?? "ECONNRESET");
  }

  fail(code: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onFailed(code);
  }

  cancel(): void {
    this.#listener = undefined;
    this.#socket?.terminate();
  }
}

const HANDLERS: SocketHandler<SocketOwner> = {
  open: (socket) => (socket.data as Attempt).handleOpen(socket),
  data: (socket, chunk) => socket.data.handleData(chunk),
  drain: (socket) => socket.data.handleDrain(),
  end: (socket) => socket.data.handleEnd(),
  close: (socket, fault) => socket.data.handleClose((fault as { code?: string } | undefined)?.code),
  error: endFaultySocket,
  connectError: (socket, fault) => socket.data.handleClose((fault as { code?: string }).code),
};
