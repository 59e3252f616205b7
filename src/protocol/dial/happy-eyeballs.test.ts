import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { FamilyPolicy, IpFamily } from "./family.ts";
import { firstAddress, HAPPY_EYEBALLS_DEFAULTS, HappyEyeballs, type HappyEyeballsOptions } from "./happy-eyeballs.ts";

const V6 = ["2001:db8::1", "2001:db8::2"];
const V4 = ["192.0.2.1", "192.0.2.2"];

/** A race whose time the test moves, with everything that came out of it, each with its time. */
function race(options: Partial<HappyEyeballsOptions> = {}) {
  const out: string[] = [];
  let nowMs = 0;
  const machine = new HappyEyeballs(
    { ...HAPPY_EYEBALLS_DEFAULTS, policy: "auto", deadlineMs: 15_000, sort: (list) => list, ...options },
    nowMs,
  );
  const drain = () => {
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent()) {
      const what = event.kind === "connect" || event.kind === "won" ? event.address : "";
      const which = event.kind === "lost" ? event.reason : `${event.attempt}`;
      out.push(`${nowMs} ${event.kind} ${which} ${what}`.trim());
    }
  };
  const at = (ms: number, input?: () => void) => {
    for (let dueMs = machine.pollTimeout(); dueMs <= ms; dueMs = machine.pollTimeout()) {
      nowMs = dueMs;
      machine.handleTimeout(nowMs);
      drain();
    }
    nowMs = ms;
    input?.();
    drain();
  };
  return {
    out,
    machine,
    at,
    answer: (ms: number, families: readonly IpFamily[], addresses: readonly string[]) =>
      at(ms, () => machine.handleAddresses(families, addresses, ms)),
    connected: (ms: number, attempt: number) => at(ms, () => machine.handleConnected(attempt, ms)),
    failed: (ms: number, attempt: number, wasMade = true) => at(ms, () => machine.handleFailed(attempt, ms, wasMade)),
  };
}

describe("when the first attempt starts", () => {
  test("at once with the AAAA answer, whether A is there or not [rfc8305#3/aaaa-first]", () => {
    const { out, answer } = race();
    answer(10, [6], V6);
    expect(out).toEqual(["10 connect 0 2001:db8::1"]);
  });

  test("50 ms after the A answer, while AAAA is awaited [rfc8305#3/resolution-delay]", () => {
    const { out, answer, at } = race();
    answer(10, [4], V4);
    at(59);
    expect(out).toEqual([]);
    at(60);
    expect(out).toEqual(["60 connect 0 192.0.2.1"]);
  });

  test("with AAAA when it comes within those 50 ms", () => {
    const { out, answer } = race();
    answer(10, [4], V4);
    answer(40, [6], V6);
    expect(out).toEqual(["40 connect 0 2001:db8::1"]);
  });

  test("at once with A when AAAA has no address [rfc8305#3/no-aaaa]", () => {
    const { out, answer } = race();
    answer(10, [4], V4);
    answer(20, [6], []);
    expect(out).toEqual(["20 connect 0 192.0.2.1"]);
    const other = race();
    other.answer(5, [6], []);
    other.answer(9, [4], V4);
    expect(other.out).toEqual(["9 connect 0 192.0.2.1"]);
  });

  test("an AAAA answer after the delay joins in at the next attempt [rfc8305#3/late-answer]", () => {
    const { out, answer, at } = race();
    answer(0, [4], V4);
    answer(100, [6], V6);
    at(600);
    expect(out).toEqual(["50 connect 0 192.0.2.1", "300 connect 1 2001:db8::1", "550 connect 2 192.0.2.2"]);
  });
});

describe("the order of attempts", () => {
  test("the families take turns, 250 ms apart [rfc8305#4/interleave] [rfc8305#5/attempt-delay]", () => {
    const { out, answer, at } = race();
    answer(0, [4, 6], [...V4, ...V6]);
    at(2000);
    expect(out).toEqual([
      "0 connect 0 2001:db8::1",
      "250 connect 1 192.0.2.1",
      "500 connect 2 2001:db8::2",
      "750 connect 3 192.0.2.2",
    ]);
  });

  test("each family in the order of RFC 6724, and the first of all of them first [rfc8305#4/sorted]", () => {
    const order = ["192.0.2.2", "2001:db8::2", "2001:db8::1", "192.0.2.1"];
    const sort = (list: readonly string[]) => [...list].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    const { out, answer, at } = race({ sort });
    answer(0, [4, 6], [...V4, ...V6]);
    at(2000);
    expect(out.map((line) => line.split(" ")[3])).toEqual(["192.0.2.2", "2001:db8::2", "192.0.2.1", "2001:db8::1"]);
  });

  const firsts: [FamilyPolicy, string[]][] = [
    ["auto", ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]],
    ["prefer-ipv6", ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]],
    ["prefer-ipv4", ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]],
    ["ipv4-only", V4],
    ["ipv6-only", V6],
  ];
  for (const [policy, expected] of firsts) {
    test(`${policy}`, () => {
      const { out, answer, at } = race({ policy });
      answer(0, [4, 6], [...V6, ...V4]);
      at(2000);
      expect(out.map((line) => line.split(" ")[3] ?? "")).toEqual(expected);
    });
  }

  test("prefer-ipv4 waits for A as the others wait for AAAA", () => {
    const { out, answer, at } = race({ policy: "prefer-ipv4" });
    answer(10, [6], V6);
    at(60);
    expect(out).toEqual(["60 connect 0 2001:db8::1"]);
    const other = race({ policy: "prefer-ipv4" });
    other.answer(10, [4], V4);
    expect(other.out).toEqual(["10 connect 0 192.0.2.1"]);
  });

  test("one family only: the other's answer is not waited for", () => {
    const { out, answer } = race({ policy: "ipv4-only" });
    answer(10, [4], V4);
    expect(out).toEqual(["10 connect 0 192.0.2.1"]);
  });

  test("no more attempts than the limit", () => {
    const { out, answer, at, failed } = race({ attemptsMax: 2 });
    answer(0, [4, 6], [...V4, ...V6]);
    failed(15, 0);
    failed(16, 1);
    at(1000);
    expect(out).toEqual(["0 connect 0 2001:db8::1", "15 connect 1 192.0.2.1", "16 lost exhausted"]);
  });
});

describe("how it ends", () => {
  test("a failure starts the next attempt at once", () => {
    const { out, answer, failed, at } = race();
    answer(0, [4, 6], [...V4, ...V6]);
    failed(30, 0);
    at(279);
    expect(out).toEqual(["0 connect 0 2001:db8::1", "30 connect 1 192.0.2.1"]);
    at(280);
    expect(out[2]).toBe("280 connect 2 2001:db8::2");
  });

  test("but not within 10 ms of the attempt that failed [rfc8305#5/never-within-10-ms]", () => {
    const { out, answer, failed, at } = race();
    answer(0, [4, 6], [...V4, ...V6]);
    failed(1, 0);
    at(9);
    expect(out).toEqual(["0 connect 0 2001:db8::1"]);
    at(10);
    expect(out[1]).toBe("10 connect 1 192.0.2.1");
    failed(10, 1);
    at(30);
    expect(out.slice(2)).toEqual(["20 connect 2 2001:db8::2"]);
  });

  test("an attempt that was none delays nothing, and hides none that was", () => {
    const { out, answer, failed, at } = race();
    answer(0, [4, 6], [...V4, ...V6]);
    failed(0, 0, false);
    failed(0, 1);
    failed(10, 2, false);
    at(30);
    expect(out).toEqual([
      "0 connect 0 2001:db8::1",
      "0 connect 1 192.0.2.1",
      "10 connect 2 2001:db8::2",
      "10 connect 3 192.0.2.2",
    ]);
  });

  test("an answer that comes right after a failure waits likewise", () => {
    const { out, answer, failed, at } = race();
    answer(0, [6], ["2001:db8::1"]);
    failed(1, 0);
    answer(2, [4], ["192.0.2.1"]);
    at(30);
    expect(out).toEqual(["0 connect 0 2001:db8::1", "10 connect 1 192.0.2.1"]);
  });

  test("the first that connects wins and the others are given up [rfc8305#5/cancel-losers]", () => {
    const { out, answer, at, connected } = race();
    answer(0, [4, 6], [...V4, ...V6]);
    at(500);
    connected(510, 1);
    expect(out.slice(3)).toEqual(["510 abandon 0", "510 abandon 2", "510 won 1 192.0.2.1"]);
    connected(511, 2);
    at(60_000);
    expect(out.length).toBe(6);
  });

  test("an attempt that is slow is left to go on, and may win after later ones failed", () => {
    const { out, answer, at, failed, connected } = race();
    answer(0, [4, 6], ["2001:db8::1", "192.0.2.1"]);
    at(300);
    failed(310, 1);
    connected(3000, 0);
    expect(out.slice(2)).toEqual(["3000 won 0 2001:db8::1"]);
  });

  test("all failed", () => {
    const { out, answer, failed } = race();
    answer(0, [4, 6], ["2001:db8::1", "192.0.2.1"]);
    failed(11, 0);
    failed(12, 1);
    expect(out).toEqual(["0 connect 0 2001:db8::1", "11 connect 1 192.0.2.1", "12 lost exhausted"]);
  });

  test("one family failed, the other is still being asked for: it waits", () => {
    const { out, answer, failed } = race();
    answer(0, [6], ["2001:db8::1"]);
    failed(1, 0);
    answer(400, [4], ["192.0.2.1"]);
    failed(401, 1);
    expect(out).toEqual(["0 connect 0 2001:db8::1", "400 connect 1 192.0.2.1", "401 lost exhausted"]);
  });

  test("no address at all", () => {
    const { out, answer } = race();
    answer(1, [6], []);
    answer(2, [4], []);
    expect(out).toEqual(["2 lost no-addresses"]);
  });

  test("the deadline gives everything up", () => {
    const { out, answer, at, connected } = race({ deadlineMs: 300 });
    answer(0, [4, 6], [...V4, ...V6]);
    at(300);
    connected(301, 0);
    expect(out).toEqual([
      "0 connect 0 2001:db8::1",
      "250 connect 1 192.0.2.1",
      "300 abandon 0",
      "300 abandon 1",
      "300 lost deadline",
    ]);
  });

  test("the deadline counts while no answer is there", () => {
    const { out, at } = race({ deadlineMs: 300 });
    at(1000);
    expect(out).toEqual(["300 lost deadline"]);
  });
});

test("whatever happens: one end, every attempt abandoned or told of, and nothing after the end", () => {
  const input = fc.oneof(
    fc.record({ kind: fc.constant("answer" as const), family: fc.constantFrom<IpFamily>(4, 6), count: fc.nat(3) }),
    fc.record({ kind: fc.constantFrom("connected" as const, "failed" as const), attempt: fc.nat(6) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400) }),
  );
  fc.assert(
    fc.property(
      fc.array(input, { maxLength: 30 }),
      fc.constantFrom<FamilyPolicy>("auto", "prefer-ipv4", "ipv4-only"),
      (inputs, policy) => {
        const { out, at, answer, connected, failed } = race({ policy, deadlineMs: 2000 });
        let nowMs = 0;
        const settled = new Set<number>();
        const live = () => {
          const started = out.filter((line) => line.includes("connect")).map((line) => Number(line.split(" ")[2]));
          return started.filter((attempt) => !settled.has(attempt));
        };
        for (const step of inputs) {
          if (step.kind === "wait") nowMs += step.ms;
          else if (step.kind === "answer")
            answer(nowMs, [step.family], (step.family === 6 ? V6 : V4).slice(0, step.count));
          else if (live().includes(step.attempt)) {
            settled.add(step.attempt);
            (step.kind === "connected" ? connected : failed)(nowMs, step.attempt);
          }
          at(nowMs);
        }
        at(5000);
        const ends = out.filter((line) => / (won|lost) /.test(line));
        expect(ends.length).toBe(1);
        expect(out[out.length - 1]).toBe(ends[0] as string);
        const abandoned = out.filter((line) => line.includes("abandon")).map((line) => Number(line.split(" ")[2]));
        for (const attempt of live()) expect(abandoned).toContain(attempt);
      },
    ),
  );
});

test("the first address of what is known at once is the one that a race begins with", () => {
  const policies: readonly FamilyPolicy[] = ["auto", "prefer-ipv4", "prefer-ipv6", "ipv4-only", "ipv6-only"];
  const order = [V4[0] ?? "", ...V6, V4[1] ?? ""];
  const sort = (addresses: readonly string[]) => order.filter((address) => addresses.includes(address));
  fc.assert(
    fc.property(fc.subarray(order), fc.constantFrom(...policies), (addresses, policy) => {
      const { out, answer } = race({ policy, sort });
      answer(0, [4, 6], addresses);
      const first = firstAddress(addresses, policy);
      expect(out).toEqual([first === undefined ? "0 lost no-addresses" : `0 connect 0 ${first}`]);
    }),
  );
});
