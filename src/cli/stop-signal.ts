/** SIGTERM and SIGINT: the first asks the program to stop, the second ends it at once. */

import type { Clock } from "../ports/clock.ts";

/**
 * How long after the first SIGINT another one may be its echo, in milliseconds. On Ctrl-C the terminal signals us, and npm,
 * which it signals as well, passes it on to us once more.
 */
const ECHO_MS = 500;

type StopSignalName = "SIGTERM" | "SIGINT";

export interface StopSignalOptions {
  readonly clock: Pick<Clock, "nowMs">;
  /** Whether npm has started the program and passes its signals on. */
  readonly isUnderNpm: boolean;
  /** Calls the listener at every such signal. */
  readonly on: (name: StopSignalName, listener: () => void) => void;
  /** Ends the program. */
  readonly exit: () => void;
}

/** Resolves at the first signal. */
export function stopSignal({ clock, isUnderNpm, on, exit }: StopSignalOptions): Promise<void> {
  return new Promise((resolve) => {
    let first: { readonly name: StopSignalName; readonly atMs: number } | undefined;
    const handle = (name: StopSignalName): void => {
      if (first === undefined) {
        first = { name, atMs: clock.nowMs() };
        resolve();
        return;
      }
      const isInterrupt = name === "SIGINT" && first.name === "SIGINT";
      const isEcho = isUnderNpm && isInterrupt && clock.nowMs() - first.atMs < ECHO_MS;
      if (!isEcho) exit();
    };
    on("SIGTERM", () => handle("SIGTERM"));
    on("SIGINT", () => handle("SIGINT"));
  });
}
