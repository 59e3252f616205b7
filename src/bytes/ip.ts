/**
 * IP addresses between their three shapes: text, network-order bytes (4 or 16), and the text that people write.
 *
 * Text is always the canonical one: dotted decimal, or RFC 5952 for IPv6. An IPv4 address that came wrapped in IPv6
 * (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is unwrapped, so that no rule can be walked around by the other spelling.
 */

const DOT = 0x2e;
const COLON = 0x3a;

/** Four bytes of `a.b.c.d`, or `undefined`. Strict: no octal, no hexadecimal, no fewer than four parts. */
export function parseIpv4(text: string): Uint8Array | undefined {
  let parts = 0;
  let digits = 0;
  let value = 0;
  /** The parts before this one, as one number. */
  let before = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0) return undefined;
      before = (before << 8) | value;
      parts += 1;
      digits = 0;
      value = 0;
      continue;
    }
    const digit = code - 0x30;
    const isAfterZero = digits > 0 && value === 0;
    if (digit < 0 || digit > 9 || isAfterZero) return undefined;
    value = value * 10 + digit;
    digits += 1;
    if (value > 255) return undefined;
  }
  if (parts !== 3 || digits === 0) return undefined;
  const bytes = new Uint8Array(4);
  bytes[0] = before >> 16;
  bytes[1] = before >> 8;
  bytes[2] = before;
  bytes[3] = value;
  return bytes;
}

/** Sixteen bytes of an IPv6 address in any legal spelling (RFC 4291 §2.2), or `undefined`. Zone names are refused. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length < 2 || length > 45) return undefined;
  const bytes = new Uint8Array(16);
  /** How many bytes are known, without those that "::" stands for. */
  let size = 0;
  /** Where those belong; -1 while there is no "::". */
  let gapAt = -1;
  let i = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return undefined;
    gapAt = 0;
    i = 2;
  }
  while (i < length) {
    const groupAt = i;
    let value = 0;
    for (let digit = hexDigit(text, i); digit >= 0; digit = hexDigit(text, i)) {
      value = (value << 4) | digit;
      i += 1;
      if (i - groupAt > 4) return undefined;
    }
    if (i === groupAt || size === 16) return undefined;
    if (text.charCodeAt(i) === DOT) {
      const v4 = parseIpv4(text.slice(groupAt));
      if (v4 === undefined || size > 12) return undefined;
      bytes.set(v4, size);
      size += 4;
      break;
    }
    bytes[size] = value >> 8;
    bytes[size + 1] = value;
    size += 2;
    if (i === length) break;
    // Between two groups there is one colon, or once two; at the end there is none, or this once two.
    if (text.charCodeAt(i) !== COLON) return undefined;
    i += 1;
    if (i === length) return undefined;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gapAt >= 0) return undefined;
    gapAt = size;
    i += 1;
  }
  if (gapAt < 0) return size === 16 ? bytes : undefined;
  // "::" stands for at least one group.
  if (size > 14) return undefined;
  const restAt = 16 - (size - gapAt);
  bytes.copyWithin(restAt, gapAt, size);
  bytes.fill(0, gapAt, Math.min(restAt, size));
  return bytes;
}

/** The value of the hexadecimal digit at `at`, or -1. */
function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
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
  return length === 4 ? formatIpv4(bytes, at) : formatIpv6(bytes.subarray(at, at + 16));
}

/**
 * Texts of IPv4 addresses that were asked for last, each in the place that its address has: a proxy sees the same ones again
 * and again, and a text that is there has been hashed already.
 */
const texts: (string | undefined)[] = Array.from({ length: 256 }, () => undefined);
/** The addresses of those texts. */
const textNumbers = new Uint32Array(texts.length);
/** The same for their bytes. */
const arrays: (Uint8Array | undefined)[] = Array.from({ length: texts.length }, () => undefined);
const arrayNumbers = new Uint32Array(texts.length);

/** Four bytes as one number. */
function ipv4Number(bytes: Uint8Array, at: number): number {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Where such a number has its place among those that were asked for last. */
function placeOf(number: number): number {
  return (number ^ (number >>> 8) ^ (number >>> 16) ^ (number >>> 24)) & 0xff;
}

function formatIpv4(bytes: Uint8Array, at: number): string {
  const number = ipv4Number(bytes, at);
  const place = placeOf(number);
  const known = texts[place];
  if (known !== undefined && textNumbers[place] === number) return known;
  const text = `${number >>> 24}.${(number >>> 16) & 0xff}.${(number >>> 8) & 0xff}.${number & 0xff}`;
  texts[place] = text;
  textNumbers[place] = number;
  return text;
}

/** The four bytes at `at` as an array that others may be given, too: it is not to be written to. */
export function sharedIpv4(bytes: Uint8Array, at: number): Uint8Array {
  const number = ipv4Number(bytes, at);
  const place = placeOf(number);
  const known = arrays[place];
  if (known !== undefined && arrayNumbers[place] === number) return known;
  // Not by `slice`, which of a Buffer would be a view.
  const array = Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  arrays[place] = array;
  arrayNumbers[place] = number;
  return array;
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
