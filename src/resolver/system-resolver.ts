/** Names by the system's own resolver: getaddrinfo(3), with whatever /etc/nsswitch.conf says. */

import { lookup } from "node:dns/promises";
import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Resolution, Resolver } from "../ports/resolver.ts";
import { judgeHostName } from "../protocol/dns/host-name.ts";

/** What the system resolver may hold and how long it may take. */
export interface SystemResolverLimits {
  /** From the question to the answer, waiting for a thread included, in milliseconds. */
  readonly timeoutMs: number;
  /** Look-ups that are in the system's hands at once. Each one blocks a thread of Bun's pool. */
  readonly concurrentMax: number;
  /** Look-ups that wait for their turn; the next one fails at once. */
  readonly waitingMax: number;
}

export const SYSTEM_RESOLVER_LIMITS: SystemResolverLimits = { timeoutMs: 10_000, concurrentMax: 32, waitingMax: 1024 };

/** getaddrinfo(3), or what stands for it in a test: the addresses in order, or an error with a `code`. */
export type LookupAll = (name: string) => Promise<readonly { readonly address: string }[]>;

/** The codes that say "there is no such name or no address"; every other one says that nobody could tell. */
const NOT_FOUND: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA", "ENONAME"]);

const lookupAll: LookupAll = (name) => lookup(name, { all: true, order: "verbatim" });

/** Implements {@link Resolver} by getaddrinfo(3). Not cached: the system does that where it wants to. */
export class SystemResolver implements Resolver {
  readonly #clock: Clock;
  readonly #limits: SystemResolverLimits;
  readonly #lookup: LookupAll;
  /** Look-ups that somebody waits for, by name: equal ones are one. BOUNDED by concurrentMax + waitingMax. */
  readonly #inFlight = new Map<string, Promise<Resolution>>();
  /** Look-ups in the system's hands, those that nobody waits for any more included. BOUNDED by concurrentMax. */
  #busy = 0;
  /** Look-ups that wait for their turn, oldest first. BOUNDED by waitingMax and by timeoutMs. */
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, limits: SystemResolverLimits = SYSTEM_RESOLVER_LIMITS, lookup: LookupAll = lookupAll) {
    this.#clock = clock;
    this.#limits = limits;
    this.#lookup = lookup;
  }

  resolve(name: string): Promise<Resolution> {
    const judged = judgeHostName(name);
    if (judged.kind === "invalid") return Promise.resolve({ kind: "not-found", detail: judged.detail });
    // A trailing dot keeps the system from trying its search domains.
    const asked = name.endsWith(".") ? `${judged.name}.` : judged.name;
    const running = this.#inFlight.get(asked);
    if (running !== undefined) return running;
    if (this.#busy >= this.#limits.concurrentMax && this.#waiting.size >= this.#limits.waitingMax) {
      return Promise.resolve({ kind: "failed", detail: `${this.#waiting.size} look-ups are waiting already` });
    }
    const resolution = this.#enqueue(asked).finally(() => this.#inFlight.delete(asked));
    this.#inFlight.set(asked, resolution);
    return resolution;
  }

  #enqueue(name: string): Promise<Resolution> {
    return new Promise((resolve) => {
      let isOver = false;
      const finish = (resolution: Resolution) => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        resolve(resolution);
      };
      const start = () => {
        this.#busy += 1;
        this.#ask(name)
          .then(finish)
          .finally(() => {
            this.#busy -= 1;
            const [next] = this.#waiting;
            if (next === undefined) return;
            this.#waiting.delete(next);
            next();
          });
      };
      const timer = this.#clock.setTimer(this.#limits.timeoutMs, () => {
        // A getaddrinfo that has begun cannot be called back: its slot stays taken until it returns.
        this.#waiting.delete(start);
        finish({ kind: "failed", detail: `the system's resolver said nothing within ${this.#limits.timeoutMs} ms` });
      });
      if (this.#busy < this.#limits.concurrentMax) start();
      else this.#waiting.add(start);
    });
  }

  async #ask(name: string): Promise<Resolution> {
    try {
      const found = await this.#lookup(name);
      // As everywhere, an IPv4 address wrapped in IPv6 is one of IPv4. What has a zone is none that parseIp knows.
      const addresses = [...new Set(found.map(({ address }) => canonical(address)))];
      if (addresses.length === 0) return { kind: "not-found", detail: "the name has no address" };
      return { kind: "addresses", addresses };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      if (NOT_FOUND.has(code)) return { kind: "not-found", detail: "the system's resolver knows no such name" };
      return { kind: "failed", detail: `the system's resolver failed: ${code}` };
    }
  }
}

function canonical(address: string): string {
  const ip = parseIp(address);
  return ip === undefined ? address : formatIp(ip);
}
