/** How many of something there are, in all, by address and by user, and who may have one more. */

import { isReached } from "./client-table.ts";

/** 0 is no limit. */
export interface QuotaLimits {
  readonly total: number;
  readonly perAddress: number;
  readonly perUser: number;
}

/** The limit that was reached. */
export type QuotaLimit = keyof QuotaLimits;

/** Places of one kind. */
export interface Places {
  /** How many this process has given away. */
  readonly total: number;
  /**
   * Counts one more, or names the limit that forbids it.
   *
   * @param user - `undefined` where nobody has to say who he is; then no limit by user holds.
   * @returns A function that gives the place back; it is called once.
   */
  enter(address: string, user: string | undefined, limits: QuotaLimits): (() => void) | QuotaLimit;
}

/** The places of a proxy that is one process. */
export class Quota implements Places {
  #total = 0;
  /** BOUNDED by the total: who has none is forgotten. */
  readonly #byAddress = new Map<string, number>();
  readonly #byUser = new Map<string, number>();

  get total(): number {
    return this.#total;
  }

  enter(address: string, user: string | undefined, limits: QuotaLimits): (() => void) | QuotaLimit {
    if (isReached(this.#total, limits.total)) return "total";
    if (isReached(this.#byAddress.get(address) ?? 0, limits.perAddress)) return "perAddress";
    if (user !== undefined && isReached(this.#byUser.get(user) ?? 0, limits.perUser)) return "perUser";
    this.#add(address, user, 1);
    return () => this.#add(address, user, -1);
  }

  #add(address: string, user: string | undefined, by: 1 | -1): void {
    this.#total += by;
    add(this.#byAddress, address, by);
    if (user !== undefined) add(this.#byUser, user, by);
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
