/** Small calls on a connected descriptor that more than one keeper of descriptors makes. */

import { errnoName } from "../errno.ts";
import { type Libc, SO_ERROR, SO_LINGER, SOL_SOCKET } from "../libc.ts";

const RESET_ON_CLOSE = Int32Array.of(1, 0);
const LINGER_BYTES = 8;
const cell = new Int32Array(1);
const cellSize = new Uint32Array(1);

/** Has the coming `close` send RST, where the connection has not failed before. */
export function resetOnClose(libc: Libc, fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE, LINGER_BYTES);
}

/** Takes the error that the socket has failed with: its name. The kernel tells it once; "ECONNRESET" where it has none. */
export function takeError(libc: Libc, fd: number): string {
  cellSize[0] = 4;
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, cell, cellSize);
  const errno = cell[0] as number;
  return errno === 0 ? "ECONNRESET" : errnoName(errno);
}
