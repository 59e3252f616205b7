/**
 * The addresses of a DNS-over-HTTP server: given, or those of its name by the system's resolver. Only the first look-up
 * is waited for. Later ones run beside the queries, which use what is known: a system that hangs must not hold up a server
 * that is well.
 */

import { isIP } from "node:net";
import type { Clock } from "../ports/clock.ts";
import type { Resolution, Resolver } from "../ports/resolver.ts";

/** How long the system's answer is used before it is asked for again. */
const FRESH_MS = 3_600_000;
/** Between two look-ups, even when the server fails all the time. */
export const REFRESH_MS_MIN = 30_000;
/** Between two look-ups while no address is known. */
export const FIRST_RETRY_MS = 1000;

export type ServerAddress =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "none"; readonly detail: string; readonly isTimeout: boolean };

export class ServerAddresses {
  readonly #hostname: string;
  readonly #bootstrap: Resolver;
  readonly #clock: Clock;
  readonly #isGiven: boolean;
  /** Never empty once found. BOUNDED by the configuration or by the bootstrap resolver. */
  #known: readonly string[];
  /** Which of them is used. */
  #index = 0;
  #staleFromMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** The look-up under way: one at a time. */
  #running: Promise<void> | undefined;
  /** Why the last look-up brought nothing. */
  #detail = "";

  /**
   * @param hostname - The URL's, without brackets.
   * @param given - By the configuration; then nobody is ever asked.
   */
  constructor(hostname: string, given: readonly string[], bootstrap: Resolver, clock: Clock) {
    this.#hostname = hostname;
    this.#bootstrap = bootstrap;
    this.#clock = clock;
    this.#known = isIP(hostname) === 0 ? given : [hostname];
    this.#isGiven = this.#known.length > 0;
  }

  /** How many are known; 0 before the first look-up. */
  get count(): number {
    return this.#known.length;
  }

  /** The address to connect to. Never rejects. */
  async current(timeoutMs: number): Promise<ServerAddress> {
    const address = this.#current();
    if (address !== undefined) {
      this.#refreshIfDue();
      return { kind: "address", address };
    }
    const isTimeout = !(await this.#firstLookUp(timeoutMs));
    const found = this.#current();
    if (found !== undefined) return { kind: "address", address: found };
    const detail = isTimeout ? `the server's name was not resolved within ${timeoutMs} ms` : this.#detail;
    return { kind: "none", detail, isTimeout };
  }

  /** Goes on to the next address when `failed` is still the one in use; and the system may know better by now. */
  noteFailure(failed: string): void {
    if (failed === this.#current()) this.#index += 1;
    this.#staleFromMs = Math.min(this.#staleFromMs, this.#clock.nowMs());
    this.#refreshIfDue();
  }

  #current(): string | undefined {
    return this.#known[this.#index % this.#known.length];
  }

  #refreshIfDue(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#isGiven || nowMs < this.#staleFromMs || nowMs < this.#askedMs + REFRESH_MS_MIN) return;
    this.#lookUp();
  }

  /** False when it takes longer than `timeoutMs`; it then goes on for whoever asks next. */
  async #firstLookUp(timeoutMs: number): Promise<boolean> {
    if (this.#running === undefined && this.#clock.nowMs() < this.#askedMs + FIRST_RETRY_MS) return true;
    const timeout = Promise.withResolvers<false>();
    const timer = this.#clock.setTimer(timeoutMs, () => timeout.resolve(false));
    const isOver = await Promise.race([this.#lookUp().then(() => true), timeout.promise]);
    timer.cancel();
    return isOver;
  }

  #lookUp(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    this.#askedMs = this.#clock.nowMs();
    this.#running = Promise.resolve(this.#bootstrap.resolve(this.#hostname))
      .then((resolution) => this.#take(resolution))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Keeps the addresses that are known when the system does not say, and the one in use when it is still one. */
  #take(resolution: Resolution): void {
    if (resolution.kind !== "addresses") {
      this.#detail = `the server's name: ${resolution.detail}`;
      return;
    }
    const used = this.#current();
    this.#known = resolution.addresses;
    this.#index = used === undefined ? 0 : Math.max(0, this.#known.indexOf(used));
    this.#staleFromMs = this.#clock.nowMs() + FRESH_MS;
  }
}
