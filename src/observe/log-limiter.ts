/**
 * Keeps a flood of the same diagnostics small: of each kind a few a second are let through, the others are counted. A
 * client can cause any number of warnings; the log has to stay readable, and cheap.
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { Log, LogFields } from "../ports/log.ts";

const WINDOW_MS = 1000;
/** Kinds counted apart. They are words of the program, so there are few; this guards against a mistake of ours. */
const KINDS_MAX = 1000;

interface Window {
  readonly startMs: number;
  passed: number;
  suppressed: number;
}

/** Decides which lines pass. Pure: the time is an argument. */
export class LogLimiter {
  readonly #perSecond: number;
  /** By kind. BOUNDED by KINDS_MAX; windows that are over are forgotten. */
  readonly #windows = new Map<string, Window>();

  /** @param perSecond - How many lines of a kind may pass within a second. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Whether a line of this kind may be written now. */
  admit(kind: string, nowMs: number): boolean {
    const window = this.#windows.get(kind);
    if (window === undefined) {
      if (this.#windows.size >= KINDS_MAX) return false;
      this.#windows.set(kind, { startMs: nowMs, passed: 1, suppressed: 0 });
      return true;
    }
    if (window.passed < this.#perSecond) {
      window.passed++;
      return true;
    }
    window.suppressed++;
    return false;
  }

  /** Ends the windows that are over, and says how many lines of which kind they have held back. */
  takeEnded(nowMs: number): { readonly kind: string; readonly suppressed: number }[] {
    const ended = [...this.#windows].filter(([, { startMs }]) => nowMs - startMs >= WINDOW_MS);
    for (const [kind] of ended) this.#windows.delete(kind);
    return ended.filter(([, { suppressed }]) => suppressed > 0).map(([kind, { suppressed }]) => ({ kind, suppressed }));
  }

  /** When the first window ends, on the clock of `nowMs`; `Infinity` when there is none. */
  pollTimeout(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { startMs } of this.#windows.values()) first = Math.min(first, startMs + WINDOW_MS);
    return first;
  }
}

/** A limiter in front of a log. */
export class LimitedLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #limiter: LogLimiter;
  #timer: Timer | undefined;

  constructor(log: Log, clock: Clock, perSecond: number) {
    this.#log = log;
    this.#clock = clock;
    this.#limiter = new LogLimiter(perSecond);
  }

  /**
   * Writes a line, unless enough of its kind were written this second.
   *
   * @param kind - A word of the program, never of a client. It stands in the line that tells how many were held back.
   */
  warn(kind: string, message: string, fields?: LogFields): void {
    this.#write("warn", kind, message, fields);
  }

  /** As `warn`, for what needs nobody's attention. */
  info(kind: string, message: string, fields?: LogFields): void {
    this.#write("info", kind, message, fields);
  }

  #write(level: "warn" | "info", kind: string, message: string, fields: LogFields | undefined): void {
    const nowMs = this.#clock.nowMs();
    this.#tellSuppressed(nowMs);
    if (this.#limiter.admit(kind, nowMs)) this.#log[level](message, fields);
    this.#timer ??= this.#clock.setTimer(Math.max(0, this.#limiter.pollTimeout() - nowMs), () => this.#onTimer());
  }

  #onTimer(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    this.#tellSuppressed(nowMs);
    const nextMs = this.#limiter.pollTimeout();
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#timer = this.#clock.setTimer(Math.max(0, nextMs - nowMs), () => this.#onTimer());
    }
  }

  #tellSuppressed(nowMs: number): void {
    for (const { kind, suppressed } of this.#limiter.takeEnded(nowMs)) {
      this.#log.warn(`${kind}: ${suppressed} more suppressed`, { kind, suppressed });
    }
  }
}
