import type { PasswordHasher } from "../ports/password-hasher.ts";

/** Bun's own argon2id, on a thread of its pool. */
export const passwordHasher: PasswordHasher = {
  verify: async (password, phc) => {
    // Bun throws on an empty password and on a hash that it cannot read; neither is anybody's password.
    if (password.length === 0 || !phc.startsWith("$argon2id$")) return false;
    return await Bun.password.verify(password, phc);
  },
};
