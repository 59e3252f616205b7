/** What every TCP socket of the proxy has in common, whoever opened it. */

import {
  IPPROTO_TCP,
  type Libc,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from "./libc.ts";

export interface TcpTuning {
  /** Send small segments at once (TCP_NODELAY). */
  readonly noDelay: boolean;
  /** Silence after which the kernel asks whether the peer is still there, in milliseconds; 0 never asks. */
  readonly keepAliveMs: number;
}

const KEEPALIVE_PROBES = 5;
const cell = new Int32Array(1);

/**
 * Sets the options before `connect` or `listen`; accepted sockets inherit them from the listening one. A failure changes
 * nothing that a user would notice, so none is reported.
 */
export function tuneSocket(c: Libc, fd: number, { noDelay, keepAliveMs }: TcpTuning): void {
  const set = (level: number, name: number, value: number): void => {
    cell[0] = value;
    c.setsockopt(fd, level, name, cell, 4);
  };
  if (noDelay) set(IPPROTO_TCP, TCP_NODELAY, 1);
  if (keepAliveMs > 0) {
    const idleSeconds = Math.max(1, Math.ceil(keepAliveMs / 1000));
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, idleSeconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, Math.max(1, Math.ceil(idleSeconds / KEEPALIVE_PROBES)));
    set(IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  }
}
