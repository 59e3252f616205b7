/**
 * Serial number arithmetic (RFC 1982, RFC 9260 §1.6): TSNs live on a circle of 2^32, stream sequence numbers on one of
 * 2^16. The only place where they are added or compared.
 */

/** A transmission sequence number, 0 to 2^32 - 1. */
export type Tsn = number & { readonly brand: "Tsn" };

/** The TSN `distance` after `tsn`; a negative distance goes back. */
export function tsnAdd(tsn: Tsn, distance: number): Tsn {
  //= rfc9260#1.6/wrap
  return ((tsn + distance) >>> 0) as Tsn;
}

/** How far `to` lies after `from`: -2^31 to 2^31 - 1, negative when it lies before. */
export function tsnDistance(from: Tsn, to: Tsn): number {
  return (to - from) | 0;
}

/** Whether `left` comes before `right`. */
export function tsnBefore(left: Tsn, right: Tsn): boolean {
  return tsnDistance(left, right) > 0;
}

/** The stream sequence number after `ssn`: 65,535 is followed by 0 (RFC 9260 §6.5). */
export function ssnNext(ssn: number): number {
  return (ssn + 1) & 0xffff;
}

/** Whether `left` comes before `right` on the circle of 2^16. */
export function ssnBefore(left: number, right: number): boolean {
  return ((right - left) << 16) >> 16 > 0;
}
