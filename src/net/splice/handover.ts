/**
 * How a connected socket leaves Bun and comes back, while the connection itself notices nothing.
 *
 * Leaving: a duplicate of the descriptor is made, and Bun is told to end its own. It takes the descriptor out of its event
 * loop, sets it to be reset on close, and closes it; as the duplicate is still open, nothing is sent, and the option is
 * taken back. Coming home: the descriptor is given to Bun like any other.
 */

import type { Socket, SocketHandler } from "bun";
import type { SocketOwner, Stream } from "../../ports/socket.ts";
import { endFaultySocket } from "../handler-fault.ts";
import {
  F_DUPFD_CLOEXEC,
  IPPROTO_TCP,
  type Libc,
  SO_KEEPALIVE,
  SO_LINGER,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from "../libc.ts";

const NO_LINGER = Int32Array.of(0, 0);
const RESET_ON_CLOSE = Int32Array.of(1, 0);
const LINGER_BYTES = 8;
/** How Bun has the kernel ask: every second, ten times. */
const PROBE_SECONDS = 1;
const PROBES = 10;

/** Hears the last words of a socket that Bun has given up. */
const NOBODY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};

/** A second descriptor of the socket; negative when there is none left. */
export function duplicate(libc: Libc, stream: Stream): number {
  // `fd` is missing in Bun's types.
  const { fd } = stream as unknown as { readonly fd: number };
  return fd < 0 ? -1 : libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/** Makes Bun forget the socket, of which `fd` is a duplicate. */
export function release(libc: Libc, stream: Stream, fd: number): void {
  (stream as Stream & { data: SocketOwner }).data = NOBODY;
  stream.terminate();
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, LINGER_BYTES);
}

/** Closes the descriptor with RST, or without where the connection has failed already. */
export function closeWithReset(libc: Libc, fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE, LINGER_BYTES);
  libc.close(fd);
}

/** What `setKeepAlive` of Bun's sockets does. */
export function setKeepAlive(libc: Libc, fd: number, isOn: boolean, delayMs: number): boolean {
  const set = (level: number, name: number, value: number): boolean =>
    libc.setsockopt(fd, level, name, Int32Array.of(value), 4) === 0;
  if (!isOn) return set(SOL_SOCKET, SO_KEEPALIVE, 0);
  const idleSeconds = Math.max(1, Math.floor(delayMs / 1000));
  return (
    set(SOL_SOCKET, SO_KEEPALIVE, 1) &&
    set(IPPROTO_TCP, TCP_KEEPIDLE, idleSeconds) &&
    set(IPPROTO_TCP, TCP_KEEPINTVL, PROBE_SECONDS) &&
    set(IPPROTO_TCP, TCP_KEEPCNT, PROBES)
  );
}

/**
 * Gives the descriptor to Bun. `drain` follows when it can be written to, and `end` once more where FIN had been read.
 *
 * @param finSent - Whether our FIN is out. Bun does not know, and would wait for it.
 */
export function adopt(fd: number, owner: SocketOwner, finSent: boolean): Stream {
  let adopted: Socket<SocketOwner> | undefined;
  const open = (socket: Socket<SocketOwner>): void => {
    adopted = socket;
  };
  // `fd` is missing in Bun's types.
  const options = { fd, allowHalfOpen: true, data: owner, socket: { ...HANDLERS, open } };
  const promise = Bun.connect(options as unknown as Parameters<typeof Bun.connect<SocketOwner>>[0]);
  // `open` is called before this returns, and what fails later is told by `close`.
  promise.catch(() => undefined);
  if (adopted === undefined) throw new Error("Bun did not take a connected socket at once");
  const stream: Socket<SocketOwner> = adopted;
  if (finSent) stream.shutdown();
  return stream;
}

const HANDLERS: SocketHandler<SocketOwner> = {
  data: (socket, chunk) => socket.data.handleData(chunk),
  drain: (socket) => socket.data.handleDrain(),
  end: (socket) => socket.data.handleEnd(),
  close: (socket, fault) => socket.data.handleClose((fault as { code?: string } | undefined)?.code),
  error: endFaultySocket,
};
