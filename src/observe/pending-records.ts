/**
 * Requests that have ended and are not lines of the access log yet. Lines are made many at once: code that runs between
 * system calls runs cold, and making a line there takes twice as long as making it behind another one.
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { RequestRecord } from "../ports/proxy-events.ts";

/** The most that wait. */
export const RECORDS_MAX = 64;
/** How long one waits for others, in milliseconds. */
export const RECORD_WAIT_MS = 25;

export class PendingRecords {
  readonly #clock: Clock;
  readonly #write: (record: RequestRecord) => void;
  /** BOUNDED by {@link RECORDS_MAX}. */
  readonly #records: RequestRecord[] = [];
  #timer: Timer | undefined;

  /** @param write - Makes a line of one. */
  constructor(clock: Clock, write: (record: RequestRecord) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  push(record: RequestRecord): void {
    this.#records.push(record);
    if (this.#records.length >= RECORDS_MAX) this.#writeAll();
    else this.#timer ??= this.#clock.setTimer(RECORD_WAIT_MS, () => this.flush());
  }

  /** Makes lines of all that wait. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writeAll();
  }

  #writeAll(): void {
    for (const record of this.#records.splice(0)) {
      try {
        this.#write(record);
      } catch (fault) {
        // A bug of ours: the others' lines are no less wanted, and this one would not get better by a second try.
        reportError(fault);
      }
    }
  }
}
