/**
 * What a COOKIE ECHO means to an association that exists already: the decision table of RFC 9260 §5.2.4.
 *
 * ```txt
 * +-----------+------------+---------------+----------------+--------+
 * | Local Tag | Peer's Tag | Local-Tie-Tag | Peer's-Tie-Tag | Action |
 * +-----------+------------+---------------+----------------+--------+
 * |     X     |     X      |       M       |       M        |  (A)   |  the peer restarted
 * |     M     |     X      |       A       |       A        |  (B)   |  two INITs crossed
 * |     M     |     0      |       A       |       A        |  (B)   |
 * |     X     |     M      |       0       |       0        |  (C)   |  a cookie that comes late
 * |     M     |     M      |       A       |       A        |  (D)   |  the one that we wait for, or its double
 * +-----------+------------+---------------+----------------+--------+
 *   M: equal to that of the association   X: not equal   0: none   A: whatever
 * ```
 *
 * Anything else is thrown away.
 */

import type { CookieFields } from "./cookie.ts";

/** The tags of an association. `peerTag` is 0 while it is not known. */
export interface Tags {
  readonly localTag: number;
  readonly peerTag: number;
  readonly localTieTag: number;
  readonly peerTieTag: number;
}

/** A row of the table. */
export type CookieMeaning =
  /** (A) */
  | "restart"
  /** (B) */
  | "simultaneous"
  /** (C) */
  | "late"
  /** (D) */
  | "matching"
  | "unmatched";

/** Finds the row for a genuine cookie. */
export function meaningOf(cookie: CookieFields, tags: Tags): CookieMeaning {
  const isLocal = cookie.localTag === tags.localTag;
  const isPeers = cookie.peerTag === tags.peerTag;
  //= rfc9260#5.2.4/matching
  if (isLocal && isPeers) return "matching";
  //= rfc9260#5.2.4/simultaneous
  if (isLocal) return "simultaneous";
  const hasTies = cookie.localTieTag !== 0 || cookie.peerTieTag !== 0;
  //= rfc9260#5.2.4/late
  if (isPeers) return hasTies ? "unmatched" : "late";
  const tiesMatch = cookie.localTieTag === tags.localTieTag && cookie.peerTieTag === tags.peerTieTag;
  //= rfc9260#5.2.4/restart
  if (hasTies && tiesMatch) return "restart";
  //= rfc9260#5.2.4/unmatched
  return "unmatched";
}
