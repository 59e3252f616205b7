/**
 * Memory that several processes of one program see: an anonymous file (memfd_create), handed on by its descriptor, so that
 * nothing lies in a file system and nothing is left when the last process is gone. Linux only.
 */

import { errnoName } from "./errno.ts";
import { libc } from "./libc.ts";

export interface SharedMemory {
  /** To be inherited by the processes that share it. */
  readonly fd: number;
  readonly bytes: Uint8Array;
}

/** Makes `size` bytes of zeros. @throws an Error that names the error number. */
export function createSharedMemory(name: string, size: number): SharedMemory {
  if (libc === undefined) throw new Error("shared memory needs Linux");
  const fd = libc.memfd_create(new TextEncoder().encode(`${name}\0`), 0);
  if (fd < 0) throw new Error(`memfd_create: ${errnoName(libc.errno())}`);
  if (libc.ftruncate(fd, size) < 0) {
    const code = errnoName(libc.errno());
    libc.close(fd);
    throw new Error(`ftruncate: ${code}`);
  }
  return openSharedMemory(fd);
}

/** Maps what another process has made and this one has inherited. */
export function openSharedMemory(fd: number): SharedMemory {
  return { fd, bytes: Bun.mmap(`/proc/self/fd/${fd}`, { shared: true }) };
}
