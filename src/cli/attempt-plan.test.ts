import { expect, test } from "bun:test";
import { HAPPY_EYEBALLS_DEFAULTS } from "../protocol/dial/happy-eyeballs.ts";
import { ANY_WAY } from "../proxy/outgoing.ts";
import { planAttempts } from "./attempt-plan.ts";

const ADDRESSES = ["2001:db8::1", "192.0.2.1", "2001:db8::2"];

const plan = (failing: string[], attemptsMax = 16) =>
  planAttempts(
    ADDRESSES,
    ANY_WAY,
    { ...HAPPY_EYEBALLS_DEFAULTS, attemptsMax },
    (addresses) => addresses,
    (address) => failing.includes(address),
  ).map(({ atMs, address }) => `${atMs} ${address}`);

test("250 ms apart while nothing answers", () => {
  expect(plan([])).toEqual(["0 2001:db8::1", "250 192.0.2.1", "500 2001:db8::2"]);
});

test("at once after what fails at once", () => {
  expect(plan(["2001:db8::1"])).toEqual(["0 2001:db8::1", "0 192.0.2.1", "250 2001:db8::2"]);
  expect(plan(ADDRESSES)).toEqual(["0 2001:db8::1", "0 192.0.2.1", "0 2001:db8::2"]);
});

test("no more than the limit", () => {
  expect(plan([], 2)).toEqual(["0 2001:db8::1", "250 192.0.2.1"]);
});
