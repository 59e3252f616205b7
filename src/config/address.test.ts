import { describe, expect, test } from "bun:test";
import { isLoopback, normalAddress, parseRanges } from "./address.ts";

describe("normalAddress", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["2001:DB8:0:0::7", "2001:db8::7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["fe80::1%eth0", "fe80::1%eth0"],
  ])("%s is %s", (text, address) => {
    expect(normalAddress(text)).toBe(address);
  });

  test.each(["", "localhost", "127.1", "0x7f.0.0.1", "017.0.0.1", "256.0.0.1", "1.2.3", "1:2", "[::1", "::1/128", "1"])(
    "%p is none",
    (text) => {
      expect(normalAddress(text)).toBeUndefined();
    },
  );
});

test("isLoopback", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "192.168.0.1", "fe80::1", "128.0.0.1"].some(isLoopback)).toBe(false);
});

describe("parseRanges", () => {
  test("an address is a range of one", () => {
    expect(parseRanges("192.0.2.7")).toEqual([{ family: 4, bytes: [192, 0, 2, 7], prefixLength: 32 }]);
    expect(parseRanges("::1")).toEqual([{ family: 6, bytes: [...Array(15).fill(0), 1], prefixLength: 128 }]);
  });

  test("a CIDR", () => {
    expect(parseRanges("10.0.0.0/8")).toEqual([{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 }]);
    expect(parseRanges("172.16.0.0/12")).toEqual([{ family: 4, bytes: [172, 16, 0, 0], prefixLength: 12 }]);
    expect(parseRanges("fc00::/7")).toEqual([{ family: 6, bytes: [0xfc, ...Array(15).fill(0)], prefixLength: 7 }]);
  });

  test("an IPv4-mapped range is an IPv4 one", () => {
    expect(parseRanges("::ffff:10.0.0.0/104")).toEqual([{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 }]);
    expect(parseRanges("::ffff:10.0.0.1")).toEqual([{ family: 4, bytes: [10, 0, 0, 1], prefixLength: 32 }]);
  });

  test("a name stands for ranges of both families", () => {
    expect(parseRanges("any")).toEqual([
      { family: 4, bytes: [0, 0, 0, 0], prefixLength: 0 },
      { family: 6, bytes: Array(16).fill(0), prefixLength: 0 },
    ]);
    for (const name of ["loopback", "unspecified", "link-local", "private", "multicast"]) {
      const ranges = parseRanges(name);
      if (typeof ranges === "string") throw new Error(`${name} is no range`);
      expect(new Set(ranges.map((range) => range.family))).toEqual(new Set([4, 6]));
    }
  });

  test.each([
    ["example.org", "an address (192.0.2.7)"],
    ["10.0.0.0/33", "a prefix length from 0 to 32"],
    ["10.0.0.0/", "a prefix length"],
    ["::/129", "a prefix length from 0 to 128"],
    ["10.0.0.1/8", "a range whose bits after the prefix are zero: 10.0.0.0/8"],
    ["constructor", "an address"],
  ])("%s: wanted is %s", (text, wanted) => {
    expect(String(parseRanges(text))).toContain(wanted);
  });
});
