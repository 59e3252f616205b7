/**
 * What every state machine in `protocol/` speaks. A machine holds no socket, no clock and no source of randomness: bytes
 * and time go in, events come out, and whoever drives it does what the events say. So the same machine runs over a
 * socket, in a test and in a simulator.
 *
 * The driver's loop: hand in input, poll events until there are none, and set one timer to `pollTimeout()`.
 */
export interface Machine<Event> {
  /** Takes bytes that arrived. `bytes` is a view that is valid during the call only: what must stay is copied. */
  handleInput(bytes: Uint8Array, nowMs: number): void;
  /** Takes the news that it is now `nowMs`. Harmless when nothing is due. */
  handleTimeout(nowMs: number): void;
  /** The next thing to do; `undefined` when there is nothing to do until more input or time arrives. */
  pollEvent(): Event | undefined;
  /** The time, on the clock of `nowMs`, at which `handleTimeout` is due; `Infinity` when nothing is. */
  pollTimeout(): number;
}
