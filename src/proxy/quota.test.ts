import { expect, test } from "bun:test";
import { Quota } from "./quota.ts";

const NO_LIMITS = { total: 0, perAddress: 0, perUser: 0 };

test("each limit by itself, and 0 is none", () => {
  const quota = new Quota();
  const leave = [
    quota.enter("a", "al", NO_LIMITS),
    quota.enter("a", "al", NO_LIMITS),
    quota.enter("b", "al", NO_LIMITS),
  ];
  expect(quota.total).toBe(3);
  expect(quota.enter("c", "bo", { ...NO_LIMITS, total: 3 })).toBe("total");
  expect(quota.enter("a", "bo", { ...NO_LIMITS, perAddress: 2 })).toBe("perAddress");
  expect(quota.enter("c", "al", { ...NO_LIMITS, perUser: 3 })).toBe("perUser");
  for (const one of leave) if (typeof one === "function") one();
  expect(quota.total).toBe(0);
  expect(typeof quota.enter("a", "al", { total: 1, perAddress: 1, perUser: 1 })).toBe("function");
});

test("where nobody has to say who he is, no limit by user holds", () => {
  const quota = new Quota();
  const limits = { ...NO_LIMITS, perUser: 1 };
  for (let i = 0; i < 3; i++) expect(typeof quota.enter("a", undefined, limits)).toBe("function");
});

test("what is refused is not counted", () => {
  const quota = new Quota();
  quota.enter("a", undefined, NO_LIMITS);
  quota.enter("a", undefined, { ...NO_LIMITS, perAddress: 1 });
  expect(quota.total).toBe(1);
});
