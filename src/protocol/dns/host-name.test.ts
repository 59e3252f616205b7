import { describe, expect, test } from "bun:test";
import { isLocalhost, judgeHostName } from "./host-name.ts";

const label63 = "a".repeat(63);
const name253 = `${label63}.${label63}.${label63}.${"b".repeat(61)}`;

describe("judgeHostName", () => {
  const valid: [string, string][] = [
    ["example.org", "example.org"],
    ["EXAMPLE.Org.", "example.org"],
    ["a", "a"],
    ["_dmarc.my_host.example", "_dmarc.my_host.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["3com.com", "3com.com"],
    ["onion.example", "onion.example"],
    ["redonion", "redonion"],
    ["1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"],
    [name253, name253],
    [`${name253}.`, name253],
  ];
  for (const [text, name] of valid) {
    test(`accepts ${text.slice(0, 40)}`, () => expect(judgeHostName(text)).toEqual({ kind: "valid", name }));
  }

  const refused: [string, RegExp][] = [
    ["", /empty/],
    [".", /empty/],
    ["a..b", /empty label/],
    [".a", /empty label/],
    ["a..", /empty label/],
    [`${label63}a.example`, /64 characters/],
    [`${name253}c`, /254 characters/],
    ["-a.example", /no host name has/],
    ["a-.example", /no host name has/],
    ["a b", /no host name has/],
    ["a\0b", /no host name has/],
    ["a/b", /no host name has/],
    ["b\xfccher.example", /no host name has/],
    ["\u212aey.example", /no host name has/],
    ["[::1]", /no host name has/],
    ["::1", /no host name has/],
    ["1.2.3.4", /number/],
    ["127.1", /number/],
    ["2130706433", /number/],
    ["0x7f.1", /number/],
    ["0x7F000001", /number/],
    ["example.0x", /number/],
    ["onion", /RFC 7686/],
    ["abc.Onion.", /RFC 7686/],
  ];
  for (const [text, detail] of refused) {
    test(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      const judged = judgeHostName(text);
      expect(judged.kind).toBe("invalid");
      expect(judged.kind === "invalid" && judged.detail).toMatch(detail);
    });
  }
});

test("localhost and everything below it is local", () => {
  expect(["localhost", "a.localhost", "a.b.localhost"].map(isLocalhost)).toEqual([true, true, true]);
  expect(["notlocalhost", "localhost.example", "local"].map(isLocalhost)).toEqual([false, false, false]);
});
