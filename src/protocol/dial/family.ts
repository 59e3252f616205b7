/** Address families, and what the operator may say about them. */

export type IpFamily = 4 | 6;

/**
 * "auto": the order of RFC 6724 and RFC 8305, which on most machines begins with IPv6. "prefer-…": that family's first
 * address comes first. "…-only": the other family is neither asked for nor tried.
 */
export type FamilyPolicy = "auto" | "prefer-ipv4" | "prefer-ipv6" | "ipv4-only" | "ipv6-only";

/** The family of an IP address as text. */
export function familyOf(address: string): IpFamily {
  return address.includes(":") ? 6 : 4;
}

/** The family whose answer is worth waiting for. */
export function preferredFamily(policy: FamilyPolicy): IpFamily {
  return policy === "prefer-ipv4" || policy === "ipv4-only" ? 4 : 6;
}

/** Whether addresses of `family` may be used at all. */
export function allowsFamily(policy: FamilyPolicy, family: IpFamily): boolean {
  return policy !== (family === 4 ? "ipv6-only" : "ipv4-only");
}
