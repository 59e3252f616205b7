import type { Clock, Timer } from "../ports/clock.ts";

/** When the turn began that is under way; -1 where nobody has said so. */
let turnMs = -1;
/** The time of day in that turn; -1 before somebody asks. */
let turnWallMs = -1;

/** Runs what is to be done for events that were found together, with one look at the clock for all of it. */
export function inTurn<Result>(work: () => Result): Result {
  turnMs = performance.now();
  try {
    return work();
  } finally {
    turnMs = -1;
    turnWallMs = -1;
  }
}

function wallMs(): number {
  if (turnMs < 0) return Date.now();
  if (turnWallMs < 0) turnWallMs = Date.now();
  return turnWallMs;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  turnMs: () => (turnMs < 0 ? performance.now() : turnMs),
  wallMs,
  setTimer: (delayMs, callback): Timer => {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
