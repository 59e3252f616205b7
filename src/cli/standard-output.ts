/** What a command prints for whoever asked: its result, its help. */

import { ExitStatus } from "./exit-status.ts";

let isWatched = false;

/**
 * Writes to stdout. A full disk or a reader that has gone is said in one line on stderr, and in the exit status: a script
 * must not take nothing for an answer.
 */
export function print(text: string | Uint8Array): void {
  if (!isWatched) {
    isWatched = true;
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      // Whoever has closed the pipe, as `head` does, has read what he wanted.
      if (error.code !== "EPIPE") process.stderr.write(`sockeye: Cannot write to stdout: ${error.code}\n`);
      process.exitCode = ExitStatus.Failed;
    });
  }
  process.stdout.write(text);
}
