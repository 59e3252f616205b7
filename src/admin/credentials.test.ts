import { describe, expect, test } from "bun:test";
import { createCredentialsCheck } from "./credentials.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const credentials = (username: string, password: string): { username: Uint8Array; password: Uint8Array } => ({
  username: bytes(username),
  password: bytes(password),
});
const noHasher = {
  verify: (): Promise<boolean> => {
    throw new Error("no hash is configured");
  },
};

describe("createCredentialsCheck", () => {
  test("a plain password: bytes, not text", async () => {
    const { check } = createCredentialsCheck(
      { name: "größe", secret: { kind: "plain", password: "pässword" } },
      noHasher,
    );
    expect(await check(credentials("größe", "pässword"))).toBe(true);
    for (const [name, password] of [
      ["größe", "pässwor"],
      ["größe", "pässword\0"],
      ["größe", "Pässword"],
      ["grösse", "pässword"],
      ["GRÖSSE", "pässword"],
      ["g", "p"],
    ] as const) {
      expect(await check(credentials(name, password))).toBe(false);
    }
    expect(await check({ username: bytes("größe"), password: Uint8Array.of(0x70, 0xe4) })).toBe(false);
  });

  test("a hash: a wrong name costs a hash too", async () => {
    const asked: string[] = [];
    const hasher = {
      verify: async (password: Uint8Array, phc: string): Promise<boolean> => {
        asked.push(`${new TextDecoder().decode(password)} ${phc}`);
        return new TextDecoder().decode(password) === "secret";
      },
    };
    const { check } = createCredentialsCheck({ name: "root", secret: { kind: "hash", phc: "$argon2id$x" } }, hasher);
    expect(await check(credentials("root", "secret"))).toBe(true);
    expect(await check(credentials("root", "wrong"))).toBe(false);
    expect(await check(credentials("nobody", "secret"))).toBe(false);
    expect(asked).toEqual(["secret $argon2id$x", "wrong $argon2id$x", "secret $argon2id$x"]);
  });

  test("hashes are computed one at a time, and a failed one does not stop the next", async () => {
    let running = 0;
    let most = 0;
    let count = 0;
    const hasher = {
      verify: async (): Promise<boolean> => {
        running++;
        most = Math.max(most, running);
        await Promise.resolve();
        running--;
        count++;
        if (count === 2) throw new Error("out of memory");
        return false;
      },
    };
    const { check } = createCredentialsCheck({ name: "root", secret: { kind: "hash", phc: "$argon2id$x" } }, hasher);
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => check(credentials("root", "wrong"))));
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
      "fulfilled",
    ]);
    expect(most).toBe(1);
  });

  test("a password that was right does not wait behind wrong ones again", async () => {
    const asked: string[] = [];
    const never = new Promise<boolean>(() => undefined);
    const hasher = {
      verify: (password: Uint8Array): Promise<boolean> => {
        const text = new TextDecoder().decode(password);
        asked.push(text);
        return text === "secret" ? Promise.resolve(true) : never;
      },
    };
    const { check } = createCredentialsCheck({ name: "root", secret: { kind: "hash", phc: "$argon2id$x" } }, hasher);
    // A burst of right ones costs one hash.
    const burst = await Promise.all([1, 2, 3].map(() => check(credentials("root", "secret"))));
    expect({ burst, asked }).toEqual({ burst: [true, true, true], asked: ["secret"] });
    void check(credentials("root", "guess"));
    expect(await check(credentials("root", "secret"))).toBe(true);
    expect(asked).toEqual(["secret", "guess"]);
  });
});
