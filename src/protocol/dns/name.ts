/**
 * Names in a message (RFC 1035 §3.1, §4.1.4): labels of at most 63 octets, the empty label at the end, or a pointer to an
 * earlier name that goes on from here.
 *
 * ```txt
 * +--------+-----------+--------+-----------+---+      +----------+--------+
 * | LENGTH |   LABEL   | LENGTH |   LABEL   | 0 |  or  | 11 (bit) | OFFSET |
 * +--------+-----------+--------+-----------+---+      +----------+--------+
 * |   1    |  0 to 63  |   1    |  0 to 63  | 1 |      |  2 bits  | 14 bits|
 * ```
 *
 * A label may hold any octet. The text that is made here is RFC 1035 §5.1's and stands for exactly one name: a dot or a
 * backslash inside of a label is escaped by a backslash, what is not printable ASCII is a backslash and three digits. So
 * names can be compared as texts; the letters A to Z are lower case, and no others are (RFC 4343).
 */

/** All lengths and labels, the empty one included (RFC 1035 §2.3.4). */
const WIRE_BYTES_MAX = 255;

const ESCAPED = /[^!-~]|[.\\]/g;

export interface DecodedName {
  /** Without the trailing dot; the root is ".". No host name holds a backslash. */
  readonly name: string;
  /** Where the name ends in the message: behind the empty label, or behind the first pointer. */
  readonly end: number;
}

/**
 * Decodes the name at `start`.
 *
 * @param message - A view of the whole message; neither kept nor changed.
 * @throws {RangeError} on what is no name.
 */
export function decodeName(message: Buffer, start: number): DecodedName {
  const labels: string[] = [];
  let wireBytes = 1;
  let at = start;
  let end: number | undefined;
  // A pointer goes back behind the run of labels that it ends: so each run begins before the last one, and there is an end.
  let runStart = start;
  for (;;) {
    const length = octetAt(message, at);
    if (length === 0) break;
    if (length >= 0xc0) {
      end ??= at + 2;
      const target = ((length & 0x3f) << 8) | octetAt(message, at + 1);
      if (target >= runStart) throw new RangeError("a name points forward");
      runStart = target;
      at = target;
      continue;
    }
    if (length > 0x3f) throw new RangeError("a label of an unknown type");
    wireBytes += length + 1;
    if (wireBytes > WIRE_BYTES_MAX) throw new RangeError(`a name of more than ${WIRE_BYTES_MAX} bytes`);
    if (at + 1 + length > message.length) throw new RangeError("a name beyond the end");
    labels.push(textOf(message.toString("latin1", at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return { name: labels.length === 0 ? "." : labels.join("."), end: end ?? at + 1 };
}

function octetAt(message: Buffer, at: number): number {
  const octet = message[at];
  if (octet === undefined) throw new RangeError("a name beyond the end");
  return octet;
}

/** @param label - Each character one octet. */
function textOf(label: string): string {
  // What is left after escaping is ASCII, so that this lower case is that of the DNS.
  return label.replace(ESCAPED, escapeOctet).toLowerCase();
}

function escapeOctet(character: string): string {
  if (character === "." || character === "\\") return `\\${character}`;
  return `\\${String(character.charCodeAt(0)).padStart(3, "0")}`;
}
