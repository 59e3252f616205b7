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
  const ordered = ["ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "denied", "EMFILE", "ENETUNREACH"];
  for (const [index, best] of ordered.entries()) {
    const rest = ordered.slice(index);
    expect(replyForFailures(rest)).toBe(replyForFailure(best));
    expect(replyForFailures(rest.toReversed())).toBe(replyForFailure(best));
  }
  expect(replyForFailures([])).toBe(1);
});
