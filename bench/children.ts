/** The programs that a benchmark starts: none of them outlives it, however it ends. */

import type { Subprocess } from "bun";

// BOUNDED by the servers, the origin and one load generator.
const running = new Set<Subprocess>();

/** Remembers a child until it ends. Returns it. */
export function adopt<Child extends Subprocess>(child: Child): Child {
  running.add(child);
  child.exited.finally(() => running.delete(child));
  return child;
}

process.on("exit", () => {
  for (const child of running) child.kill("SIGTERM");
});
// Without a handler a signal would end us without an exit event.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
