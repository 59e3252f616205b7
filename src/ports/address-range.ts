/**
 * A range of IP addresses: the first `prefixLength` bits of `bytes`, the other bits being zero.
 *
 * IPv4-mapped IPv6 ranges (::ffff:0:0/96 and narrower) are kept as IPv4; whoever compares an address unwraps it likewise.
 */
export interface AddressRange {
  readonly family: 4 | 6;
  /** The network address in network order: 4 or 16 numbers from 0 to 255. */
  readonly bytes: readonly number[];
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixLength: number;
}
