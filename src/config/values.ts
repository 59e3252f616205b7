/**
 * The kinds of values that the configuration knows, as zod schemas. Each error message is the text of what is wanted, since
 * that is how a mistake is reported.
 */

import { z } from "zod";
import type { AddressRange } from "../ports/address-range.ts";
import { normalAddress, parseRanges, RANGE_WANTED } from "./address.ts";
import type { PortRange } from "./config.ts";
import { DURATION_MS_MAX, DURATION_PATTERN, parseDuration } from "./duration.ts";

type Schema<Output, Input> = z.ZodType<Output, Input>;

export const FLAG: Schema<boolean, boolean> = z.boolean({ error: "true or false" });

export function integer(min: number, max: number): Schema<number, number> {
  const error = `an integer from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export const PORT: Schema<number, number> = integer(0, 65_535);

const PORT_RANGE_WANTED = 'two ports from 1 to 65535, the lower one first, such as "40000-40999"; or "any"';

/** A range of ports, both ends included; `undefined` for any port. */
export const PORT_RANGE: Schema<PortRange | undefined, string> = z
  .string({ error: PORT_RANGE_WANTED })
  .regex(/^(any|\d{1,5}-\d{1,5})$/, { error: PORT_RANGE_WANTED })
  .transform((value, context) => {
    if (value === "any") return undefined;
    const [first = 0, last = 0] = value.split("-").map(Number);
    if (first >= 1 && first <= last && last <= 65_535) return { first, last };
    context.issues.push({ code: "custom", input: value, message: PORT_RANGE_WANTED });
    return z.NEVER;
  });

export function oneOf<const Word extends string>(...words: readonly Word[]): Schema<Word, Word> {
  const named = words.map((word) => JSON.stringify(word));
  return z.enum(words, { error: `${named.slice(0, -1).join(", ")} or ${named.at(-1)}` });
}

/** Text of 1 to 255 bytes as UTF-8: the frames of RFC 1929 give a length one byte. */
export function shortText(wanted: string): Schema<string, string> {
  const error = `${wanted} of 1 to 255 bytes (UTF-8)`;
  return z
    .string({ error })
    .min(1, { error })
    .refine((text) => new TextEncoder().encode(text).length <= 255, { error });
}

const ADDRESS_WANTED = "an IP address, such as 127.0.0.1 or ::1";

/** An IP address; becomes its usual spelling. */
export const ADDRESS: Schema<string, string> = z.string({ error: ADDRESS_WANTED }).transform((text, context) => {
  const address = normalAddress(text);
  if (address !== undefined) return address;
  context.issues.push({ code: "custom", input: text, message: ADDRESS_WANTED });
  return z.NEVER;
});

/**
 * A duration; becomes milliseconds.
 *
 * @param zero - What 0 means ("off"); without it, 0 is no legal value.
 * @param maxMs - The longest that is legal.
 */
export function duration(zero?: string, maxMs: number = DURATION_MS_MAX): Schema<number, string | number> {
  const max = maxMs === DURATION_MS_MAX ? "24d" : `${maxMs / 1000}s`;
  const error = `a duration up to "${max}", such as "500ms", "30s" or "2h5m"${zero === undefined ? "" : `; or 0: ${zero}`}`;
  const text = z.string({ error }).regex(DURATION_PATTERN, { error });
  const written = zero === undefined ? text : z.union([text, z.literal(0, { error })], { error });
  return written.transform((value, context) => {
    const ms = value === 0 ? 0 : parseDuration(String(value));
    if (ms !== undefined && ms <= maxMs && (ms > 0 || zero !== undefined)) return ms;
    context.issues.push({ code: "custom", input: value, message: error });
    return z.NEVER;
  });
}

/** An entry of a list of ranges; becomes one range or several. */
const RANGE: Schema<readonly AddressRange[], string> = z.string({ error: RANGE_WANTED }).transform((text, context) => {
  const ranges = parseRanges(text);
  if (typeof ranges !== "string") return ranges;
  context.issues.push({ code: "custom", input: text, message: ranges });
  return z.NEVER;
});

/** A list of ranges of at most `countMax` entries. */
export function rangeList(countMax: number): Schema<readonly AddressRange[], string[]> {
  return list(RANGE, 0, countMax, "an array of ranges").transform((ranges) => ranges.flat());
}

/** An array of `countMin` to `countMax` items. */
export function list<Output, Input>(
  item: Schema<Output, Input>,
  countMin: number,
  countMax: number,
  wanted: string,
): Schema<Output[], Input[]> {
  const error = `${wanted}, ${countMin} to ${countMax} entries`;
  return z.array(item, { error }).min(countMin, { error }).max(countMax, { error });
}

/** A table that knows its keys; every other key is a mistake. `wanted` is said of what is no table at all. */
export function table<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  wanted: string = "a table",
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? `one of the keys ${Object.keys(shape).join(", ")}` : wanted,
  });
}
