/** The descriptors of another process, from outside: what it forgot to close shows here. Linux only. */

import { readdirSync, readlinkSync } from "node:fs";

/** How many sockets the process has open; one that it has under several numbers counts once. */
export function socketCount(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  const targets = readdirSync(directory).map((name) => targetOf(`${directory}/${name}`));
  return new Set(targets.filter((target) => target.startsWith("socket:"))).size;
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Closed since the directory was read.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
