/**
 * When silent tunnels leave the program, one after the other. Parking one takes some twenty system calls, and thousands may fall
 * silent together: all at once they would hold up everybody else.
 */

/** From one tunnel to the next, in milliseconds: the event loop is never held up for more than a few percent of its time. */
export const PARKING_INTERVAL_MS = 0.5;

export class ParkingTurns {
  #nextMs = 0;

  /** The turn of one more tunnel, on the clock of `nowMs`: now, or soon. */
  next(nowMs: number): number {
    const turnMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = turnMs + PARKING_INTERVAL_MS;
    return turnMs;
  }
}
