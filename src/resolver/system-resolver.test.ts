import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { type LookupAll, SystemResolver } from "./system-resolver.ts";

const LIMITS = { timeoutMs: 100, concurrentMax: 2, waitingMax: 2 };

/** A getaddrinfo whose answers the test gives by hand. */
function scripted() {
  const asked: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<readonly { address: string }[]>>();
  const lookup: LookupAll = (name) => {
    asked.push(name);
    const answer = Promise.withResolvers<readonly { address: string }[]>();
    answers.set(name, answer);
    return answer.promise;
  };
  return { asked, answers, lookup };
}

const coded = (code: string): Error => Object.assign(new Error(`getaddrinfo ${code}`), { code });

describe("SystemResolver", () => {
  test("gives the addresses in the system's order, each once", async () => {
    const lookup: LookupAll = () =>
      Promise.resolve([{ address: "2001:db8::1" }, { address: "192.0.2.1" }, { address: "192.0.2.1" }]);
    const resolver = new SystemResolver(new ManualClock(), LIMITS, lookup);
    expect(await resolver.resolve("Example.org")).toEqual({
      kind: "addresses",
      addresses: ["2001:db8::1", "192.0.2.1"],
    });
  });

  test("tells a name that is not there from a resolver that cannot say", async () => {
    const answer = async (code: string) =>
      (await new SystemResolver(new ManualClock(), LIMITS, () => Promise.reject(coded(code))).resolve("a.example"))
        .kind;
    expect(await answer("ENOTFOUND")).toBe("not-found");
    expect(await answer("ENODATA")).toBe("not-found");
    expect(await answer("EAI_AGAIN")).toBe("failed");
    expect(await answer("ESERVFAIL")).toBe("failed");
    expect(await answer("ESOMETHING")).toBe("failed");
  });

  test("an answer without addresses is not found", async () => {
    const resolver = new SystemResolver(new ManualClock(), LIMITS, () => Promise.resolve([]));
    expect((await resolver.resolve("a.example")).kind).toBe("not-found");
  });

  test("what is no host name is never asked for", async () => {
    const { asked, lookup } = scripted();
    const resolver = new SystemResolver(new ManualClock(), LIMITS, lookup);
    expect((await resolver.resolve("a b")).kind).toBe("not-found");
    expect((await resolver.resolve("192.0.2.1")).kind).toBe("not-found");
    expect(asked).toEqual([]);
  });

  test("a trailing dot reaches the system, which then leaves its search domains alone", async () => {
    const { asked, answers, lookup } = scripted();
    const resolution = new SystemResolver(new ManualClock(), LIMITS, lookup).resolve("Host.");
    answers.get("host.")?.resolve([{ address: "192.0.2.1" }]);
    expect((await resolution).kind).toBe("addresses");
    expect(asked).toEqual(["host."]);
  });

  test("a resolver that says nothing fails in time, and keeps its slot until it returns", async () => {
    const clock = new ManualClock();
    const { asked, answers, lookup } = scripted();
    const resolver = new SystemResolver(clock, LIMITS, lookup);
    const first = [resolver.resolve("a.example"), resolver.resolve("b.example"), resolver.resolve("c.example")];
    clock.advance(100);
    expect((await Promise.all(first)).map((resolution) => resolution.kind)).toEqual(["failed", "failed", "failed"]);
    expect(asked).toEqual(["a.example", "b.example"]);

    const next = resolver.resolve("d.example");
    expect(asked).toEqual(["a.example", "b.example"]);
    answers.get("a.example")?.reject(coded("EAI_AGAIN"));
    while (asked.length < 3) await Promise.resolve();
    expect(asked[2]).toBe("d.example");
    answers.get("d.example")?.resolve([{ address: "192.0.2.4" }]);
    expect((await next).kind).toBe("addresses");
    expect(clock.pendingCount).toBe(0);
  });

  test("equal names that are asked for at once are one look-up", async () => {
    const { asked, answers, lookup } = scripted();
    const resolver = new SystemResolver(new ManualClock(), LIMITS, lookup);
    const both = [resolver.resolve("a.example"), resolver.resolve("A.example")];
    answers.get("a.example")?.resolve([{ address: "192.0.2.1" }]);
    expect((await Promise.all(both)).map((resolution) => resolution.kind)).toEqual(["addresses", "addresses"]);
    expect(asked).toEqual(["a.example"]);
    const again = resolver.resolve("a.example");
    answers.get("a.example")?.resolve([{ address: "192.0.2.1" }]);
    await again;
    expect(asked).toEqual(["a.example", "a.example"]);
  });

  test("IPv4 wrapped in IPv6 is IPv4, and a name below .onion is not asked for", async () => {
    const { asked, answers, lookup } = scripted();
    const resolver = new SystemResolver(new ManualClock(), LIMITS, lookup);
    const resolution = resolver.resolve("a.example");
    answers.get("a.example")?.resolve([{ address: "::ffff:192.0.2.1" }, { address: "192.0.2.1" }]);
    expect(await resolution).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect((await resolver.resolve("a.onion")).kind).toBe("not-found");
    expect(asked).toEqual(["a.example"]);
  });

  test("at the limit of those who wait, the next one fails at once", async () => {
    const clock = new ManualClock();
    const { lookup } = scripted();
    const resolver = new SystemResolver(clock, LIMITS, lookup);
    const held = ["a", "b", "c", "d"].map((name) => resolver.resolve(`${name}.example`));
    const refused = await resolver.resolve("e.example");
    expect(refused).toEqual({ kind: "failed", detail: "2 look-ups are waiting already" });
    clock.advance(100);
    await Promise.all(held);
  });

  test("asks the real system: localhost is loopback", async () => {
    const resolution = await new SystemResolver(new ManualClock()).resolve("localhost");
    expect(resolution.kind === "addresses" && resolution.addresses.every((a) => a === "127.0.0.1" || a === "::1")).toBe(
      true,
    );
  });
});
