/**
 * Blanks passwords in the command line that `ps` and /proc/PID/cmdline show to every user of the machine.
 *
 * Linux keeps the arguments in the program's own memory, between the addresses that /proc/self/stat names arg_start and
 * arg_end (proc(5), fields 48 and 49), and shows whatever stands there.
 */

import { type Pointer, toArrayBuffer } from "bun:ffi";
import { readFileSync } from "node:fs";

/** Bytes of one of the last arguments: from `start` to its end. */
export interface BlankedArgument {
  /** Index among `argumentCount` last arguments. */
  readonly index: number;
  /** In bytes. */
  readonly start: number;
}

const NUL = 0;
const STAR = 0x2a;
/** Shown instead of a password, however long it was. */
const STARS = 3;
/** Fields are numbered from 1; the second is the program's name in parentheses, which may hold spaces. */
const FIELDS_BEFORE_NAME_END = 2;
const ARG_START_FIELD = 48;
const ARG_END_FIELD = 49;

/**
 * Overwrites parts of the arguments. `process.argv` must have been read before: the engine may read the same memory.
 *
 * @param argumentCount - How many arguments, counted from the last, `blanked` counts within.
 * @returns Whether it was done; elsewhere than on Linux it cannot be.
 */
export function blankArguments(blanked: readonly BlankedArgument[], argumentCount: number): boolean {
  const area = argumentArea();
  if (area === undefined) return false;
  const ends = argumentEnds(area);
  const firstIndex = ends.length - argumentCount;
  for (const { index, start } of blanked) {
    const end = ends[firstIndex + index];
    const previousEnd = firstIndex + index === 0 ? -1 : ends[firstIndex + index - 1];
    if (end === undefined || previousEnd === undefined) continue;
    const from = previousEnd + 1 + start;
    area.fill(NUL, from, end);
    area.fill(STAR, from, Math.min(from + STARS, end));
  }
  return true;
}

/** The memory of the arguments: each followed by a NUL. */
function argumentArea(): Uint8Array | undefined {
  if (process.platform !== "linux") return undefined;
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - FIELDS_BEFORE_NAME_END - 1]);
  const start = field(ARG_START_FIELD);
  const length = field(ARG_END_FIELD) - start;
  // Addresses of user space have 47 bits, and so fit a number.
  if (!Number.isSafeInteger(start) || start <= 0 || !(length > 0)) return undefined;
  return new Uint8Array(toArrayBuffer(start as Pointer, 0, length));
}

/** The offsets of the NUL after each argument. */
function argumentEnds(area: Uint8Array): number[] {
  const ends: number[] = [];
  for (let end = area.indexOf(NUL); end >= 0; end = area.indexOf(NUL, end + 1)) ends.push(end);
  return ends;
}
