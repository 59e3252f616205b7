/** Times as text, for lines that come in the order of time: a date costs more than the rest of a line, and few are new. */

let lastMs = Number.NaN;
let lastTime = "";
let lastSecond = Number.NaN;
/** The time of `lastSecond` up to its full stop. */
let secondText = "";

/**
 * What `toISOString` says of a time: UTC, with milliseconds.
 *
 * @param wallMs - Whole milliseconds since 1970.
 * @throws {RangeError} when no `Date` is so far away.
 */
export function isoTime(wallMs: number): string {
  if (wallMs === lastMs) return lastTime;
  const second = Math.floor(wallMs / 1000);
  if (second !== lastSecond) {
    secondText = new Date(second * 1000).toISOString().slice(0, -"000Z".length);
    lastSecond = second;
  }
  lastTime = `${secondText}${String(wallMs - second * 1000).padStart(3, "0")}Z`;
  lastMs = wallMs;
  return lastTime;
}
