/**
 * IP addresses between their three shapes: text, network-order bytes (4 or 16), and the text that people write.
 *
 * Text is always the canonical one: dotted decimal, or RFC 5952 for IPv6. An IPv4 address that came wrapped in IPv6
 * (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is unwrapped, so that no rule can be walked around by the other spelling.
 */

const DOTTED_DECIMAL = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Four bytes of `a.b.c.d`, or `undefined`. Strict: no octal, no hexadecimal, no fewer than four parts. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const match = DOTTED_DECIMAL.exec(text);
  if (match === null) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = match[i + 1] as string;
    const value = Number(part);
    if (value > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** Sixteen bytes of an IPv6 address in any legal spelling (RFC 4291 §2.2), or `undefined`. Zone names are refused. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45 || !text.includes(":")) return undefined;
  let body = text;
  const tail: number[] = [];
  const dot = body.indexOf(".");
  if (dot >= 0) {
    const colon = body.lastIndexOf(":");
    const v4 = parseIpv4(body.slice(colon + 1));
    if (v4 === undefined) return undefined;
    tail.push(...v4);
    // The colon stays when it is half of a "::".
    body = body.slice(0, body[colon - 1] === ":" ? colon + 1 : colon);
  }
  const gap = body.indexOf("::");
  if (gap !== body.lastIndexOf("::")) return undefined;
  const head = groupsOf(gap < 0 ? body : body.slice(0, gap));
  const rest = gap < 0 ? [] : groupsOf(body.slice(gap + 2));
  if (head === undefined || rest === undefined) return undefined;
  rest.push(...tail);
  const missing = 16 - head.length - rest.length;
  // "::" stands for at least one group.
  if (gap < 0 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(rest, 16 - rest.length);
  return bytes;
}

function groupsOf(text: string): number[] | undefined {
  const bytes: number[] = [];
  if (text === "") return bytes;
  for (const group of text.split(":")) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

/**
 * The bytes of an IP literal as people write one: IPv4, IPv6, IPv6 in brackets. `undefined` when it is none.
 * A mapped IPv4 address comes back as its four bytes.
 */
export function parseIp(text: string): Uint8Array | undefined {
  // A name cannot start with a colon or a bracket, and nearly every name ends in a letter: most calls end here.
  const last = text.charCodeAt(text.length - 1);
  const endsLikeLiteral = (last >= 0x30 && last <= 0x39) || last === 0x5d || text.includes(":");
  if (!endsLikeLiteral) return undefined;
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return v4;
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const v6 = parseIpv6(bare);
  return v6 === undefined ? undefined : unwrapMapped(v6);
}

/** The four bytes inside `::ffff:a.b.c.d`; any other address as it is. The result is a view. */
export function unwrapMapped(bytes: Uint8Array): Uint8Array {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** The canonical text of 4 or 16 bytes at `at`: dotted decimal, or RFC 5952. */
export function formatIp(bytes: Uint8Array, at = 0, length: number = bytes.length - at): string {
  return length === 4
    ? `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
    : formatIpv6(bytes.subarray(at, at + 16));
}

function formatIpv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  // RFC 5952 §4.2: the longest run of at least two zero groups becomes "::", the first of equals.
  let bestAt = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      bestAt = i;
      bestLength = length;
    }
    if (length > 0) i += length;
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  return bestAt < 0 ? hex(groups) : `${hex(groups.slice(0, bestAt))}::${hex(groups.slice(bestAt + bestLength))}`;
}

/** `address:port` as URLs and logs write it, IPv6 in brackets. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
