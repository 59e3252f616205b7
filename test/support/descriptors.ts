/** The descriptors of another process, from outside: what it forgot to close shows here. Linux only. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** How many sockets the process and its children have open; one that is there under several numbers counts once. */
export function socketCount(pid: number): number {
  const targets = [pid, ...childrenOf(pid)].flatMap((each) => {
    const directory = `/proc/${each}/fd`;
    return readdirSync(directory).map((name) => targetOf(`${directory}/${name}`));
  });
  return new Set(targets.filter((target) => target.startsWith("socket:"))).size;
}

/** The process ids of a process's children. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
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
