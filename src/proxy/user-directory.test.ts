import { describe, expect, test } from "bun:test";
import { FakeHasher, settle } from "../../test/support/fake-proxy.ts";
import { UserDirectory, type UserEntry } from "./user-directory.ts";

const LIMITS = { hashChecks: 2, hashQueue: 2 };
const CHEAP = "$argon2id$v=19$m=1024,t=1,p=1$c2FsdA$aGFzaA";
const COSTLY = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA";
const plain = (name: string, password: string): UserEntry => ({ name, secret: { kind: "plain", password } });
const hashed = (name: string, phc: string): UserEntry => ({ name, secret: { kind: "hash", phc } });

function setUp(users: readonly UserEntry[], limits = LIMITS) {
  const hasher = new FakeHasher();
  const directory = new UserDirectory(new Uint8Array(32).fill(9), hasher, users, limits);
  const check = (name: string | Uint8Array, password: string | Uint8Array) =>
    directory.authenticate(Buffer.from(name), Buffer.from(password));
  /** Answers the check of that number. */
  const answer = async (index: number, isRight: boolean): Promise<void> => {
    hasher.asked[index]?.answer(isRight);
    await settle();
  };
  return { hasher, directory, check, answer };
}

describe("plain passwords", () => {
  test("are judged at once, names and passwords each in full", () => {
    const { check, hasher } = setUp([plain("alice", "right"), plain("bob", "other")]);
    expect(check("alice", "right")).toBe("accepted");
    expect(check("bob", "other")).toBe("accepted");
    for (const [name, password] of [
      ["alice", "wrong"],
      ["alice", "other"],
      ["alice", "righ"],
      ["alice", "right\0"],
      ["alice", ""],
      ["alic", "right"],
      ["alice\0", "right"],
      ["", ""],
      ["nobody", "right"],
    ] as const) {
      expect(check(name, password)).toBe("refused");
    }
    expect(hasher.asked).toEqual([]);
  });

  test("are bytes: UTF-8 of the configuration, any byte of the client", () => {
    const { check } = setUp([plain("Åse", "pässwörd")]);
    expect(check("Åse", "pässwörd")).toBe("accepted");
    // Latin-1 spells the same letters in other bytes.
    expect(check(Uint8Array.of(0xc5, 0x73, 0x65), "pässwörd")).toBe("refused");
    expect(check("Åse", Uint8Array.of(0xff, 0xfe))).toBe("refused");
  });

  test("the key itself is nobody's password digest", () => {
    const { check } = setUp([hashed("alice", CHEAP)]);
    // A user whose hash has not been checked yet has no digest: nothing may equal it.
    expect(check("alice", new Uint8Array(32).fill(9))).toBeInstanceOf(Promise);
  });
});

describe("hashes", () => {
  test("are computed once for a user and not once for a connection", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", CHEAP)]);
    const first = check("alice", "right");
    expect(hasher.asked).toMatchObject([{ password: "right", phc: CHEAP }]);
    await answer(0, true);
    expect(await first).toBe("accepted");
    expect(check("alice", "right")).toBe("accepted");
    expect(hasher.asked.length).toBe(1);
  });

  test("connections that come together share one computation, and one place in the queue", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", CHEAP)]);
    const together = Array.from({ length: 100 }, () => check("alice", "right"));
    expect(hasher.asked.length).toBe(1);
    await answer(0, true);
    expect(new Set(await Promise.all(together))).toEqual(new Set(["accepted"]));
  });

  test("wrong passwords are not remembered", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", CHEAP)]);
    for (const index of [0, 1]) {
      const verdict = check("alice", "wrong");
      await answer(index, false);
      expect(await verdict).toBe("refused");
    }
    expect(hasher.asked.length).toBe(2);
  });

  test("an unknown name costs the costliest hash there is, and never gets in by it", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", CHEAP), hashed("bob", COSTLY), plain("carol", "right")]);
    const verdict = check("nobody", "right");
    expect(hasher.asked).toMatchObject([{ phc: COSTLY }]);
    await answer(0, true);
    expect(await verdict).toBe("refused");
    const again = check("nobody", "right");
    expect(hasher.asked.length).toBe(2);
    await answer(1, true);
    expect(await again).toBe("refused");
  });

  test("what a hash costs is its memory as often as it is passed over", () => {
    const passes = "$argon2id$v=19$m=32768,t=4,p=1$c2FsdA$aGFzaA";
    const memory = "$argon2id$v=19$m=65536,t=1,p=1$c2FsdA$aGFzaA";
    for (const users of [
      [hashed("a", passes), hashed("b", memory)],
      [hashed("b", memory), hashed("a", passes)],
    ]) {
      const { check, hasher } = setUp(users);
      check("nobody", "x");
      expect(hasher.asked).toMatchObject([{ phc: passes }]);
    }
  });

  test("a wrong plain password costs a hash, too, where there is one", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", COSTLY), plain("carol", "right")]);
    expect(check("carol", "right")).toBe("accepted");
    const verdict = check("carol", "wrong");
    expect(hasher.asked).toMatchObject([{ phc: COSTLY }]);
    await answer(0, true);
    expect(await verdict).toBe("refused");
  });

  test("the password is copied: the read buffer changes while the hash is computed", async () => {
    const { directory, hasher } = setUp([hashed("alice", CHEAP)]);
    const buffer = Buffer.from("right");
    directory.authenticate(Buffer.from("alice"), buffer);
    directory.authenticate(Buffer.from("bob"), buffer);
    directory.authenticate(Buffer.from("carol"), buffer);
    buffer.fill(0xee);
    hasher.asked[0]?.answer(false);
    await settle();
    expect(hasher.asked.map(({ password }) => password)).toEqual(["right", "right", "right"]);
  });
});

describe("the queue of checks", () => {
  test("runs so many at once, the others in their order, and refuses who does not fit", async () => {
    const { check, hasher, answer } = setUp([hashed("alice", CHEAP)]);
    const verdicts = ["a", "b", "c", "d", "e"].map((password) => check("alice", password));
    await settle();
    expect(hasher.asked.map(({ password }) => password)).toEqual(["a", "b"]);
    expect(await verdicts[4]).toBe("busy");
    await answer(1, false);
    expect(hasher.asked.map(({ password }) => password)).toEqual(["a", "b", "c"]);
    await answer(0, false);
    await answer(2, false);
    await answer(3, false);
    expect(await Promise.all(verdicts.slice(0, 4))).toEqual(["refused", "refused", "refused", "refused"]);
    check("alice", "f");
    expect(hasher.asked.at(-1)?.password).toBe("f");
  });

  test("a right password is not kept waiting by it once it is known", async () => {
    const { check, answer } = setUp([hashed("alice", CHEAP)]);
    check("alice", "right");
    await answer(0, true);
    for (const password of ["a", "b", "c", "d"]) check("alice", password);
    expect(check("alice", "right")).toBe("accepted");
  });
});

describe("a new list", () => {
  test("takes the place of the old one", async () => {
    const { directory, check, answer, hasher } = setUp([plain("alice", "old"), hashed("bob", CHEAP)]);
    check("bob", "right");
    await answer(0, true);
    directory.replace([plain("alice", "new"), hashed("bob", CHEAP), plain("carol", "x")], LIMITS);
    // What is known of an unchanged hash stays known.
    expect(check("bob", "right")).toBe("accepted");
    expect(hasher.asked.length).toBe(1);
    expect(check("alice", "new")).toBe("accepted");
    expect(check("carol", "x")).toBe("accepted");
    const old = check("alice", "old");
    await answer(1, true);
    expect(await old).toBe("refused");
  });

  test("with another hash has to be convinced again", async () => {
    const { directory, check, answer, hasher } = setUp([hashed("bob", CHEAP)]);
    check("bob", "right");
    await answer(0, true);
    directory.replace([hashed("bob", COSTLY)], LIMITS);
    expect(check("bob", "right")).toBeInstanceOf(Promise);
    expect(hasher.asked[1]?.phc).toBe(COSTLY);
  });

  test("holds for a check that is under way", async () => {
    const { directory, check, answer } = setUp([hashed("bob", CHEAP)]);
    const verdict = check("bob", "right");
    directory.replace([plain("alice", "x")], LIMITS);
    await answer(0, true);
    expect(await verdict).toBe("refused");
  });

  test("brings its own limits, and its own costliest hash", async () => {
    const { directory, check, hasher, answer } = setUp([hashed("bob", COSTLY), plain("alice", "x")]);
    directory.replace([hashed("carol", CHEAP), plain("alice", "x")], { hashChecks: 1, hashQueue: 0 });
    const unknown = check("bob", "right");
    expect(hasher.asked).toMatchObject([{ phc: CHEAP }]);
    expect(await check("carol", "right")).toBe("busy");
    await answer(0, true);
    expect(await unknown).toBe("refused");
    directory.replace([plain("alice", "x")], LIMITS);
    // Without a hash anywhere, nobody waits for one.
    expect(check("bob", "right")).toBe("refused");
  });

  test("may be empty", () => {
    const { directory, check } = setUp([plain("alice", "x")]);
    expect(directory.isEmpty).toBe(false);
    directory.replace([], LIMITS);
    expect(directory.isEmpty).toBe(true);
    expect(check("alice", "x")).toBe("refused");
  });
});

test("only names of users are fit to be shown", () => {
  const { directory } = setUp([plain("Åse", "x")]);
  expect(directory.knownName(Buffer.from("Åse"))).toBe("Åse");
  expect(directory.knownName(Buffer.from("åse"))).toBeUndefined();
});
