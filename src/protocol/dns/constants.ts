/** Numbers of the DNS (RFC 1035 §3.2, §4.1; RFC 3596 §2.1), and the limits on what an answer may hold. */

/** Record types that have a meaning here. */
export const RrType = { A: 1, CNAME: 5, SOA: 6, AAAA: 28 } as const;
export type RrType = (typeof RrType)[keyof typeof RrType];

/** The two types that are asked for. */
export type AddressType = "A" | "AAAA";

/** The class of the Internet. */
export const CLASS_IN = 1;

/** Response codes with a meaning of their own here (RFC 1035 §4.1.1, RFC 2136 §2.2). */
export const Rcode = { NoError: 0, NxDomain: 3 } as const;

const RCODE_NAMES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] as const;

/** The mnemonic of a response code, for messages. */
export function rcodeName(rcode: number): string {
  return RCODE_NAMES[rcode] ?? `RCODE ${rcode}`;
}

/** A DNS message is never longer (RFC 8484 §6). */
export const MESSAGE_BYTES_MAX = 65_535;
/** Records in all sections together; an answer with more is refused. */
export const RECORDS_MAX = 512;
/** CNAMEs followed from the name that was asked for; a longer chain is refused. */
export const CNAME_CHAIN_MAX = 16;
/** Addresses taken from one answer; those after them are left out. */
export const ADDRESSES_MAX = 32;
