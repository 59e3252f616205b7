/** Text of the wire: ASCII both ways. */

import { FIELD_BYTES_MAX } from "./constants.ts";

/**
 * Encodes a text of ours. A character beyond ASCII, or a length that no length byte can say, is a bug of ours and throws.
 *
 * @returns 1 to 255 bytes.
 */
export function encodeAscii(text: string): Uint8Array {
  if (text.length === 0 || text.length > FIELD_BYTES_MAX) throw new RangeError(`text of ${text.length} bytes`);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) throw new RangeError(`character ${code} is not ASCII`);
    bytes[at] = code;
  }
  return bytes;
}

/** Decodes a peer's text for people's eyes: whatever is not printable ASCII becomes `?`, so no terminal is steered by it. */
export function decodeAscii(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  return text;
}
