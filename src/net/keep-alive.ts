import { IPPROTO_TCP, type Libc, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from "./libc.ts";

/** How Bun has the kernel ask: every second, ten times. */
const PROBE_SECONDS = 1;
const PROBES = 10;

/** What `setKeepAlive` of Bun's sockets does. @param delayMs - Of silence, before the kernel asks for the first time. */
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
