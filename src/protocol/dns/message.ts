/**
 * The structure of a DNS message (RFC 1035 §4.1): header, question, and the records' frames.
 *
 * ```txt
 * +----+-------+---------+---------+---------+---------+----------+--------+-----------+------------+
 * | ID | FLAGS | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT | question | answer | authority | additional |
 * +----+-------+---------+---------+---------+---------+----------+--------+-----------+------------+
 * | 2  |   2   |    2    |    2    |    2    |    2    | Variable | NAME TYPE(2) CLASS(2) TTL(4)    |
 * |    |       |         |         |         |         |          |      RDLENGTH(2) RDATA          |
 * +----+-------+---------+---------+---------+---------+----------+---------------------------------+
 * ```
 *
 * Decoded here and not by dns-packet, which encodes the queries: its walk passes over RDLENGTH, so that an address record of a
 * wrong length would be read out of its neighbour, decodes rdata of types that nobody asked for, so that one odd record would
 * spoil the message, and takes names for UTF-8 and a dot inside of a label for the end of it.
 */

import type { PacketDecoded } from "../../bytes/decoded.ts";
import { readU16, readU32 } from "../../bytes/read.ts";
import { MESSAGE_BYTES_MAX, RECORDS_MAX } from "./constants.ts";
import { decodeName } from "./name.ts";

/** A record whose rdata is still bytes of the message. */
export interface RawRecord {
  /** In the form of `decodeName`. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttlS: number;
  /** Where RDLENGTH stands; the rdata follows it. */
  readonly rdlengthAt: number;
  readonly rdlength: number;
}

export interface RawMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly isTruncated: boolean;
  readonly rcode: number;
  readonly questionCount: number;
  /** Where the question section ends. */
  readonly questionEnd: number;
  readonly answers: readonly RawRecord[];
  readonly authorities: readonly RawRecord[];
}

export const HEADER_BYTES = 12;
const TTL_S_MAX = 0x7fff_ffff;

/**
 * Takes a message apart.
 *
 * @param message - A view of the whole message; neither kept nor changed.
 * @returns `invalid` with a sentence for whatever is not a DNS message from its first byte to its last.
 */
export function decodeMessage(message: Buffer): PacketDecoded<RawMessage, string> {
  if (message.length < HEADER_BYTES) return { kind: "invalid", fault: `${message.length} bytes are no DNS message` };
  if (message.length > MESSAGE_BYTES_MAX) {
    return { kind: "invalid", fault: `${message.length} bytes are more than a DNS message has` };
  }
  try {
    return walk(message);
  } catch (error) {
    // Names that are none and reads beyond the end throw. The message is malformed either way.
    return { kind: "invalid", fault: `malformed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function walk(message: Buffer): PacketDecoded<RawMessage, string> {
  const flags = readU16(message, 2);
  const questionCount = readU16(message, 4);
  const counts = [readU16(message, 6), readU16(message, 8), readU16(message, 10)] as const;
  if (questionCount + counts[0] + counts[1] + counts[2] > RECORDS_MAX) {
    return { kind: "invalid", fault: `more than ${RECORDS_MAX} records` };
  }
  let at = HEADER_BYTES;
  for (let index = 0; index < questionCount; index++) {
    at = decodeName(message, at).end + 4;
  }
  const questionEnd = at;
  const section = (count: number): readonly RawRecord[] => {
    const records: RawRecord[] = [];
    for (let index = 0; index < count; index++) {
      const record = decodeFrame(message, at);
      at = record.rdlengthAt + 2 + record.rdlength;
      if (at > message.length) throw new RangeError("rdata beyond the end");
      records.push(record);
    }
    return records;
  };
  const answers = section(counts[0]);
  const authorities = section(counts[1]);
  section(counts[2]);
  if (at !== message.length)
    return { kind: "invalid", fault: `malformed: it ends at ${at} of ${message.length} bytes` };
  return {
    kind: "done",
    value: {
      id: readU16(message, 0),
      isResponse: (flags & 0x8000) !== 0,
      opcode: (flags >>> 11) & 0xf,
      isTruncated: (flags & 0x0200) !== 0,
      rcode: flags & 0xf,
      questionCount,
      questionEnd,
      answers,
      authorities,
    },
  };
}

function decodeFrame(message: Buffer, start: number): RawRecord {
  const { name, end: at } = decodeName(message, start);
  const ttlS = readU32(message, at + 4);
  return {
    name,
    type: readU16(message, at),
    class: readU16(message, at + 2),
    // A TTL with the top bit set counts as 0 (RFC 2181 §8).
    ttlS: ttlS > TTL_S_MAX ? 0 : ttlS,
    rdlengthAt: at + 8,
    rdlength: readU16(message, at + 8),
  };
}
