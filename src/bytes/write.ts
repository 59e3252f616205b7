/** Big-endian ("network order") writes into a buffer that the caller has made large enough. */

/** Up to so many are copied one by one: the call into the runtime would cost more. */
const FEW_BYTES = 16;

function checkRoom(out: Uint8Array, at: number, size: number): void {
  if (at < 0 || at + size > out.length) throw new RangeError(`write of ${size} at ${at} of ${out.length} bytes`);
}

/** Writes the low 8 bits of `value` at `at`; returns the offset after it. */
export function writeU8(out: Uint8Array, at: number, value: number): number {
  checkRoom(out, at, 1);
  out[at] = value;
  return at + 1;
}

/** Writes the low 16 bits of `value` at `at`; returns the offset after it. */
export function writeU16(out: Uint8Array, at: number, value: number): number {
  checkRoom(out, at, 2);
  out[at] = value >>> 8;
  out[at + 1] = value;
  return at + 2;
}

/** Writes the low 32 bits of `value` at `at`; returns the offset after it. */
export function writeU32(out: Uint8Array, at: number, value: number): number {
  checkRoom(out, at, 4);
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** Writes `bytes` at `at`; returns the offset after them. */
export function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  checkRoom(out, at, bytes.length);
  if (bytes.length > FEW_BYTES) out.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i] as number;
  return at + bytes.length;
}
