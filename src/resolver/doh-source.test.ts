import { describe, expect, test } from "bun:test";
import { a, aaaa, cname, response, soa } from "../../test/support/dns-message.ts";
import {
  DOWN,
  dohRig,
  GOOD,
  httpStatus,
  message,
  NAME,
  type Reply,
  type RigOptions,
  SERVFAIL,
} from "../../test/support/doh-rig.ts";
import type { HttpOutcome } from "../ports/http-client.ts";
import type { Resolver } from "../ports/resolver.ts";

const setUp = (replies: Record<string, Reply>, options: RigOptions = {}) => dohRig(() => replies, options);

describe("DohSource: one server", () => {
  test("an address, its TTL, and a step that names everything", async () => {
    const { ask, steps, counters } = setUp({ "192.0.2.53": GOOD });
    expect(await ask()).toEqual({ outcome: { kind: "addresses", addresses: ["192.0.2.1"] }, ttlS: 300 });
    expect(steps).toEqual(["A www.example.org, https://192.0.2.53/dns-query (192.0.2.53): 192.0.2.1 (TTL 300 s)"]);
    expect(counters).toMatchObject({ queries: 1, queryFailures: 0 });
  });

  test("the time in HTTP caches is taken off the TTL [rfc8484#5.1/age]", async () => {
    const bytes = response(NAME, "A", { answers: [a(NAME, "192.0.2.1", 300)] });
    expect((await setUp({ "192.0.2.53": message(bytes, "250") }).ask()).ttlS).toBe(50);
    expect((await setUp({ "192.0.2.53": message(bytes, "301") }).ask()).ttlS).toBe(0);
  });

  test("no such name and no address, for as long as the SOA says", async () => {
    const noName = message(response(NAME, "A", { rcode: 3, authorities: [soa("example.org", 60, 900)] }), "10");
    expect(await setUp({ "192.0.2.53": noName }).ask()).toEqual({
      outcome: { kind: "none", detail: "the name does not exist" },
      ttlS: 50,
    });
    expect(await setUp({ "192.0.2.53": message(response(NAME, "A")) }).ask()).toEqual({
      outcome: { kind: "none", detail: "the name has no A record" },
      ttlS: 0,
    });
  });

  test("an alias that the server leaves open is asked for, and the least TTL counts", async () => {
    let count = 0;
    const { ask } = setUp({
      "192.0.2.53": () => {
        count += 1;
        return count === 1
          ? message(response(NAME, "A", { answers: [cname(NAME, "b.example", 20)] }))
          : message(response("b.example", "A", { answers: [a("b.example", "192.0.2.2", 300)] }));
      },
    });
    expect(await ask()).toEqual({ outcome: { kind: "addresses", addresses: ["192.0.2.2"] }, ttlS: 20 });
  });

  test("aliases without end come to one", async () => {
    let count = 0;
    const { ask, sent } = setUp({
      "192.0.2.53": () => {
        const owner = count === 0 ? NAME : `n${count}.example`;
        count += 1;
        return message(response(owner, "A", { answers: [cname(owner, `n${count}.example`)] }));
      },
    });
    expect((await ask()).outcome).toEqual({ kind: "failed", detail: "more than 16 CNAMEs, or a loop" });
    expect(sent.length).toBe(17);
  });

  const faults: [string, HttpOutcome, RegExp][] = [
    ["nobody there", DOWN, /ECONNREFUSED/],
    ["HTTP 404", httpStatus(404), /HTTP 404/],
    ["HTTP 500", httpStatus(500), /HTTP 500/],
    ["a redirect", httpStatus(302), /redirects are not followed/],
    ["another content type", { ...GOOD, contentType: "text/html" } as HttpOutcome, /content type/],
    ["garbage", message(Uint8Array.of(1, 2, 3)), /no DNS message/],
    ["another question", message(response("other.example", "A", {})), /another question/],
    ["a truncated answer", message(response(NAME, "A", { flags: 0x0380 })), /truncated/],
    ["SERVFAIL", SERVFAIL, /SERVFAIL/],
  ];
  for (const [what, reply, detail] of faults) {
    test(`${what} is a failure that says so`, async () => {
      const { ask, counters } = setUp({ "192.0.2.53": reply });
      const { outcome, ttlS } = await ask();
      expect(outcome.kind).toBe("failed");
      expect(outcome.kind === "failed" && outcome.detail).toMatch(detail);
      expect(ttlS).toBe(0);
      expect(counters.queryFailures).toBe(1);
    });
  }
});

describe("DohSource: several servers", () => {
  test("the first answers: the second is not asked", async () => {
    const { ask, sent } = setUp({ "192.0.2.1": GOOD, "192.0.2.2": GOOD });
    await ask();
    expect(sent).toEqual(["192.0.2.1 192.0.2.1"]);
  });

  test("one that is down is asked last, until its time is over; then it is the first again", async () => {
    const { ask, sent, replies, clock } = setUp({ "192.0.2.1": DOWN, "192.0.2.2": GOOD });
    expect((await ask()).outcome.kind).toBe("addresses");
    expect((await ask()).outcome.kind).toBe("addresses");
    expect(sent).toEqual(["192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2", "192.0.2.2 192.0.2.2"]);
    clock.advance(1000);
    await ask();
    expect(sent.slice(3)).toEqual(["192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2"]);
    clock.advance(1000);
    await ask();
    expect(sent.slice(5)).toEqual(["192.0.2.2 192.0.2.2"]);
    clock.advance(1000);
    replies["192.0.2.1"] = GOOD;
    await ask();
    await ask();
    expect(sent.slice(6)).toEqual(["192.0.2.1 192.0.2.1", "192.0.2.1 192.0.2.1"]);
  });

  test("SERVFAIL sends to the next server, but does not make the first one down", async () => {
    const { ask, sent } = setUp({ "192.0.2.1": SERVFAIL, "192.0.2.2": GOOD });
    await ask();
    await ask();
    expect(sent.filter((line) => line.startsWith("192.0.2.1")).length).toBe(2);
  });

  test("NXDOMAIN is an answer: the second is not asked", async () => {
    const { ask, sent } = setUp({ "192.0.2.1": message(response(NAME, "A", { rcode: 3 })), "192.0.2.2": GOOD });
    expect((await ask()).outcome.kind).toBe("none");
    expect(sent.length).toBe(1);
  });

  test("all down: all are asked, and the failure names each", async () => {
    const { ask, sent } = setUp({ "192.0.2.1": DOWN, "192.0.2.2": httpStatus(503) });
    const { outcome } = await ask();
    expect(outcome).toEqual({
      kind: "failed",
      detail: "https://192.0.2.1/dns-query: ECONNREFUSED; https://192.0.2.2/dns-query: HTTP 503",
    });
    await ask();
    expect(sent.length).toBe(4);
  });

  test("the whole resolution has a deadline, and each query one within it", async () => {
    const timeouts: number[] = [];
    let advance: (byMs: number) => void = () => undefined;
    const slow: Reply = (_, timeoutMs) => {
      timeouts.push(timeoutMs);
      advance(timeoutMs);
      return { kind: "failed", detail: `no complete response within ${timeoutMs} ms` };
    };
    const { ask, clock, sent } = setUp({ "192.0.2.1": slow, "192.0.2.2": slow, "192.0.2.3": slow, "192.0.2.4": slow });
    advance = (ms) => clock.advance(ms);
    expect((await ask()).outcome.kind).toBe("failed");
    // Half a second is left for each that comes after.
    expect(timeouts).toEqual([1000, 1000, 500, 500]);
    expect(sent.length).toBe(4);
  });
});

describe("DohServer: its own name", () => {
  test("is not looked up when addresses are given, and the next one is taken after a failure", async () => {
    const { ask, sent } = setUp(
      { "dns.example": (address) => (address === "192.0.2.1" ? DOWN : GOOD) },
      { server: { addresses: ["192.0.2.1", "192.0.2.2"] } },
    );
    expect((await ask()).outcome.kind).toBe("addresses");
    await ask();
    expect(sent).toEqual(["dns.example 192.0.2.1", "dns.example 192.0.2.2", "dns.example 192.0.2.2"]);
  });

  test("is asked of the system once, and kept", async () => {
    const asked: string[] = [];
    const bootstrap: Resolver = {
      resolve: (name) => {
        asked.push(name);
        return Promise.resolve({ kind: "addresses", addresses: ["192.0.2.9"] });
      },
    };
    const { ask, sent, clock } = setUp({ "dns.example": GOOD }, { bootstrap });
    await ask();
    await ask({ name: NAME, type: "A" });
    expect(sent).toEqual(["dns.example 192.0.2.9", "dns.example 192.0.2.9"]);
    expect(asked).toEqual(["dns.example"]);
    clock.advance(3_600_000);
    await ask();
    expect(asked).toEqual(["dns.example", "dns.example"]);
  });

  test("that nobody can resolve, or not in time, is a failure", async () => {
    const unknown: Resolver = { resolve: () => Promise.resolve({ kind: "not-found", detail: "no such name" }) };
    expect((await setUp({ "dns.example": GOOD }, { bootstrap: unknown }).ask()).outcome).toEqual({
      kind: "failed",
      detail: "https://dns.example/dns-query: the server's name: no such name",
    });
    const silent: Resolver = { resolve: () => new Promise(() => undefined) };
    const { ask, clock } = setUp({ "dns.example": GOOD }, { bootstrap: silent });
    const answer = ask();
    clock.advance(1000);
    expect((await answer).outcome).toMatchObject({ kind: "failed" });
  });
});

test("AAAA", async () => {
  const reply = message(response(NAME, "AAAA", { answers: [aaaa(NAME, "2001:db8::1")] }));
  const { ask } = setUp({ "[2001:db8::53]": reply });
  expect((await ask({ name: NAME, type: "AAAA" })).outcome).toEqual({ kind: "addresses", addresses: ["2001:db8::1"] });
});
