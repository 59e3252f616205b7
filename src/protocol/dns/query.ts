/** The one kind of question that is asked: the addresses of a name, of one family, with recursion desired. */

// Who imports this package has these sources as its types, and would not find the declaration by itself.
/// <reference path="./dns-packet.d.ts" />
import { encode, RECURSION_DESIRED } from "dns-packet";
import type { AddressType } from "./constants.ts";

export interface Question {
  /** A name as `judgeHostName` gives it: valid, lower case, without the trailing dot. */
  readonly name: string;
  readonly type: AddressType;
}

/**
 * Encodes a query. Its ID is 0, so that equal questions are equal requests to an HTTP cache; over HTTP the ID correlates
 * nothing.
 *
 * @returns A fresh buffer of at most 12 + 255 + 4 bytes.
 */
export function encodeQuery(question: Question): Uint8Array {
  //= rfc8484#4.1/id-zero
  const packet = { type: "query", id: 0, flags: RECURSION_DESIRED } as const;
  return encode({ ...packet, questions: [{ type: question.type, class: "IN", name: question.name }] });
}
