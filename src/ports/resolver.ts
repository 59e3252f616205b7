/** Turns names into addresses. Implementations: the system's resolver, DNS over HTTP, a table in tests. */
export interface Resolver {
  /**
   * Looks up the addresses of `name`. Never rejects: what went wrong is a value. What is known already comes at once,
   * without a promise: most names of a busy proxy are in its cache, and a promise costs as much as finding them there.
   *
   * @param name - A host name as the client sent it, decoded as Latin-1; never an IP literal.
   * @param watch - Hears more than the outcome, and earlier. Without it, nothing is lost but that.
   */
  resolve(name: string, watch?: ResolutionWatch): Resolution | Promise<Resolution>;
}

/** What became of a look-up. */
export type Resolution =
  /** At least one address, in the order in which they are to be tried, as text without brackets. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** The name does not exist, has no address, or is no host name. */
  | { readonly kind: "not-found"; readonly detail: string }
  /** Nobody could say: the resolver failed or did not answer in time. */
  | { readonly kind: "failed"; readonly detail: string };

/** For those who begin to connect before both answers are there (RFC 8305 §3), and who tell what was done. */
export interface ResolutionWatch {
  /**
   * Addresses of one family are there, all of them and at least one, while the other family is still being asked for. At
   * most once for each family, and only before the promise settles. That a family has none is said by the promise alone:
   * until then, somebody else may know some.
   */
  readonly onFamily?: (family: 4 | 6, addresses: readonly string[]) => void;
  readonly onStep?: (step: ResolutionStep) => void;
}

/** One thing that was done for a look-up. */
export interface ResolutionStep {
  readonly source: "literal" | "localhost" | "hosts" | "cache" | "stale" | "doh" | "system";
  /** What was asked and what came of it, in words. */
  readonly detail: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}
