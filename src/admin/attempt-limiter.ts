/**
 * How often an address may fail to log in. Every check costs a share of a minute; the debt of an address may come to a
 * minute, a login that succeeds gives its share back, and time pays the rest.
 */

import { parseIp } from "../bytes/ip.ts";

const MINUTE_MS = 60_000;
/** Who has one IPv6 address has a /64 of them. */
const IPV6_PREFIX_BYTES = 8;

interface Debt {
  debtMs: number;
  /** When `debtMs` was right. */
  atMs: number;
}

export interface AttemptLimits {
  readonly failuresPerMinute: number;
  readonly failureAddresses: number;
}

export class AttemptLimiter {
  readonly #limits: AttemptLimits;
  readonly #shareMs: number;
  /** In the order of their last use. BOUNDED by `failureAddresses`. */
  readonly #debts = new Map<string, Debt>();

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
    this.#shareMs = MINUTE_MS / limits.failuresPerMinute;
  }

  /** Addresses that are remembered now. */
  get size(): number {
    return this.#debts.size;
  }

  /** Charges for a check. False when the address can take no more debt: the check must not be made. */
  take(address: string, nowMs: number): boolean {
    const debt = this.#touch(keyOf(address), nowMs);
    if (debt.debtMs + this.#shareMs > MINUTE_MS) return false;
    debt.debtMs += this.#shareMs;
    return true;
  }

  /** Gives the share of a successful check back. */
  giveBack(address: string, nowMs: number): void {
    const key = keyOf(address);
    const debt = this.#touch(key, nowMs);
    debt.debtMs -= this.#shareMs;
    // Who owes nothing need not be remembered, which leaves room for others.
    if (debt.debtMs <= 0) this.#debts.delete(key);
  }

  #touch(key: string, nowMs: number): Debt {
    const debt = this.#debts.get(key) ?? { debtMs: 0, atMs: nowMs };
    debt.debtMs = Math.max(0, debt.debtMs - (nowMs - debt.atMs));
    debt.atMs = nowMs;
    this.#debts.delete(key);
    this.#debts.set(key, debt);
    if (this.#debts.size > this.#limits.failureAddresses) {
      const [oldest] = this.#debts.keys();
      if (oldest !== undefined) this.#debts.delete(oldest);
    }
    return debt;
  }
}

function keyOf(address: string): string {
  const ip = parseIp(address);
  return ip?.length === 16 ? ip.subarray(0, IPV6_PREFIX_BYTES).join(".") : address;
}
