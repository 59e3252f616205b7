/** Which server is asked when some fail, and what counts as a failure of the server's. */

import { describe, expect, test } from "bun:test";
import { a, cname, response } from "../../test/support/dns-message.ts";
import {
  DOWN,
  dohRig,
  GOOD,
  httpStatus,
  message,
  NAME,
  REFUSED,
  type Reply,
  rcode,
  SERVFAIL,
} from "../../test/support/doh-rig.ts";
import type { HttpOutcome } from "../ports/http-client.ts";
import type { Resolver } from "../ports/resolver.ts";
import { QUERIES_UNDER_WAY_MAX } from "./query-places.ts";
import { REFUSALS_MAX } from "./server-health.ts";

const FIRST = "192.0.2.1";
const SECOND = "192.0.2.2";

const toFirst = (sent: readonly string[]): number => sent.filter((line) => line.startsWith(FIRST)).length;

describe("a silent server", () => {
  test("holds no more queries than its part; the others are answered by the next server meanwhile", async () => {
    const { ask, sent, elapse } = dohRig((silent) => ({ [FIRST]: silent, [SECOND]: GOOD }));
    let answered = 0;
    const answers = Array.from({ length: 300 }, async () => {
      expect((await ask()).outcome.kind).toBe("addresses");
      answered += 1;
    });
    await elapse(0);
    const part = QUERIES_UNDER_WAY_MAX / 2;
    expect(toFirst(sent)).toBe(part);
    expect(answered).toBe(300 - part);
    await elapse(1000);
    await Promise.all(answers);
    expect(toFirst(sent)).toBe(part);
  });

  test("that is the only one: further queries wait for a place, and then say so", async () => {
    const { ask, sent, elapse, counters } = dohRig((silent) => ({ [FIRST]: silent }));
    const answers = Array.from({ length: QUERIES_UNDER_WAY_MAX + 1 }, () => ask());
    await elapse(999);
    expect(sent.length).toBe(QUERIES_UNDER_WAY_MAX);
    await elapse(1);
    const details = (await Promise.all(answers)).map(({ outcome }) => outcome.kind === "failed" && outcome.detail);
    expect(details.at(0)).toBe(`https://${FIRST}/dns-query: no complete response within 1000 ms`);
    expect(details.at(-1)).toBe(`no server could be asked: ${QUERIES_UNDER_WAY_MAX} queries are under way to each`);
    expect(counters.queries).toBe(QUERIES_UNDER_WAY_MAX);
  });

  test("is tried by one query when its time is over, while the others go elsewhere", async () => {
    const { ask, sent, replies, elapse, silent } = dohRig(() => ({ [FIRST]: DOWN, [SECOND]: GOOD }));
    await ask();
    replies[FIRST] = silent;
    await elapse(1000);
    const trial = ask();
    const others = Array.from({ length: 5 }, () => ask());
    await Promise.all(others);
    expect(toFirst(sent)).toBe(2);
    await elapse(1000);
    expect((await trial).outcome.kind).toBe("addresses");
    // Down again, for twice as long; then it is well.
    await elapse(1999);
    await ask();
    expect(toFirst(sent)).toBe(2);
    replies[FIRST] = GOOD;
    await elapse(1);
    await ask();
    await ask();
    expect(toFirst(sent)).toBe(4);
  });

  test("that is the only one is asked by everybody", async () => {
    const { ask, sent, replies, elapse, silent } = dohRig(() => ({ [FIRST]: DOWN }));
    await ask();
    replies[FIRST] = silent;
    await elapse(1000);
    const asked = [ask(), ask(), ask()];
    await elapse(0);
    expect(sent.length).toBe(4);
    await elapse(1000);
    await Promise.all(asked);
  });

  test("with several addresses: the next server comes before the next address", async () => {
    const addresses = ["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"];
    const { ask, sent, elapse, replies } = dohRig((silent) => ({ "dns.example": silent, "dns2.example": GOOD }), {
      server: { addresses },
    });
    const answer = ask();
    await elapse(1000);
    expect((await answer).outcome.kind).toBe("addresses");
    expect(sent).toEqual(["dns.example 192.0.2.11", "dns2.example 192.0.2.11"]);
    replies["dns2.example"] = DOWN;
    replies["dns.example"] = (address) => (address === "192.0.2.13" ? GOOD : DOWN);
    expect((await ask()).outcome.kind).toBe("addresses");
  });

  test("is down after its part of the time when `timeout` is less than `query_timeout`", async () => {
    const timeouts = { queryMs: 2500, resolutionMs: 2000 };
    const { ask, sent, elapse } = dohRig((silent) => ({ [FIRST]: silent, [SECOND]: GOOD }), { timeouts });
    const answer = ask();
    await elapse(1500);
    expect((await answer).outcome.kind).toBe("addresses");
    await ask();
    expect(toFirst(sent)).toBe(1);
  });

  test("many of them: each has its part, and the last one answers", async () => {
    const hosts = Array.from({ length: 9 }, (_, index) => `192.0.2.${index + 1}`);
    const { ask, elapse } = dohRig((silent) => ({
      ...Object.fromEntries(hosts.map((host) => [host, silent])),
      "192.0.2.99": GOOD,
    }));
    const answer = ask();
    for (let step = 0; step < 9; step++) {
      await elapse(300);
    }
    expect((await answer).outcome.kind).toBe("addresses");
  });
});

describe("a server that answers", () => {
  const records = Array.from({ length: 600 }, (_, index) => a(NAME, `10.0.${index >> 8}.${index & 255}`));
  const chain = Array.from({ length: 17 }, (_, i) => cname(i === 0 ? NAME : `c${i}.example`, `c${i + 1}.example`));
  const faultsOfNames: [string, HttpOutcome][] = [
    ["a loop", message(response(NAME, "A", { answers: [cname(NAME, NAME)] }))],
    ["a chain too long", message(response(NAME, "A", { answers: chain }))],
    ["too many records", message(response(NAME, "A", { answers: records }))],
    ["a truncated answer", message(response(NAME, "A", { flags: 0x0380 }))],
    ["HTTP 400", httpStatus(400)],
    ["SERVFAIL", SERVFAIL],
    ["REFUSED", REFUSED],
  ];
  for (const [what, reply] of faultsOfNames) {
    test(`${what} is the name's trouble: the next is asked, and this one stays the first, at its address`, async () => {
      const { ask, sent, replies } = dohRig(() => ({ "dns.example": reply, "dns2.example": GOOD }), {
        server: { addresses: ["192.0.2.11", "192.0.2.12"] },
      });
      expect((await ask()).outcome.kind).toBe("addresses");
      replies["dns.example"] = GOOD;
      await ask();
      expect(sent).toEqual(["dns.example 192.0.2.11", "dns2.example 192.0.2.11", "dns.example 192.0.2.11"]);
    });
  }

  const faultsOfServers: [string, HttpOutcome][] = [
    ["HTTP 404", httpStatus(404)],
    ["HTTP 302", httpStatus(302)],
    ["HTTP 503", httpStatus(503)],
    ["HTTP 401", httpStatus(401)],
    ["another content type", { ...GOOD, contentType: "text/html" } as HttpOutcome],
    ["garbage", message(new Uint8Array(300))],
    ["another question", message(response("other.example", "A", {}))],
  ];
  for (const [what, reply] of faultsOfServers) {
    test(`${what} is the server's trouble: it is down`, async () => {
      const { ask, sent } = dohRig(() => ({ [FIRST]: reply, [SECOND]: GOOD }));
      await ask();
      await ask();
      expect(toFirst(sent)).toBe(1);
    });
  }

  for (const [what, reply] of [
    ["REFUSED", REFUSED],
    ["NOTIMP", rcode(4)],
    ["HTTP 400", httpStatus(400)],
  ] as [string, Reply][]) {
    test(`${what} to everything: it is down, until it answers one query`, async () => {
      const { ask, sent, replies, elapse } = dohRig(() => ({ [FIRST]: reply, [SECOND]: GOOD }));
      for (let round = 0; round < REFUSALS_MAX + 3; round++) await ask();
      expect(toFirst(sent)).toBe(REFUSALS_MAX);
      await elapse(1000);
      await ask();
      await ask();
      expect(toFirst(sent)).toBe(REFUSALS_MAX + 1);
      replies[FIRST] = GOOD;
      await elapse(2000);
      await ask();
      await ask();
      expect(toFirst(sent)).toBe(REFUSALS_MAX + 3);
    });
  }

  test("at most 16 aliases, over all queries together", async () => {
    const link = (index: number) => (index === 0 ? NAME : `n${index}.example`);
    const part = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => cname(link(from + index), link(from + index + 1)));
    const askWith = async (secondCount: number) => {
      let count = 0;
      const { ask } = dohRig(() => ({
        [FIRST]: () => {
          count += 1;
          if (count === 1) return message(response(NAME, "A", { answers: part(0, 15) }));
          const end = a(link(15 + secondCount), "192.0.2.1");
          return message(response(link(15), "A", { answers: [...part(15, secondCount), end] }));
        },
      }));
      return (await ask()).outcome;
    };
    expect(await askWith(1)).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
    expect(await askWith(2)).toEqual({ kind: "failed", detail: "more than 16 CNAMEs, or a loop" });
  });
});

test("the first look-up goes on to the second address of a server whose name was just looked up", async () => {
  const bootstrap: Resolver = {
    resolve: () => Promise.resolve({ kind: "addresses", addresses: ["192.0.2.11", "192.0.2.12"] }),
  };
  const reply: Reply = (address) => (address === "192.0.2.11" ? DOWN : GOOD);
  const { ask } = dohRig(() => ({ "dns.example": reply }), { bootstrap });
  expect((await ask()).outcome.kind).toBe("addresses");
});
