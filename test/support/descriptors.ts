/** The descriptors of another process, from outside: what it forgot to close shows here. Linux only. */

import { readdirSync, readlinkSync } from "node:fs";

/** How many sockets the process has open. */
export function socketCount(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((name) => isSocket(`${directory}/${name}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch (error) {
    // Closed since the directory was read.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
