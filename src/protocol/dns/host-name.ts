/**
 * What may be asked of a resolver as a host name: RFC 952 and RFC 1123 §2.1 letters, digits and hyphens, and the underscore
 * that hosts in the field carry all the same.
 */

/** The longest name in text form, without the trailing dot: 255 octets on the wire (RFC 1035 §2.3.4). */
export const NAME_CHARS_MAX = 253;
/** The longest label (RFC 1035 §2.3.4). */
export const LABEL_CHARS_MAX = 63;

/** A name that may be asked for, or why it may not. */
export type HostName =
  | { readonly kind: "valid"; readonly name: string }
  | { readonly kind: "invalid"; readonly detail: string };

const DOT = 0x2e;
const HYPHEN = 0x2d;
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;

/**
 * Judges a name as a client sent it and brings it into the one form in which it is asked for and cached: lower case,
 * without the trailing dot.
 *
 * Names whose last label is a number are refused, as the URL standard does: no such top level domain can exist, and
 * "127.1" or "0x7f.1" is an address to some resolvers and so a way around rules about addresses. Names below .onion are
 * refused, too: whoever hears the question learns whom the client wanted to reach in secret (RFC 7686 §2).
 *
 * @param text - The name; each character one octet. A single trailing dot is allowed.
 */
export function judgeHostName(text: string): HostName {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (name.length === 0) return { kind: "invalid", detail: "the name is empty" };
  if (name.length > NAME_CHARS_MAX) {
    return { kind: "invalid", detail: `the name has ${name.length} characters, more than ${NAME_CHARS_MAX}` };
  }
  let labelAt = 0;
  let isClean = true;
  for (let at = 0; at <= name.length; at++) {
    const code = at < name.length ? name.charCodeAt(at) : DOT;
    if (code !== DOT) {
      isClean &&= isLabelCharacter(code);
      continue;
    }
    const chars = at - labelAt;
    if (chars === 0) return { kind: "invalid", detail: "the name has an empty label" };
    if (chars > LABEL_CHARS_MAX) {
      return { kind: "invalid", detail: `a label has ${chars} characters, more than ${LABEL_CHARS_MAX}` };
    }
    const hasOuterHyphen = name.charCodeAt(labelAt) === HYPHEN || name.charCodeAt(at - 1) === HYPHEN;
    if (!isClean || hasOuterHyphen) return { kind: "invalid", detail: "a label has characters that no host name has" };
    labelAt = at + 1;
  }
  // Not before: there are other characters whose lower case is a letter, such as the Kelvin sign.
  const lower = name.toLowerCase();
  const topLabel = lower.slice(lower.lastIndexOf(".") + 1);
  if (NUMBER.test(topLabel)) return { kind: "invalid", detail: "the last label is a number" };
  if (topLabel === "onion") {
    return { kind: "invalid", detail: "names below .onion are not asked of the DNS (RFC 7686)" };
  }
  return { kind: "valid", name: lower };
}

/** A letter, a digit, the hyphen or the underscore. */
function isLabelCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === HYPHEN ||
    code === 0x5f
  );
}

/** Whether `name`, in the form that {@link judgeHostName} gives, is `localhost` or below it (RFC 6761 §6.3). */
export function isLocalhost(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}
