import type { PasswordHasher } from "../ports/password-hasher.ts";

/** Bun's own argon2id, on a thread of its pool. */
export const passwordHasher: PasswordHasher = {
  verify: async (password, phc) => {
    // Bun throws on an empty password, which is nobody's.
    if (password.length === 0 || !phc.startsWith("$argon2id$")) return false;
    try {
      return await Bun.password.verify(password, phc);
    } catch (fault) {
      // A hash that only looks like one: "PASSWORD_INVALID_ENCODING", "PASSWORD_WEAK_PARAMETERS" and the like.
      if (fault instanceof Error && "code" in fault && String(fault.code).startsWith("PASSWORD_")) return false;
      throw fault;
    }
  },
};
