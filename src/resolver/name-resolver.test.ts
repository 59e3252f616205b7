import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import type { Resolution, Resolver } from "../ports/resolver.ts";
import type { AnswerSource, Outcome, TimedOutcome } from "./answer-source.ts";
import { STALE_PATIENCE_MS } from "./caching-source.ts";
import { HostsFile } from "./hosts-file.ts";
import { NameResolver, type NameResolverOptions } from "./name-resolver.ts";

const silentLog = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A resolver whose DNS answers stand in a table by "A name"; what is not there does not exist. */
function setUp(table: Record<string, Outcome | Promise<Outcome>> = {}, options: Partial<NameResolverOptions> = {}) {
  const asked: string[] = [];
  const steps: string[] = [];
  const families: string[] = [];
  const source: AnswerSource = {
    ask: async ({ name, type }) => {
      asked.push(`${type} ${name}`);
      const outcome = await (table[`${type} ${name}`] ?? { kind: "none", detail: "the name does not exist" });
      return { outcome, ttlS: 60 };
    },
  };
  const system: Resolver = {
    resolve: (name) => {
      asked.push(`system ${name}`);
      return Promise.resolve({ kind: "addresses", addresses: ["198.51.100.1"] });
    },
  };
  const resolver = new NameResolver({
    clock: new ManualClock(),
    source,
    hosts: undefined,
    system: undefined,
    timeoutMs: 8000,
    families: [6, 4],
    sort: (addresses) => addresses,
    ...options,
  });
  const watch = {
    onFamily: (family: 4 | 6, addresses: readonly string[]) =>
      families.push(`${family}: ${addresses.join(" ")}`.trim()),
    onStep: (step: { source: string; detail: string }) => steps.push(`${step.source} ${step.detail}`),
  };
  return { asked, steps, families, resolver, system, source, watch };
}

/** Lets everything go on that waits for no event. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const found = (...addresses: string[]): Outcome => ({ kind: "addresses", addresses });
const FAILED: Outcome = { kind: "failed", detail: "all servers are down" };

describe("NameResolver: what never leaves", () => {
  const local: [string, string[]][] = [
    ["192.0.2.1", ["192.0.2.1"]],
    ["2001:DB8::1", ["2001:db8::1"]],
    ["::ffff:192.0.2.1", ["192.0.2.1"]],
    ["localhost", ["::1", "127.0.0.1"]],
    ["LOCALHOST.", ["::1", "127.0.0.1"]],
    ["a.b.localhost", ["::1", "127.0.0.1"]],
  ];
  for (const [name, addresses] of local) {
    test(name, async () => {
      const { resolver, system, asked } = setUp({}, {});
      expect(await resolver.resolve(name)).toEqual({ kind: "addresses", addresses });
      const systemOnly = setUp({}, { source: undefined, system });
      expect(await systemOnly.resolver.resolve(name)).toEqual({ kind: "addresses", addresses });
      expect([...asked, ...systemOnly.asked]).toEqual([]);
    });
  }

  for (const name of ["", "a b", "a..b", "-a.example", "127.1", "0x7f.1", "b\xfccher.example", "x".repeat(64)]) {
    test(`${JSON.stringify(name)} is no host name`, async () => {
      const { resolver, asked } = setUp();
      expect((await resolver.resolve(name)).kind).toBe("not-found");
      expect(asked).toEqual([]);
    });
  }
});

describe("NameResolver: by DNS over HTTP", () => {
  test("A and AAAA are asked at once, and each is told as it comes [rfc8305#3/both-at-once]", async () => {
    const slow = Promise.withResolvers<Outcome>();
    const { resolver, asked, families, watch } = setUp({
      "A a.example": found("192.0.2.1"),
      "AAAA a.example": slow.promise,
    });
    const resolution = resolver.resolve("A.example.", watch);
    expect(asked).toEqual(["AAAA a.example", "A a.example"]);
    while (families.length === 0) await Promise.resolve();
    expect(families).toEqual(["4: 192.0.2.1"]);
    slow.resolve(found("2001:db8::1"));
    expect(await resolution).toEqual({ kind: "addresses", addresses: ["2001:db8::1", "192.0.2.1"] });
    expect(families).toEqual(["4: 192.0.2.1", "6: 2001:db8::1"]);
  });

  test("one family is enough, whatever became of the other", async () => {
    expect(await setUp({ "A a.example": found("192.0.2.1") }).resolver.resolve("a.example")).toMatchObject({
      addresses: ["192.0.2.1"],
    });
    const broken = setUp({ "A a.example": found("192.0.2.1"), "AAAA a.example": FAILED });
    expect(await broken.resolver.resolve("a.example", broken.watch)).toMatchObject({ addresses: ["192.0.2.1"] });
    expect(broken.families).toEqual(["4: 192.0.2.1"]);
    const half = setUp({ "A a.example": found("192.0.2.1"), "AAAA a.example": Promise.resolve(FAILED) });
    await half.resolver.resolve("a.example", half.watch);
    expect(half.families).toEqual(["4: 192.0.2.1"]);
  });

  test("not found is said once; a failure of either is a failure", async () => {
    expect(await setUp().resolver.resolve("a.example")).toEqual({
      kind: "not-found",
      detail: "the name does not exist",
    });
    expect(await setUp({ "AAAA a.example": FAILED }).resolver.resolve("a.example")).toEqual(FAILED);
  });

  test("the order is the given one, unless somebody watches the families", async () => {
    const table = { "A a.example": found("192.0.2.1"), "AAAA a.example": found("2001:db8::1") };
    const sort = (addresses: readonly string[]) => [...addresses].reverse();
    expect(await setUp(table, { sort }).resolver.resolve("a.example")).toMatchObject({
      addresses: ["192.0.2.1", "2001:db8::1"],
    });
  });

  test("one family only is asked for, and given, whatever knows the name", async () => {
    const { resolver, asked } = setUp({ "A a.example": found("192.0.2.1") }, { families: [4] });
    expect(await resolver.resolve("a.example")).toMatchObject({ addresses: ["192.0.2.1"] });
    expect(asked).toEqual(["A a.example"]);
    expect(await resolver.resolve("localhost")).toMatchObject({ addresses: ["127.0.0.1"] });
    expect(await resolver.resolve("::1")).toEqual({ kind: "not-found", detail: "the name has no IPv4 address" });
  });
});

describe("NameResolver: the system's resolver", () => {
  test("is not asked when the servers fail, unless it is the fallback", async () => {
    const table = { "A a.example": FAILED, "AAAA a.example": FAILED };
    const strict = setUp(table);
    expect(await strict.resolver.resolve("a.example")).toEqual(FAILED);
    const { system, asked } = setUp();
    const lenient = setUp(table, { system });
    expect(await lenient.resolver.resolve("a.example", lenient.watch)).toMatchObject({ addresses: ["198.51.100.1"] });
    expect(asked).toEqual(["system a.example"]);
    expect(lenient.steps).toEqual(["system a.example: 198.51.100.1"]);
  });

  test("is not asked for a name that the servers say does not exist", async () => {
    const { system, asked } = setUp();
    const lenient = setUp({}, { system });
    expect((await lenient.resolver.resolve("a.example")).kind).toBe("not-found");
    expect(asked).toEqual([]);
  });

  test("is the only one where no server is configured, and gets the name with its dot", async () => {
    const { system, asked } = setUp();
    const { resolver } = setUp({}, { source: undefined, system });
    expect(await resolver.resolve("a.example.")).toMatchObject({ addresses: ["198.51.100.1"] });
    expect(asked).toEqual(["system a.example."]);
  });
});

test("the hosts file comes before every question", async () => {
  using scratch = scratchDir();
  const path = scratch.file("hosts");
  writeFileSync(path, "192.0.2.7 a.example\n2001:db8::7 a.example\n");
  const hosts = new HostsFile(path, new ManualClock(), silentLog);
  const { resolver, asked, steps, watch } = setUp({}, { hosts });
  expect(await resolver.resolve("a.example", watch)).toEqual({
    kind: "addresses",
    addresses: ["192.0.2.7", "2001:db8::7"],
  });
  expect(asked).toEqual([]);
  expect(steps).toEqual(["hosts a.example: 192.0.2.7, 2001:db8::7"]);
});

describe("NameResolver: an old answer for one family", () => {
  /** The A answer is old, the AAAA answer comes when the test gives it. */
  function setUpStale(isStale: boolean) {
    const clock = new ManualClock();
    const six = Promise.withResolvers<TimedOutcome>();
    const old: TimedOutcome = { outcome: found("192.0.2.1"), ttlS: 0, isStale };
    const source: AnswerSource = { ask: ({ type }) => (type === "A" ? old : six.promise) };
    const { resolver, families, watch } = setUp({}, { source, clock });
    let resolution: Resolution | undefined;
    const done = Promise.resolve(resolver.resolve("a.example", watch)).then((said) => {
      resolution = said;
    });
    return { clock, six, families, done, resolution: () => resolution };
  }

  test("the other is waited for as long as for a new one, and not until its own end", async () => {
    const { clock, six, families, done, resolution } = setUpStale(true);
    clock.advance(STALE_PATIENCE_MS - 1);
    await settle();
    expect(resolution()).toBeUndefined();
    clock.advance(1);
    await done;
    expect(resolution()).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
    six.resolve({ outcome: found("2001:db8::1"), ttlS: 60 });
    await settle();
    expect(families).toEqual(["4: 192.0.2.1"]);
  });

  test("that comes when the time is over already ends it at once, and leaves no timer", async () => {
    const clock = new ManualClock();
    const four = Promise.withResolvers<TimedOutcome>();
    const source: AnswerSource = { ask: ({ type }) => (type === "A" ? four.promise : new Promise(() => undefined)) };
    const resolution = setUp({}, { source, clock }).resolver.resolve("a.example");
    clock.advance(STALE_PATIENCE_MS);
    four.resolve({ outcome: found("192.0.2.1"), ttlS: 0, isStale: true });
    expect(await resolution).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect(clock.pendingCount).toBe(0);
  });

  test("a new one waits for the other to its end", async () => {
    const { clock, six, done, resolution } = setUpStale(false);
    clock.advance(STALE_PATIENCE_MS * 2);
    await settle();
    expect(resolution()).toBeUndefined();
    six.resolve({ outcome: found("2001:db8::1"), ttlS: 60 });
    await done;
    expect(resolution()).toEqual({ kind: "addresses", addresses: ["2001:db8::1", "192.0.2.1"] });
  });
});

test("what is known already comes at once, without a promise", () => {
  const known: AnswerSource = {
    ask: ({ type }) => ({ outcome: type === "A" ? found("192.0.2.1") : found("2001:db8::1"), ttlS: 60 }),
  };
  const { resolver } = setUp({}, { source: known });
  expect(resolver.resolve("www.example.org")).toEqual({ kind: "addresses", addresses: ["2001:db8::1", "192.0.2.1"] });
  expect(resolver.resolve("localhost")).toEqual({ kind: "addresses", addresses: ["::1", "127.0.0.1"] });
});

test("a failure that the cache knows still goes to the system's resolver, where that is wanted", async () => {
  const failing: AnswerSource = { ask: () => ({ outcome: FAILED, ttlS: 2 }) };
  const { resolver, system, asked } = setUp({}, { source: failing });
  expect(resolver.resolve("www.example.org")).toEqual(FAILED);
  expect(asked).toEqual([]);
  const { resolver: withSystem } = setUp({}, { source: failing, system });
  expect(await withSystem.resolve("www.example.org")).toEqual({ kind: "addresses", addresses: ["198.51.100.1"] });
});

test("the system's resolver has what the servers have left of the time", async () => {
  const clock = new ManualClock();
  const failing = Promise.withResolvers<Outcome>();
  const asked = Promise.withResolvers<void>();
  const system: Resolver = {
    resolve: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
  };
  const table = { "A slow.example": failing.promise, "AAAA slow.example": failing.promise };
  const { resolver } = setUp(table, { clock, system });
  const resolution = resolver.resolve("slow.example");
  clock.advance(5500);
  failing.resolve(FAILED);
  await asked.promise;
  clock.advance(2499);
  expect(clock.pendingCount).toBe(1);
  clock.advance(1);
  expect(await resolution).toEqual({
    kind: "failed",
    detail: "no answer within 8000 ms, the system's resolver included",
  });
});
