/** A {@link Places} whose limits hold over all workers. */

import { isReached } from "./client-table.ts";
import type { Places, QuotaLimit, QuotaLimits } from "./quota.ts";
import type { SharedCounts, Slot } from "./shared-counts.ts";

/** All that this uses of a slot: the other count belongs to the handshakes of `SharedClientTable`. */
const COUNT = 0;

export class SharedQuota implements Places {
  readonly #counts: SharedCounts;
  readonly #name: string;
  readonly #keyOf: (text: string) => bigint;
  /** What this worker has. BOUNDED by its own total. */
  readonly #entries = new Map<string, { readonly slot: Slot; own: number }>();
  #total = 0;

  /**
   * @param name - Parts this quota's keys from those of others in the same table.
   * @param keyOf - A hash with a key that all workers share and no client knows. Never 0.
   */
  constructor(counts: SharedCounts, name: string, keyOf: (text: string) => bigint) {
    this.#counts = counts;
    this.#name = name;
    this.#keyOf = keyOf;
  }

  get total(): number {
    return this.#total;
  }

  enter(address: string, user: string | undefined, limits: QuotaLimits): (() => void) | QuotaLimit {
    const wanted: [limit: QuotaLimit, key: string][] = [
      ["total", `${this.#name} all`],
      ["perAddress", `${this.#name} address ${address}`],
    ];
    if (user !== undefined) wanted.push(["perUser", `${this.#name} user ${user}`]);
    const taken: string[] = [];
    for (const [limit, key] of wanted) {
      // Counted first and judged then: two workers that give the last place away at once would both have seen it free.
      const others = this.#raise(key) - 1;
      taken.push(key);
      if (isReached(others, limits[limit])) {
        for (const each of taken) this.#lower(each);
        return limit;
      }
    }
    this.#total++;
    return () => {
      this.#total--;
      for (const key of taken) this.#lower(key);
    };
  }

  /** Counts one more; returns how many there are then, over all workers. */
  #raise(key: string): number {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { slot: this.#counts.acquire(this.#keyOf(key), COUNT), own: 0 };
      this.#entries.set(key, entry);
    } else {
      this.#counts.add(entry.slot, COUNT, 1);
    }
    entry.own++;
    // Where the shared table had no room, this worker's own number must do.
    return Math.max(entry.own, this.#counts.total(entry.slot, COUNT));
  }

  #lower(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.own--;
    this.#counts.add(entry.slot, COUNT, -1);
    if (entry.own > 0) return;
    this.#entries.delete(key);
    this.#counts.release(entry.slot);
  }
}
