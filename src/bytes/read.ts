/**
 * Big-endian ("network order") reads. The caller has checked that the bytes are there: a read beyond the end is a bug of
 * ours, and throws.
 */

function byteAt(bytes: Uint8Array, at: number): number {
  const value = bytes[at];
  if (value === undefined) throw new RangeError(`read at ${at} of ${bytes.length} bytes`);
  return value;
}

/** An unsigned 8-bit integer at `at`. */
export function readU8(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at);
}

/** An unsigned 16-bit integer at `at`. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}

/** An unsigned 32-bit integer at `at`. */
export function readU32(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) * 0x1_0000 + readU16(bytes, at + 2);
}
