/** The timers of an association, by their names in RFC 9260. */

/** What can be due. */
export type TimerName =
  /** T1-init: the INIT was not answered (§5.1). */
  | "t1-init"
  /** T1-cookie: the COOKIE ECHO was not answered (§5.1). */
  | "t1-cookie"
  /** T2-shutdown: SHUTDOWN or SHUTDOWN ACK was not answered (§9.2). */
  | "t2-shutdown"
  /** T3-rtx: DATA was not acknowledged (§6.3), or waits for the peer's window (§6.1). */
  | "t3-rtx"
  /** T5-shutdown-guard: the whole of the shutdown takes too long (§9.2). */
  | "t5-guard"
  /** A SACK was held back for long enough (§6.2). */
  | "sack"
  /** Time to ask whether the peer is there (§8.3). */
  | "heartbeat"
  /** The peer did not say that it is there (§8.3). */
  | "heartbeat-answer";

/** Deadlines by name. BOUNDED by the number of names. */
export class Timers {
  readonly #deadlines = new Map<TimerName, number>();

  /** Starts the timer, or starts it again. */
  start(name: TimerName, atMs: number): void {
    this.#deadlines.set(name, atMs);
  }

  /** Stops the timer, if it runs. */
  stop(name: TimerName): void {
    this.#deadlines.delete(name);
  }

  stopAll(): void {
    this.#deadlines.clear();
  }

  isRunning(name: TimerName): boolean {
    return this.#deadlines.has(name);
  }

  /** The earliest deadline; `Infinity` when no timer runs. */
  next(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const atMs of this.#deadlines.values()) earliest = Math.min(earliest, atMs);
    return earliest;
  }

  /** Takes one timer that is due and stops it; `undefined` when none is. */
  takeDue(nowMs: number): TimerName | undefined {
    for (const [name, atMs] of this.#deadlines) {
      if (atMs > nowMs) continue;
      this.#deadlines.delete(name);
      return name;
    }
    return undefined;
  }
}
