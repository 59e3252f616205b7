/** Who the administrator is, and whether somebody is he. */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { PasswordHasher } from "../ports/password-hasher.ts";
import type { Credentials } from "../protocol/admin/auth.ts";

/** The name of the administrator whose password is generated. */
export const GENERATED_NAME = "admin";

export interface Administrator {
  readonly name: string;
  readonly secret:
    | { readonly kind: "plain"; readonly password: string }
    /** An argon2id hash as a PHC string. */
    | { readonly kind: "hash"; readonly phc: string };
}

/** Judges credentials. */
export interface CredentialsCheck {
  /** Whether they are the administrator's. Rejects when that cannot be found out. */
  check(credentials: Credentials): Promise<boolean>;
}

/**
 * Makes the check for one administrator. Names and passwords are compared as bytes, by their keyed digests: the time it
 * takes says nothing about where they differ, and a wrong name costs what a wrong password costs.
 *
 * Hashes are computed one at a time, so that logins cannot take the machine: argon2id means to cost memory. Who waits is
 * BOUNDED by the server's limit on associations that have not logged in. Who has proved himself once does not wait there
 * again: the keyed digest of the password that was right is remembered, so guesses do not delay the administrator.
 */
export function createCredentialsCheck(administrator: Administrator, hasher: PasswordHasher): CredentialsCheck {
  const key = randomBytes(32);
  const digest = (bytes: Uint8Array): Buffer => createHmac("sha256", key).update(bytes).digest();
  const name = digest(Buffer.from(administrator.name, "utf8"));
  const { secret } = administrator;
  if (secret.kind === "plain") {
    const password = digest(Buffer.from(secret.password, "utf8"));
    return {
      check: async (credentials) => {
        const nameIsRight = timingSafeEqual(digest(credentials.username), name);
        const passwordIsRight = timingSafeEqual(digest(credentials.password), password);
        return nameIsRight && passwordIsRight;
      },
    };
  }
  let last: Promise<unknown> = Promise.resolve();
  let proved: Buffer | undefined;
  const isProved = (password: Buffer): boolean => proved !== undefined && timingSafeEqual(password, proved);
  return {
    check: async (credentials) => {
      const nameIsRight = timingSafeEqual(digest(credentials.username), name);
      const password = digest(credentials.password);
      // Only for the right name: the right password with a wrong one takes as long as any mistake.
      if (isProved(password) && nameIsRight) return true;
      const verify = async (): Promise<boolean> => {
        if (isProved(password) && nameIsRight) return true;
        const passwordIsRight = await hasher.verify(credentials.password, secret.phc);
        if (passwordIsRight) proved = password;
        return passwordIsRight && nameIsRight;
      };
      const turn = last.then(verify, verify);
      last = turn;
      return await turn;
    },
  };
}
