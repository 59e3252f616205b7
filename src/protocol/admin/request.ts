/**
 * The request frame (docs/admin-protocol.md §4.1).
 *
 * ```txt
 * +------+--------+---------+----------+---------+----------+
 * | CODE | NPARAM | LPARAM1 |  PARAM1  | LPARAM2 |  PARAM2  |
 * +------+--------+---------+----------+---------+----------+
 * |  1   |   1    |    1    | 1 to 255 |    1    | 1 to 255 |
 * +------+--------+---------+----------+---------+----------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { type Command, methodOf } from "./commands/table.ts";
import { FIELD_BYTES_MAX, RefusalCode } from "./constants.ts";
import { type Refusal, refusal } from "./response.ts";

const HEADER_BYTES = 2;
/** The longest request that version 1 has a use for: one parameter. Longer ones are refused before their end. */
export const REQUEST_BYTES_MAX: number = HEADER_BYTES + 1 + FIELD_BYTES_MAX;

/**
 * Decodes a request into a command that is ready to run. Each byte of the header is judged as soon as it is here, and so is
 * each length.
 *
 * @returns `invalid` carries the refusal to answer with. Bytes beyond the request are ignored.
 */
export function decodeRequest(bytes: Uint8Array): Decoded<Command, Refusal> {
  if (bytes.length < 1) return INCOMPLETE;
  const code = readU8(bytes, 0);
  const method = methodOf(code);
  if (method === undefined) {
    return invalid(refusal(RefusalCode.InvalidMethod, `no method ${code}: methods are 0 to 3`));
  }

  if (bytes.length < HEADER_BYTES) return INCOMPLETE;
  const paramCount = readU8(bytes, 1);
  if (paramCount !== method.paramCount) {
    const wanted = method.paramCount === 0 ? "no parameter" : "one parameter";
    return invalid(refusal(RefusalCode.InvalidParam, `method ${code} takes ${wanted}: NPARAM was ${paramCount}`));
  }

  const params: Uint8Array[] = []; // BOUNDED by the method's paramCount.
  let at = HEADER_BYTES;
  while (params.length < paramCount) {
    if (bytes.length <= at) return INCOMPLETE;
    const length = readU8(bytes, at);
    if (length === 0) {
      const which = `parameter ${params.length + 1} of method ${code}`;
      return invalid(refusal(RefusalCode.InvalidParam, `${which} is empty: its length must be 1 to 255`));
    }
    const end = at + 1 + length;
    if (bytes.length < end) return INCOMPLETE;
    params.push(bytes.subarray(at + 1, end));
    at = end;
  }
  const parsed = method.parse(params);
  return parsed.kind === "refusal" ? invalid(parsed) : done(parsed, at);
}

/** Encodes a request. A parameter that is empty or above 255 bytes is the caller's mistake, and throws. */
export function encodeRequest(code: number, params: readonly Uint8Array[]): Uint8Array {
  const out: number[] = [code, params.length];
  for (const param of params) {
    if (param.length < 1 || param.length > FIELD_BYTES_MAX) throw new RangeError(`parameter of ${param.length} bytes`);
    out.push(param.length, ...param);
  }
  return Uint8Array.from(out);
}
