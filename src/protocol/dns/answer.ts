/** Judges the answer to a question: is it one, and what does it say. */

import type { PacketDecoded } from "../../bytes/decoded.ts";
import { formatIp, unwrapMapped } from "../../bytes/ip.ts";
import { readU32 } from "../../bytes/read.ts";
import { ADDRESSES_MAX, CLASS_IN, CNAME_CHAIN_MAX, Rcode, RrType, rcodeName } from "./constants.ts";
import { decodeMessage, HEADER_BYTES, type RawMessage, type RawRecord } from "./message.ts";
import { decodeName } from "./name.ts";
import { encodeQuery, type Question } from "./query.ts";

/** What a server said about a name. */
export type Answer =
  /** At least one address, each once, in the server's order. */
  | {
      readonly kind: "addresses";
      readonly addresses: readonly string[];
      readonly ttlS: number;
      readonly aliases: Aliases;
    }
  /** The name is an alias, and of its target the answer says nothing: it has to be asked for. */
  | { readonly kind: "alias"; readonly target: string; readonly ttlS: number; readonly aliases: Aliases }
  /** The name has no address of this family ("no-data"), or does not exist. Without a TTL it may not be kept. */
  | { readonly kind: "no-data" | "no-name"; readonly ttlS: number | undefined; readonly aliases: Aliases };

/** The names that the CNAMEs led to, in order. BOUNDED by CNAME_CHAIN_MAX. */
export type Aliases = readonly string[];

/** Why a message is no answer to the question. */
export interface AnswerFault {
  readonly code: "malformed" | "mismatch" | "truncated" | "rcode" | "chain";
  readonly detail: string;
}

type AnswerDecoded = PacketDecoded<Answer, AnswerFault>;

const fault = (code: AnswerFault["code"], detail: string): AnswerDecoded => ({
  kind: "invalid",
  fault: { code, detail },
});

/**
 * Decodes and judges the answer to `question`. Never throws on what a server sent.
 *
 * @param bytes - The whole message; neither kept nor changed.
 */
export function decodeAnswer(bytes: Uint8Array, question: Question): AnswerDecoded {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoded = decodeMessage(message);
  if (decoded.kind === "invalid") return fault("malformed", decoded.fault);
  const raw = decoded.value;
  if (!raw.isResponse) return fault("mismatch", "it is a query, not a response");
  if (raw.id !== 0) return fault("mismatch", `its ID is ${raw.id}, 0 was sent`);
  if (raw.opcode !== 0) return fault("mismatch", `its opcode is ${raw.opcode}, 0 was sent`);
  // A server that refuses need not repeat what it has not read.
  if (raw.questionCount === 0 && isRefusal(raw)) return fault("rcode", rcodeName(raw.rcode));
  if (raw.questionCount !== 1 || !echoesQuestion(message, raw, question)) {
    return fault("mismatch", "it answers another question");
  }
  if (raw.isTruncated) return fault("truncated", "it is truncated");
  if (isRefusal(raw)) return fault("rcode", rcodeName(raw.rcode));
  try {
    return followChain(message, raw, question);
  } catch (error) {
    return fault("malformed", `malformed rdata: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether the response code says that there is no answer at all. */
const isRefusal = ({ rcode }: RawMessage): boolean => rcode !== Rcode.NoError && rcode !== Rcode.NxDomain;

/** Whether the question section is the one that was sent, letter case aside. */
function echoesQuestion(message: Buffer, raw: RawMessage, question: Question): boolean {
  const sent = encodeQuery(question);
  if (raw.questionEnd !== sent.length) return false;
  for (let at = HEADER_BYTES; at < sent.length; at++) {
    if (lowerCase(message[at]) !== lowerCase(sent[at])) return false;
  }
  return true;
}

const lowerCase = (octet = 0): number => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet);

/** From the name asked for along its CNAMEs to the addresses, or to where they end. */
function followChain(message: Buffer, raw: RawMessage, question: Question): AnswerDecoded {
  const records = raw.answers.filter((record) => record.class === CLASS_IN);
  const aliases: string[] = [];
  let name = question.name;
  let ttlS = Number.POSITIVE_INFINITY;
  for (;;) {
    const owned = records.filter((record) => record.name === name);
    const wanted = owned.filter((record) => record.type === RrType[question.type]);
    const addresses = new Set<string>();
    for (const record of wanted) {
      if (record.rdlength !== ADDRESS_BYTES[question.type]) {
        return fault("malformed", `an ${question.type} record has ${record.rdlength} bytes`);
      }
      const address = decodeAddress(message, record);
      if (address !== undefined) addresses.add(address);
      ttlS = Math.min(ttlS, record.ttlS);
    }
    if (wanted.length > 0) {
      if (raw.rcode === Rcode.NxDomain)
        return fault("malformed", "it says that the name does not exist, and gives addresses");
      if (addresses.size === 0) return { kind: "done", value: { kind: "no-data", ttlS, aliases } };
      const taken = [...addresses].slice(0, ADDRESSES_MAX);
      return { kind: "done", value: { kind: "addresses", addresses: taken, ttlS, aliases } };
    }
    const cname = owned.find((record) => record.type === RrType.CNAME);
    if (cname === undefined) break;
    if (aliases.length === CNAME_CHAIN_MAX) return fault("chain", `more than ${CNAME_CHAIN_MAX} CNAMEs, or a loop`);
    ttlS = Math.min(ttlS, cname.ttlS);
    name = decodeTarget(message, cname);
    aliases.push(name);
  }
  const negativeTtlS = decodeNegativeTtl(message, raw);
  if (raw.rcode === Rcode.NoError && aliases.length > 0 && negativeTtlS === undefined) {
    return { kind: "done", value: { kind: "alias", target: name, ttlS, aliases } };
  }
  const kind = raw.rcode === Rcode.NxDomain ? "no-name" : "no-data";
  const keptS = negativeTtlS === undefined ? undefined : Math.min(ttlS, negativeTtlS);
  return { kind: "done", value: { kind, ttlS: keptS, aliases } };
}

const ADDRESS_BYTES = { A: 4, AAAA: 16 } as const;

/**
 * The address in its canonical text. `undefined` for an IPv4 address wrapped in IPv6 (::ffff:192.0.2.1): it belongs into
 * an A record, and taken for one, it would be tried or not by which answer came first.
 */
function decodeAddress(message: Buffer, record: RawRecord): string | undefined {
  const at = record.rdlengthAt + 2;
  const bytes = message.subarray(at, at + record.rdlength);
  return unwrapMapped(bytes) === bytes ? formatIp(bytes) : undefined;
}

/** The name that is all of the rdata. */
function decodeTarget(message: Buffer, record: RawRecord): string {
  const start = record.rdlengthAt + 2;
  const { name, end } = decodeName(message, start);
  if (end !== start + record.rdlength) throw new RangeError("a name that is not as long as its record");
  return name;
}

/** How long a negative answer may be kept, in seconds: the lesser of the SOA's TTL and its MINIMUM (RFC 2308 §5). */
function decodeNegativeTtl(message: Buffer, raw: RawMessage): number | undefined {
  const soa = raw.authorities.find((record) => record.type === RrType.SOA && record.class === CLASS_IN);
  if (soa === undefined) return undefined;
  const start = soa.rdlengthAt + 2;
  const numbersAt = decodeName(message, decodeName(message, start).end).end;
  // SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM (RFC 1035 §3.3.13).
  if (numbersAt + 20 !== start + soa.rdlength) throw new RangeError("an SOA that is not as long as its record");
  return Math.min(soa.ttlS, readU32(message, numbersAt + 16));
}
