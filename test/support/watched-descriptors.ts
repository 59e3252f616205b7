/** What the epoll instances of another process watch, as the kernel tells it (proc_pid_fdinfo(5)). Linux only. */

import { readdirSync, readFileSync } from "node:fs";

/**
 * How many descriptors of this process are watched by an epoll instance of ours, beside Bun's own, which is the one that
 * watches the others.
 */
export function watchedOutsideBun(pid: number): number {
  const instances = readdirSync(`/proc/${pid}/fdinfo`).flatMap((fd) => {
    const watched = watchedBy(pid, fd);
    return watched.length === 0 ? [] : [{ fd: Number(fd), watched }];
  });
  const inner = instances.filter(({ fd }) => instances.some(({ watched }) => watched.includes(fd)));
  return inner.reduce((sum, { watched }) => sum + watched.length, 0);
}

/** The descriptors that an epoll instance watches; none where it is no such instance. */
function watchedBy(pid: number, fd: string): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
    return [...text.matchAll(/^tfd:\s+(\d+)/gm)].map((match) => Number(match[1]));
  } catch {
    // Closed meanwhile.
    return [];
  }
}
