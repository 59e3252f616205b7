import { describe, expect, test } from "bun:test";
import { replyForFailure, replyForFailures } from "./reply-for.ts";

const TABLE: readonly [rep: number, failures: readonly string[], clause: string][] = [
  [1, ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "E999"], "[rfc1928#6/rep-general-failure]"],
  [2, ["denied", "EACCES", "EPERM"], "[rfc1928#6/rep-not-allowed]"],
  [3, ["ENETUNREACH", "ENETDOWN", "EAFNOSUPPORT"], "[rfc1928#6/rep-network-unreachable]"],
  [4, ["EHOSTUNREACH", "EHOSTDOWN", "EINVAL"], "[rfc1928#6/rep-host-unreachable]"],
  [5, ["ECONNREFUSED", "ECONNRESET", "ECONNABORTED"], "[rfc1928#6/rep-connection-refused]"],
  [6, ["timeout", "ETIMEDOUT"], "[rfc1928#6/rep-ttl-expired]"],
];

describe("replyForFailure", () => {
  for (const [rep, failures, clause] of TABLE) {
    test(`${failures.join(", ")}: REP ${rep} ${clause}`, () => {
      for (const failure of failures) expect(replyForFailure(failure)).toBe(rep as 1);
    });
  }
});

test("of several failures, the one that tells most", () => {
  const attempts = ["ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "denied", "EMFILE", "ENETUNREACH"].map((outcome) => ({
    address: "192.0.2.7",
    outcome,
  }));
  for (const [index, { outcome }] of attempts.entries()) {
    const rest = attempts.slice(index);
    expect(replyForFailures(rest)).toBe(replyForFailure(outcome));
    expect(replyForFailures(rest.toReversed())).toBe(replyForFailure(outcome));
  }
  expect(replyForFailures([])).toBe(1);
});

test("a machine whose IPv6 is switched off has no way to that network; one out of ports has a trouble of its own", () => {
  expect(replyForFailures([{ address: "2001:db8::1", outcome: "EADDRNOTAVAIL" }])).toBe(3);
  expect(replyForFailures([{ address: "192.0.2.7", outcome: "EADDRNOTAVAIL" }])).toBe(1);
});
