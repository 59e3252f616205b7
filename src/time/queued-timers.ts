/**
 * A clock whose timers share one of the runtime's, to the millisecond, as long as each is due no earlier than the one set
 * before it. So it is with delays that are all the same, such as that between the attempts of a race: nearly every one is
 * cancelled soon, and a timer of the runtime costs several microseconds even then, because the event loop follows it.
 */

import type { Clock, Timer } from "../ports/clock.ts";

/** A place in the queue. */
class QueuedTimer implements Timer {
  readonly dueMs: number;
  /** `undefined` once it has fired or was cancelled. */
  callback: (() => void) | undefined;
  previous: QueuedTimer | undefined;
  next: QueuedTimer | undefined;
  readonly #onCancel: (timer: QueuedTimer) => void;

  constructor(dueMs: number, callback: () => void, onCancel: (timer: QueuedTimer) => void) {
    this.dueMs = dueMs;
    this.callback = callback;
    this.#onCancel = onCancel;
  }

  cancel(): void {
    if (this.callback !== undefined) this.#onCancel(this);
  }
}

/** Implements {@link Clock} by another one. */
export class QueuedTimers implements Clock {
  readonly #clock: Clock;
  /** The ends of the queue, by time. BOUNDED by the owners: one entry for each timer that waits. */
  #first: QueuedTimer | undefined;
  #last: QueuedTimer | undefined;
  /** Left alone when the timer that it was set for is cancelled: it then finds nothing due, and goes by what is there. */
  #isArmed = false;
  /** For when it was set, while it is armed. */
  #armedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  turnMs(): number {
    return this.#clock.turnMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#clock.nowMs() + delayMs;
    const last = this.#last;
    // What is due earlier than others would have to be put among them: it gets a timer of its own.
    if (last !== undefined && dueMs < last.dueMs) return this.#clock.setTimer(delayMs, callback);
    // The one that is armed belongs to a timer that was cancelled, and may come too late for this one.
    if (last === undefined && this.#isArmed && dueMs < this.#armedMs) return this.#clock.setTimer(delayMs, callback);
    const timer = new QueuedTimer(dueMs, callback, this.#forget);
    timer.previous = last;
    if (last === undefined) this.#first = timer;
    else last.next = timer;
    this.#last = timer;
    this.#arm();
    return timer;
  }

  #arm(): void {
    const first = this.#first;
    if (this.#isArmed || first === undefined) return;
    this.#isArmed = true;
    this.#armedMs = first.dueMs;
    // The runtime counts whole milliseconds, and would be early otherwise.
    this.#clock.setTimer(Math.max(0, Math.ceil(first.dueMs - this.#clock.nowMs())), () => this.#fire());
  }

  #fire(): void {
    this.#isArmed = false;
    const nowMs = this.#clock.nowMs();
    try {
      for (let first = this.#first; first !== undefined && first.dueMs <= nowMs; first = this.#first) {
        const { callback } = first;
        this.#forget(first);
        callback?.();
      }
    } finally {
      // One that throws must not stop the others.
      this.#arm();
    }
  }

  readonly #forget = (timer: QueuedTimer): void => {
    const { previous, next } = timer;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    timer.previous = undefined;
    timer.next = undefined;
    timer.callback = undefined;
  };
}
