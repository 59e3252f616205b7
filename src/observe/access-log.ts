/** The access log: a line for each finished request, to a file or to stdout, without ever making a tunnel wait. */

import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { LineWriter, type WriterChange } from "./line-writer.ts";

export interface AccessLog {
  /** Whether lines go anywhere: making them can be saved otherwise. */
  readonly isOn: boolean;
  /** Takes a line, without its newline. Never waits, never throws. */
  write(line: string): void;
  /** The same of the first `length` bytes of `line`, which stay the caller's. */
  writeBytes(line: Buffer, length: number): void;
  /** Opens the file anew, for log rotation. */
  reopen(): void;
  /** Writes what is kept, for at most `limitMs` milliseconds. */
  close(limitMs: number): Promise<void>;
  /** Lines dropped since the start. */
  lost(): number;
}

export interface AccessLogOptions {
  /** A file, "-" for stdout, "off" for none. */
  readonly path: string;
  /** Bytes of lines kept while they cannot be written. */
  readonly queueBytes: number;
}

const STDOUT = 1;

const NO_ACCESS_LOG: AccessLog = {
  isOn: false,
  write: () => undefined,
  writeBytes: () => undefined,
  reopen: () => undefined,
  close: () => Promise.resolve(),
  lost: () => 0,
};

/** @throws The error of `open` when the file cannot be opened. */
export function openAccessLog({ path, queueBytes }: AccessLogOptions, log: Log, clock: Clock): AccessLog {
  if (path === "off") return NO_ACCESS_LOG;
  return new LineWriter(
    {
      target: path === "-" ? { kind: "descriptor", fd: STDOUT } : { kind: "file", path },
      queueBytesMax: queueBytes,
      immediate: false,
      onChange: (change) => tell(change, path === "-" ? "stdout" : path, log),
    },
    clock,
  );
}

function tell(change: WriterChange, target: string, log: Log): void {
  switch (change.kind) {
    case "failing":
      log.warn("the access log cannot be written; its lines are kept, up to access_log.queue_bytes", {
        target,
        error: change.code,
      });
      return;
    case "not-reopened":
      log.error("the access log cannot be opened anew; the old file stays in use", { target, error: change.code });
      return;
    case "losing":
      log.warn("the access log loses lines: access_log.queue_bytes is reached", { target });
      return;
    case "recovered":
      log.info("the access log is written again", { target, lost_lines: change.lostLines });
      return;
    case "ended-short":
      log.error("the access log ends without its last lines: they could not be written in time", {
        target,
        lost_lines: change.lostLines,
      });
      return;
    default:
      change satisfies never;
  }
}
