/** A server that some test needs beside the proxy. */

import { LineLog } from "./line-log.ts";

export interface Background extends AsyncDisposable {
  /** Both of its outputs. */
  readonly log: LineLog;
}

/** Starts a program and waits until a line of its output, stdout or stderr, matches `ready`. */
export async function startBackground(command: readonly string[], ready: RegExp): Promise<Background> {
  const child = Bun.spawn([...command], { stdio: ["ignore", "pipe", "pipe"] });
  const log = new LineLog(command.join(" "));
  const ended = Promise.all([log.collect(child.stdout), log.collect(child.stderr)]);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.exited;
    await ended;
  };
  try {
    await log.waitFor((line) => ready.test(line));
  } catch (error) {
    await stop();
    throw error;
  }
  return { log, [Symbol.asyncDispose]: stop };
}
