import type { AccessLogConfig } from "../config/config.ts";
import { systemClock } from "../net/system-clock.ts";
import { type AccessLog, openAccessLog } from "../observe/access-log.ts";
import { appendAccessLogLine } from "../observe/access-log-line.ts";
import { JsonBytes } from "../observe/json-bytes.ts";
import type { Log } from "../ports/log.ts";
import type { RequestRecord } from "../ports/proxy-events.ts";

/** How long a log may take to be written at its end, in milliseconds. */
const CLOSE_MS = 2000;

/** The access log that the configuration in force names, while configurations come and go. */
export class AccessLogOutlet {
  readonly #log: Log;
  #config: AccessLogConfig;
  #current: AccessLog;
  readonly #line = new JsonBytes();

  /** @throws The error of `open` when the file cannot be opened. */
  constructor(config: AccessLogConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    this.#current = openAccessLog(config, log, systemClock);
  }

  /** Takes a line, without its newline. Never waits, never throws. */
  write(line: string): void {
    this.#current.write(line);
  }

  /**
   * Takes a request that has ended. Never waits.
   *
   * @throws {RangeError} for a time that is none; other lines are none the worse for it.
   */
  writeRecord(record: RequestRecord): void {
    if (!this.#current.isOn) return;
    const line = this.#line;
    line.cut(0);
    appendAccessLogLine(record, line);
    this.#current.writeBytes(line.bytes, line.length);
  }

  /** Opens the file anew, or the other one that `config` names; keeps the old one where that fails. */
  reopen(config: AccessLogConfig): void {
    if (config.path === this.#config.path && config.queueBytes === this.#config.queueBytes) {
      this.#current.reopen();
      return;
    }
    const old = this.#current;
    try {
      this.#current = openAccessLog(config, this.#log, systemClock);
    } catch (fault) {
      this.#log.error(`the access log stays at ${this.#config.path}: ${String(fault)}`);
      return;
    }
    this.#config = config;
    old.close(CLOSE_MS).catch((fault) => this.#log.error(`the old access log: ${String(fault)}`));
  }

  /** Writes what is kept, for a limited time. */
  async close(): Promise<void> {
    await this.#current.close(CLOSE_MS);
  }
}
