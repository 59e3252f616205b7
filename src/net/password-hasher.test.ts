import { describe, expect, test } from "bun:test";
import { passwordHasher } from "./password-hasher.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("passwordHasher", () => {
  test("tells the right password from a wrong one", async () => {
    const phc = await Bun.password.hash("right", { algorithm: "argon2id", memoryCost: 8, timeCost: 1 });
    expect(await passwordHasher.verify(bytes("right"), phc)).toBe(true);
    expect(await passwordHasher.verify(bytes("wrong"), phc)).toBe(false);
    expect(await passwordHasher.verify(bytes(""), phc)).toBe(false);
  });

  // Each looks like a hash to a regular expression.
  for (const phc of [
    "$argon2id$v=19$m=65536,t=2,p=1$abc$def",
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
    "$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
    "$argon2id$garbage",
    "$2b$10$abcdefghijklmnopqrstuu",
    "",
  ]) {
    test(`nobody has the password of ${phc || "an empty string"}, and nothing is thrown`, async () => {
      expect(await passwordHasher.verify(bytes("x"), phc)).toBe(false);
    });
  }
});
