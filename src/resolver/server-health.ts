/**
 * How a server did lately. After a failure it is down for a while; when that is over, one query tries whether it is up
 * again, while the others still go elsewhere.
 */

/** After a failure the server is asked last, for this long; twice as long after each further one. */
const DOWN_MS_MIN = 1000;
const DOWN_MS_MAX = 60_000;
/** Refusals in a row that count as a failure: not one name is to blame, but the server. */
export const REFUSALS_MAX = 8;

export class ServerHealth {
  /** How long it was down the last time; 0 when it is up. */
  #downMs = 0;
  #downUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether a query is under way that tries a server whose time is over. */
  #isTried = false;
  /** In a row, without any answer between them. */
  #refusals = 0;

  /** When the server may be tried again; in the past when it is up. */
  get downUntilMs(): number {
    return this.#downUntilMs;
  }

  /** Whether the next query is worth asking here before servers that are down. */
  isPromising(nowMs: number): boolean {
    return this.#downMs === 0 || this.#isTriable(nowMs);
  }

  /** Takes note that a query begins. True: it is the one that tries the server, and {@link endTrial} has to follow. */
  beginTrial(nowMs: number): boolean {
    if (this.#downMs === 0 || !this.#isTriable(nowMs)) return false;
    this.#isTried = true;
    return true;
  }

  endTrial(): void {
    this.#isTried = false;
  }

  noteUp(): void {
    this.#downMs = 0;
    this.#downUntilMs = Number.NEGATIVE_INFINITY;
    this.#refusals = 0;
  }

  /** @param askedMs - When the query that failed was sent. While the server is down, or before, it is no news. */
  noteDown(askedMs: number, nowMs: number): void {
    if (askedMs < this.#downUntilMs) return;
    this.#downMs = Math.min(DOWN_MS_MAX, Math.max(DOWN_MS_MIN, this.#downMs * 2));
    this.#downUntilMs = nowMs + this.#downMs;
  }

  noteRefusal(askedMs: number, nowMs: number): void {
    this.#refusals += 1;
    if (this.#refusals >= REFUSALS_MAX) this.noteDown(askedMs, nowMs);
  }

  #isTriable(nowMs: number): boolean {
    return nowMs >= this.#downUntilMs && !this.#isTried;
  }
}
