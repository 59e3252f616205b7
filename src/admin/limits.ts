/** What the clients of the admin protocol can make us hold. */
export interface AdminLimits {
  /**
   * Associations at once. A new one beyond it takes the place of the oldest that has not logged in; where all have, it is
   * refused.
   */
  readonly associations: number;
  /** Associations of one address at once; beyond it likewise. */
  readonly associationsPerAddress: number;
  /** Associations that have not logged in; beyond it likewise. */
  readonly unauthenticated: number;
  /** How long a login, and then a request, may take as a whole, in milliseconds. 0 is no limit. */
  readonly idleMs: number;
  /**
   * Failed logins of one address: so many at once, and so many a minute in the long run. Beyond it every login from there
   * is refused unread.
   */
  readonly failuresPerMinute: number;
  /** Addresses whose failures are remembered; beyond it the one seen least recently is forgotten. */
  readonly failureAddresses: number;
}

export const ADMIN_LIMITS: AdminLimits = {
  associations: 512,
  associationsPerAddress: 256,
  unauthenticated: 256,
  idleMs: 15_000,
  failuresPerMinute: 20,
  failureAddresses: 4096,
};
