/** How many queries are under way to each server, and those that wait since all servers have as many as they may. */

import type { Clock } from "../ports/clock.ts";

/**
 * Queries under way to all servers together, in equal parts. Bun sends 256 requests at once and keeps the others waiting, whoever
 * they are for; below that, one server that is silent cannot hold up the queries to another, not even while a reload has two
 * sets of servers at work.
 */
export const QUERIES_UNDER_WAY_MAX = 120;

export class QueryPlaces<Server> {
  readonly #placesMax: number;
  readonly #clock: Clock;
  /** BOUNDED by the servers. */
  readonly #taken = new Map<Server, number>();
  /** Oldest first. BOUNDED by the questions under way, and in time by each one's own limit. */
  readonly #waiting = new Set<() => boolean>();

  constructor(placesMax: number, clock: Clock) {
    this.#placesMax = placesMax;
    this.#clock = clock;
  }

  isFree(server: Server): boolean {
    return (this.#taken.get(server) ?? 0) < this.#placesMax;
  }

  take(server: Server): void {
    this.#taken.set(server, (this.#taken.get(server) ?? 0) + 1);
  }

  /** The place goes to the one that has waited longest, of those who can use it. */
  release(server: Server): void {
    this.#taken.set(server, (this.#taken.get(server) ?? 0) - 1);
    for (const tryAgain of this.#waiting) if (tryAgain()) return;
  }

  /** Calls `take` whenever a place has become free, until it returns a server or the time is over. */
  wait(take: () => Server | undefined, timeoutMs: number): Promise<Server | undefined> {
    return new Promise((resolve) => {
      const tryAgain = (): boolean => {
        const server = take();
        if (server === undefined) return false;
        this.#waiting.delete(tryAgain);
        timer.cancel();
        resolve(server);
        return true;
      };
      const timer = this.#clock.setTimer(timeoutMs, () => {
        this.#waiting.delete(tryAgain);
        resolve(undefined);
      });
      this.#waiting.add(tryAgain);
    });
  }
}
