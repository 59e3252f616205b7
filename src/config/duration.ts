/** Spans of time as people write them: "500ms", "30s", "2h5m", "1d". */

const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** From the largest unit to the smallest, each at most once. */
export const DURATION_PATTERN: RegExp = /^(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** The longest duration, in milliseconds: what a timer of the engine can hold is a little under 25 days. */
export const DURATION_MS_MAX: number = 24 * UNITS_MS.d;

/**
 * Reads a duration.
 *
 * @returns Milliseconds; `undefined` when `text` is no duration.
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return undefined;
  const counts = match.slice(1).map((digits) => Number(digits ?? 0));
  return Object.values(UNITS_MS).reduce((sum, unitMs, index) => sum + unitMs * (counts[index] ?? 0), 0);
}
