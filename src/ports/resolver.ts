/** Turns names into addresses. Implementations: the system's resolver, DNS over HTTP, a table in tests. */
export interface Resolver {
  /**
   * Looks up the addresses of `name`. Never rejects: what went wrong is a value.
   *
   * @param name - A host name as the client sent it, decoded as Latin-1; never an IP literal.
   */
  resolve(name: string): Promise<Resolution>;
}

/** What became of a look-up. */
export type Resolution =
  /** At least one address, in the order in which they are to be tried, as text without brackets. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** The name does not exist, has no address, or is no host name. */
  | { readonly kind: "not-found"; readonly detail: string }
  /** Nobody could say: the resolver failed or did not answer in time. */
  | { readonly kind: "failed"; readonly detail: string };
