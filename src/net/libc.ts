/**
 * The few calls of the C library that Bun's sockets cannot make: sockets that say by errno why they failed, options set
 * before `connect` and `listen`, and the raw local address of a socket.
 *
 * Linux only; elsewhere {@link libc} is `undefined` and callers do with what Bun's own sockets give.
 *
 * Two rules for every caller. Pass typed arrays, never a pointer that was kept: the optimiser does not know that a call
 * reads through a saved pointer, and drops the stores before it. And read `errno` at once, before anything else runs.
 */

import { dlopen, type Pointer, toArrayBuffer } from "bun:ffi";

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  setrlimit: { args: ["i32", "ptr"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  splice: { args: ["i32", "ptr", "i32", "ptr", "u64", "u32"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" },
  recvmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr", "ptr"], returns: "i32" },
  sendmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr", "ptr"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, size: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, size: Uint32Array, flags: number): number;
  connect(fd: number, address: Uint8Array, size: number): number;
  recv(fd: number, into: Uint8Array, size: number, flags: number): number;
  send(fd: number, bytes: Uint8Array, size: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  getsockname(fd: number, address: Uint8Array, size: Uint32Array): number;
  getpeername(fd: number, address: Uint8Array, size: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | Int32Array, size: number): number;
  getsockopt(fd: number, level: number, name: number, value: Int32Array, size: Uint32Array): number;
  fcntl(fd: number, command: number, argument: number): number;
  ioctl(fd: number, request: number, argument: Int32Array): number;
  close(fd: number): number;
  memfd_create(name: Uint8Array, flags: number): number;
  ftruncate(fd: number, size: number): number;
  getrlimit(resource: number, limits: BigUint64Array): number;
  setrlimit(resource: number, limits: BigUint64Array): number;
  socketpair(domain: number, type: number, protocol: number, fds: Int32Array): number;
  pipe2(fds: Int32Array, flags: number): number;
  /** Without offsets: both ends are pipes or sockets. */
  splice(fdIn: number, offsetIn: null, fdOut: number, offsetOut: null, size: number, flags: number): number;
  read(fd: number, into: Uint8Array, size: number): number;
  write(fd: number, bytes: Uint8Array, size: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint32Array): number;
  epoll_wait(epoll: number, events: Uint32Array, eventsMax: number, timeoutMs: number): number;
  /** `memory`, which the messages point into, is no argument of the call: see the rule on pointers above. */
  recvmmsg(fd: number, messages: Uint32Array, count: number, flags: number, timeout: null, memory: Uint8Array): number;
  /** `memory` and `staging`, which the messages point into, are no arguments of the call, either. */
  sendmmsg(
    fd: number,
    messages: Uint32Array,
    count: number,
    flags: number,
    memory: Uint8Array,
    staging: Uint8Array,
  ): number;
  /** The error number that the last failed call of this thread left. */
  errno(): number;
}

/** Numbers of Linux's generic ABI, the same on x64 and arm64. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_BINDTODEVICE = 25;
export const SO_MARK = 36;
export const IPPROTO_IP = 0;
export const IP_RECVERR = 11;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const IPPROTO_IPV6 = 41;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLPRI = 2;
export const EPOLLOUT = 4;
export const EPOLLERR = 8;
export const EPOLLHUP = 16;
export const EPOLLRDHUP = 0x2000;
/** As a signed number, as which it leaves the others' sum the same. */
export const EPOLLET: number = 1 << 31;
export const SHUT_WR = 1;
export const RLIMIT_NOFILE = 7;
/** Bytes that the kernel has taken for sending and the peer has not acknowledged. */
export const SIOCOUTQ = 0x5411;

function open(): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  // glibc's name first; musl's library answers to the other.
  const { symbols } = openFirst(["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]);
  const location = symbols.__errno_location() as Pointer;
  const errnoCell = new Int32Array(toArrayBuffer(location, 0, 4));
  return Object.assign(Object.create(null), symbols, { errno: () => errnoCell[0] as number });
}

function openFirst(names: readonly string[]): ReturnType<typeof dlopen<typeof SYMBOLS>> {
  const faults: unknown[] = [];
  for (const name of names) {
    try {
      return dlopen(name, SYMBOLS);
    } catch (fault) {
      faults.push(fault);
    }
  }
  throw new AggregateError(faults, `cannot open the C library (${names.join(", ")})`);
}

/** The C library, on Linux. */
export const libc: Libc | undefined = open();
