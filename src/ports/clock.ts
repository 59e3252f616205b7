/** Time as the rest of the program sees it. Tests have their own. */
export interface Clock {
  /** Monotonic milliseconds, for measuring and for deadlines. Its zero means nothing. */
  nowMs(): number;
  /**
   * `nowMs` as it was when the events were found that are being handled now, where that is known: a few milliseconds old at
   * most, and nearly free. For time limits, and for measuring where these few do not matter.
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
