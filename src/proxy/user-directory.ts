/**
 * Who may use the proxy, and whether a client is who it says (RFC 1929).
 *
 * Names and passwords are bytes. What is kept of a password is a keyed digest, with a key that this process made; it is
 * compared in constant time. A hash (argon2id) is costly by design: its verdict is kept as such a digest, so that it is
 * computed once for a user and not once for a connection. An unknown name costs what a wrong password costs.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { PasswordHasher } from "../ports/password-hasher.ts";

/** One user as the configuration has him. */
export interface UserEntry {
  readonly name: string;
  readonly secret:
    | { readonly kind: "plain"; readonly password: string }
    /** An argon2id hash as a PHC string. */
    | { readonly kind: "hash"; readonly phc: string };
}

/** "busy": too many checks wait already (`limits.hash_queue`); the client is refused. */
export type Verdict = "accepted" | "refused" | "busy";

export interface HashLimits {
  /** Hashes computed at once. */
  readonly hashChecks: number;
  /** Checks that wait for their turn. */
  readonly hashQueue: number;
}

type Account =
  | { readonly kind: "plain"; readonly digest: Uint8Array }
  /** `digest` is that of the password that passed last. */
  | { readonly kind: "hash"; readonly phc: string; digest: Uint8Array | undefined };

export class UserDirectory {
  readonly #key: Uint8Array;
  readonly #hasher: PasswordHasher;
  /** By name, one character a byte. BOUNDED by the configuration. */
  #accounts = new Map<string, Account>();
  /** The costliest hash among the accounts: what a name that we do not know is checked against. */
  #decoy: string | undefined;
  #limits: HashLimits;
  #running = 0;
  /** BOUNDED by `hashQueue`. */
  readonly #waiting: (() => void)[] = [];
  /** Verdicts to come, by digest and name. BOUNDED by `hashChecks` and `hashQueue`. */
  readonly #pending = new Map<string, Promise<Verdict>>();

  /** @param key - 32 random bytes. */
  constructor(key: Uint8Array, hasher: PasswordHasher, users: readonly UserEntry[], limits: HashLimits) {
    this.#key = key;
    this.#hasher = hasher;
    this.#limits = limits;
    this.replace(users, limits);
  }

  /** Whether anybody has to say who he is. */
  get isEmpty(): boolean {
    return this.#accounts.size === 0;
  }

  /** Takes a new list in place of the old one. Whoever is connected stays. */
  replace(users: readonly UserEntry[], limits: HashLimits): void {
    const before = this.#accounts;
    this.#limits = limits;
    this.#accounts = new Map();
    let decoyCost = 0;
    this.#decoy = undefined;
    for (const { name, secret } of users) {
      const key = latin1(new TextEncoder().encode(name));
      if (secret.kind === "plain") {
        this.#accounts.set(key, { kind: "plain", digest: this.#digest(new TextEncoder().encode(secret.password)) });
        continue;
      }
      const old = before.get(key);
      const digest = old?.kind === "hash" && old.phc === secret.phc ? old.digest : undefined;
      this.#accounts.set(key, { kind: "hash", phc: secret.phc, digest });
      const cost = costOf(secret.phc);
      if (cost > decoyCost) {
        decoyCost = cost;
        this.#decoy = secret.phc;
      }
    }
  }

  /** The name, when it is that of a user: fit for a log, which a mistyped password is not. */
  knownName(uname: Uint8Array): string | undefined {
    return this.#accounts.has(latin1(uname)) ? new TextDecoder().decode(uname) : undefined;
  }

  /** Judges a name and a password, both copied or used before this returns. A promise only where a hash is computed. */
  authenticate(uname: Uint8Array, passwd: Uint8Array): Verdict | Promise<Verdict> {
    const name = latin1(uname);
    const account = this.#accounts.get(name);
    const digest = this.#digest(passwd);
    // Compared in any case: with the account's digest, or with one that nothing has.
    const known = account?.digest ?? this.#key.subarray(0, digest.length);
    const isEqual = timingSafeEqual(known, digest) && account?.digest !== undefined;
    if (isEqual) return "accepted";
    if (this.#decoy === undefined) return "refused";
    // With a hash anywhere, every refusal costs one: else the time would tell which names exist.
    const phc = account?.kind === "hash" ? account.phc : this.#decoy;
    // A browser opens a dozen connections at once: they wait for the same verdict.
    const question = `${latin1(digest)}${name}`;
    const pending = this.#pending.get(question);
    if (pending !== undefined) return pending;
    // `Uint8Array.from`: the `slice` of a Buffer would be a view.
    const verdict = this.#checkHash(name, Uint8Array.from(passwd), phc, digest);
    this.#pending.set(question, verdict);
    return verdict.finally(() => this.#pending.delete(question));
  }

  async #checkHash(name: string, passwd: Uint8Array, phc: string, digest: Uint8Array): Promise<Verdict> {
    if (this.#running >= this.#limits.hashChecks) {
      if (this.#waiting.length >= this.#limits.hashQueue) return "busy";
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      const isRight = await this.#hasher.verify(passwd, phc);
      // Looked up again: a reload may have taken the user away meanwhile.
      const account = this.#accounts.get(name);
      if (!isRight || account?.kind !== "hash" || account.phc !== phc) return "refused";
      account.digest = digest;
      return "accepted";
    } finally {
      // The turn goes to whoever waits longest, or back.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #digest(passwd: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update(passwd).digest();
  }
}

/** Memory times passes of a PHC string: good enough to order hashes by what they cost. */
function costOf(phc: string): number {
  const memory = Number(/[$,]m=(\d+)/.exec(phc)?.[1] ?? 1);
  const passes = Number(/[$,]t=(\d+)/.exec(phc)?.[1] ?? 1);
  return memory * passes;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
