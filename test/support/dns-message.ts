/** Builds the answers that scripted DNS servers give. */

import { encode } from "dns-packet";
import type { AddressType } from "../../src/protocol/dns/constants.ts";

export interface Rr {
  readonly type: string;
  readonly class?: string;
  readonly name: string;
  readonly ttl?: number;
  readonly data?: unknown;
}

export const a = (name: string, data: string, ttl = 300): Rr => ({ type: "A", name, data, ttl });
export const aaaa = (name: string, data: string, ttl = 300): Rr => ({ type: "AAAA", name, data, ttl });
export const cname = (name: string, data: string, ttl = 300): Rr => ({ type: "CNAME", name, data, ttl });
export const soa = (name: string, minimum: number, ttl: number): Rr => ({
  type: "SOA",
  name,
  ttl,
  data: { mname: `ns.${name}`, rname: `root.${name}`, serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});

export interface ResponseParts {
  readonly id?: number;
  readonly rcode?: number;
  /** Flags in place of QR (by the library), RD and RA. */
  readonly flags?: number;
  readonly answers?: readonly Rr[];
  readonly authorities?: readonly Rr[];
  readonly additionals?: readonly Rr[];
  readonly questionCount?: number;
}

/** The response to the question `name`, `type`. */
export function response(name: string, type: AddressType, parts: ResponseParts = {}): Uint8Array {
  const question = { name, type };
  return new Uint8Array(
    encode({
      type: "response",
      id: parts.id ?? 0,
      flags: (parts.flags ?? 0x0180) | (parts.rcode ?? 0),
      questions: Array.from({ length: parts.questionCount ?? 1 }, () => question),
      answers: parts.answers ?? [],
      authorities: parts.authorities ?? [],
      additionals: parts.additionals ?? [],
    }),
  );
}
