/** Decimal numbers in ASCII digits, as parameters and responses carry them. */

const ZERO = 0x30;
const NINE = 0x39;

/** What {@link parseDecimal} says. */
export type Decimal =
  | { readonly kind: "number"; readonly value: number }
  /** Empty, or something other than the digits 0 to 9: signs and spaces included. */
  | { readonly kind: "not-digits" }
  /** Digits, but of a number above the limit. */
  | { readonly kind: "too-large" };

/**
 * Reads ASCII digits. Leading zeros are accepted. The value never passes `max`, however many digits follow, so nothing
 * overflows or loses precision.
 *
 * @param max - The largest value wanted, at most `Number.MAX_SAFE_INTEGER`.
 */
export function parseDecimal(digits: Uint8Array, max: number): Decimal {
  if (digits.length === 0 || !digits.every((byte) => byte >= ZERO && byte <= NINE)) return { kind: "not-digits" };
  let value = 0;
  for (const byte of digits) {
    const digit = byte - ZERO;
    // Asked the other way round (value * 10 + digit > max), the question itself could be inexact near 2^53.
    if (value > (max - digit) / 10) return { kind: "too-large" };
    value = value * 10 + digit;
  }
  return { kind: "number", value };
}
