/** Whom a failed query speaks against: the server, which others then replace, or only the name that was asked for. */

import type { AnswerFault } from "./answer.ts";
import { encodeQuery, type Question } from "./query.ts";

export type Blame =
  /** Nobody there, no HTTP, no DNS, or trouble that the server itself admits to. */
  | "server"
  /** The server will not answer this query; one that says so to every query is no use. */
  | "refusal"
  /** The server does its work, and what it found about the name is of no use. */
  | "name";

/** Bad Request, Content Too Large, URI Too Long: what a name in a query can bring about (RFC 9110 §15.5). */
const REFUSING_STATUS: ReadonlySet<number> = new Set([400, 413, 414]);

/** FORMERR, NOTIMP and REFUSED (RFC 1035 §4.1.1). */
const REFUSING_RCODE: ReadonlySet<number> = new Set([1, 4, 5]);

/** Judges an HTTP response that carries no DNS message. */
export function blameForStatus(status: number): Blame {
  return REFUSING_STATUS.has(status) ? "refusal" : "server";
}

/**
 * Judges a message that is no answer. Whoever repeats the question has understood it: what is wrong with the rest, be it
 * records without end or a loop, may come from whoever owns the name, and he shall not have a say about the server.
 */
export function blameForMessage(message: Uint8Array, question: Question, code: AnswerFault["code"]): Blame {
  if (code === "mismatch" || (code === "malformed" && !repeatsQuestion(message, question))) return "server";
  return code === "rcode" && REFUSING_RCODE.has((message[3] ?? 0) & 0x0f) ? "refusal" : "name";
}

function repeatsQuestion(message: Uint8Array, question: Question): boolean {
  const sent = encodeQuery(question);
  const isResponse = ((message[2] ?? 0) & 0x80) !== 0;
  const [from, to] = [QUESTION_AT, sent.length];
  return isResponse && textOf(message.subarray(from, to)) === textOf(sent.subarray(from, to));
}

/** Behind the header. */
const QUESTION_AT = 12;

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1").toLowerCase();
