/** Time as the rest of the program sees it. Tests have their own. */
export interface Clock {
  /** Monotonic milliseconds, for measuring and for deadlines. Its zero means nothing. */
  nowMs(): number;
  /**
   * `nowMs` as it was when this turn of the event loop began, where that is known: a few milliseconds old at most, and nearly
   * free. For time limits, and for measuring what takes longer than a turn.
   */
  turnMs(): number;
  /** The time of day in milliseconds since 1970, for logs. It may jump. */
  wallMs(): number;
  /** Calls `callback` once, not before `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** A timer that was set. */
export interface Timer {
  /** Forgets the timer. Harmless when it has fired. */
  cancel(): void;
}
