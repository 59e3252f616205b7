/**
 * Cookies that have done their work. A COOKIE ECHO that the network delivers twice, the second time after its association
 * has come and gone, would otherwise bring up an association that nobody wants, and DATA delivered twice with it.
 */

/** Cookies remembered at most. Beyond it the oldest is forgotten, and the harm above is possible again. */
const SPENT_MAX = 4_096;

/** Remembers cookies by the tag that we chose for them, for as long as they are good. */
export class SpentCookies {
  readonly #lifeMs: number;
  /** When each is forgotten, in this order. BOUNDED by SPENT_MAX. */
  readonly #untilByTag = new Map<number, number>();

  constructor(lifeMs: number) {
    this.#lifeMs = lifeMs;
  }

  get size(): number {
    return this.#untilByTag.size;
  }

  /** The association that began with this tag of ours is gone. */
  add(localTag: number, nowMs: number): void {
    this.forgetOld(nowMs);
    const oldest = this.#untilByTag.keys().next();
    if (this.#untilByTag.size >= SPENT_MAX && oldest.done !== true) this.#untilByTag.delete(oldest.value);
    this.#untilByTag.set(localTag, nowMs + this.#lifeMs);
  }

  has(localTag: number): boolean {
    return this.#untilByTag.has(localTag);
  }

  /** Forgets what has been remembered for long enough. */
  forgetOld(nowMs: number): void {
    for (const [tag, untilMs] of this.#untilByTag) {
      if (untilMs > nowMs) return;
      this.#untilByTag.delete(tag);
    }
  }
}
