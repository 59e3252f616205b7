/** Times as text, for lines that come in the order of time: a date costs more than the rest of a line, and few are new. */

import { type JsonBytes, type Piece, piece } from "./json-bytes.ts";

/** A second, and its time up to the full stop. */
let lastSecond = Number.NaN;
let lastText: Piece = piece("");

/** What stands behind the full stop, by milliseconds. */
const ENDINGS: readonly Piece[] = Array.from({ length: 1000 }, (_, ms) => piece(`${String(ms).padStart(3, "0")}Z`));

/**
 * Appends what `toISOString` says of a time: UTC, with milliseconds.
 *
 * @param wallMs - Whole milliseconds since 1970.
 * @throws {RangeError} when no `Date` is so far away; nothing has been appended then.
 */
export function appendIsoTime(wallMs: number, out: JsonBytes): void {
  const second = Math.floor(wallMs / 1000);
  if (second !== lastSecond) {
    lastText = piece(new Date(second * 1000).toISOString().slice(0, -"000Z".length));
    lastSecond = second;
  }
  out.raw(lastText);
  out.raw(ENDINGS[wallMs - second * 1000] as Piece);
}
