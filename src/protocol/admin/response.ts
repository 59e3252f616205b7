/**
 * The response frame (docs/admin-protocol.md §4.2).
 *
 * ```txt
 * +------+-----+----------+
 * | CODE | LEN |   DATA   |
 * +------+-----+----------+
 * |  1   |  1  | 1 to 255 |
 * +------+-----+----------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { encodeAscii } from "./ascii.ts";
import { RefusalCode } from "./constants.ts";

/** The answer to a request that is not carried out: nothing has changed. */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: RefusalCode;
  /** A sentence that says what is wrong and what is wanted; ASCII, 1 to 255 characters. */
  readonly text: string;
}

/** Makes a refusal. */
export function refusal(code: RefusalCode, text: string): Refusal {
  return { kind: "refusal", code, text };
}

/** A response as it stands on the wire. */
export interface Response {
  readonly code: number;
  /** ASCII, as the server sent it. A *view* of the input. */
  readonly data: Uint8Array;
}

/** Encodes a response; `data` is ASCII, 1 to 255 characters. */
export function encodeResponse(code: number, data: string): Uint8Array {
  const text = encodeAscii(data);
  const out = new Uint8Array(2 + text.length);
  out[0] = code;
  out[1] = text.length;
  out.set(text, 2);
  return out;
}

/** What is wrong with a response: a code that answers nothing we asked, or a result without data. */
export type ResponseFault = "code" | "empty";

/**
 * Decodes the response to a request with code `requested`, on the client's side.
 *
 * A refusal without a text is accepted, since its code says enough; a result without data is not.
 */
export function decodeResponse(bytes: Uint8Array, requested: number): Decoded<Response, ResponseFault> {
  if (bytes.length < 1) return INCOMPLETE;
  const code = readU8(bytes, 0);
  const refused = code === RefusalCode.InvalidParam || code === RefusalCode.InvalidMethod;
  if (code !== requested && !refused) return invalid("code");
  if (bytes.length < 2) return INCOMPLETE;
  const length = readU8(bytes, 1);
  if (length === 0 && !refused) return invalid("empty");
  const end = 2 + length;
  if (bytes.length < end) return INCOMPLETE;
  return done({ code, data: bytes.subarray(2, end) }, end);
}
