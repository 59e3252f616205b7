/** The diagnostics log: levelled lines on stderr, which may be slow, full or gone without any harm. */

import { isatty } from "node:tty";
import type { Clock } from "../ports/clock.ts";
import type { Log, LogFields } from "../ports/log.ts";
import { LineWriter } from "./line-writer.ts";
import { formatJson, formatText, LOG_LEVELS, type LogLevel } from "./log-format.ts";

export interface StderrLogOptions {
  readonly level: LogLevel;
  /** "auto": text on a terminal, JSON elsewhere. */
  readonly format: "auto" | "json" | "text";
}

/** A log that can be told to change and to end. */
export interface StderrLog extends Log {
  /** Changes level and format, as after a reload. */
  configure(options: StderrLogOptions): void;
  /** Writes what is kept, for at most `limitMs` milliseconds. Later lines are dropped. */
  close(limitMs: number): Promise<void>;
}

const STDERR = 2;
/** Bytes of diagnostics kept while stderr takes none: some thousands of lines. */
const QUEUE_BYTES_MAX = 1_048_576;

/** The log on stderr. A line is written at once where stderr takes it; what it does not take is kept, and then dropped. */
export function openStderrLog(options: StderrLogOptions, clock: Clock): StderrLog {
  // Not process.stderr: making that stream sets flags on the descriptor that the shell shares with us.
  const isTerminal = isatty(STDERR);
  const writer = new LineWriter(
    {
      target: { kind: "descriptor", fd: STDERR },
      queueBytesMax: QUEUE_BYTES_MAX,
      immediate: true,
      // There is nowhere to say that stderr is in trouble. Once it works again, the log says what is missing.
      onChange: (change) => {
        if (change.kind === "recovered" && change.lostLines > 0) {
          queueMicrotask(() => log.warn("diagnostics were lost: stderr was slow", { lost_lines: change.lostLines }));
        }
      },
    },
    clock,
  );
  const log = createLog(options, { isTerminal, write: (line) => writer.write(line), wallMs: () => clock.wallMs() });
  return { ...log, close: (limitMs) => writer.close(limitMs) };
}

export interface LogOutput {
  readonly isTerminal: boolean;
  write(line: string): void;
  /** Milliseconds since 1970. */
  wallMs(): number;
}

/** A log that hands its lines to `output`. */
export function createLog(options: StderrLogOptions, output: LogOutput): Log & Pick<StderrLog, "configure"> {
  const colour = output.isTerminal && !process.env["NO_COLOR"];
  let lowest = 0;
  let isJson = false;
  const configure = ({ level, format }: StderrLogOptions): void => {
    lowest = LOG_LEVELS.indexOf(level);
    isJson = format === "json" || (format === "auto" && !output.isTerminal);
  };
  const at = (level: LogLevel) => {
    const rank = LOG_LEVELS.indexOf(level);
    return (message: string, fields?: LogFields): void => {
      if (rank < lowest) return;
      const entry = { wallMs: output.wallMs(), level, message, fields };
      output.write(isJson ? formatJson(entry) : formatText(entry, colour));
    };
  };
  configure(options);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), configure };
}
