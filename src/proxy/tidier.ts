/**
 * Gives back the memory of clients that have left, once things have calmed down.
 *
 * A collector of garbage works when memory is asked for. After a rush nobody asks, and what thousands of clients have left
 * behind would stay with the program for hours. A whole collection stops the program for some milliseconds, so it waits for
 * a calm moment, and it never takes more than a two-hundredth of the time.
 */

import type { Clock } from "../ports/clock.ts";
import { Deadline, type TimerWheel } from "../time/timer-wheel.ts";

/** Clients that must have left before their memory is worth a collection … */
export const TIDY_LEFT_MIN = 2000;
/** … and their share of those who are still there, since a collection takes the longer the more there are. */
export const TIDY_LEFT_SHARE = 0.25;
/** It is calm when no more than this many have left since the last look. */
export const TIDY_CALM_MAX = 64;
/** From one look to the next, in milliseconds, while there is something to be given back. */
export const TIDY_LOOK_MS = 1000;
/** A collection is followed by this many times as long without one. */
const TIDY_REST = 200;

export interface TidierOptions {
  /** Clients that are there now. */
  readonly clients: () => number;
  /** Frees what nobody refers to any more, all of it. */
  readonly collect: () => void;
}

export class Tidier {
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #options: TidierOptions;
  readonly #look = new Deadline((nowMs) => this.#handleLook(nowMs));
  /** Since the last collection, and how many of them the last look has seen. */
  #left = 0;
  #seen = 0;
  #restUntilMs = 0;

  constructor({ clock, wheel }: { readonly clock: Clock; readonly wheel: TimerWheel }, options: TidierOptions) {
    this.#clock = clock;
    this.#wheel = wheel;
    this.#options = options;
  }

  /** A client has left. */
  left(): void {
    this.#left++;
    if (this.#left >= TIDY_LEFT_MIN && !this.#look.isSet && this.#isWorthIt) this.#lookLater();
  }

  get #isWorthIt(): boolean {
    return this.#left >= this.#options.clients() * TIDY_LEFT_SHARE;
  }

  #lookLater(): void {
    this.#wheel.set(this.#look, Math.max(this.#clock.nowMs() + TIDY_LOOK_MS, this.#restUntilMs));
  }

  #handleLook(nowMs: number): void {
    const isCalm = this.#left - this.#seen <= TIDY_CALM_MAX;
    this.#seen = this.#left;
    if (!isCalm) {
      this.#lookLater();
      return;
    }
    this.#options.collect();
    this.#left = 0;
    this.#seen = 0;
    const endMs = this.#clock.nowMs();
    this.#restUntilMs = endMs + TIDY_REST * (endMs - nowMs);
  }
}
