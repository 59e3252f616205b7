import type { Log } from "../ports/log.ts";

/** A bug that one connection meets ends that connection; thousands of others have nothing to do with it. */
export function surviveBugs(log: Log): void {
  const report = (fault: unknown): void =>
    log.error(`a bug of Sockeye: ${String(fault)}`, { stack: fault instanceof Error ? fault.stack : undefined });
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}
