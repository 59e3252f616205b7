import { describe, expect, test } from "bun:test";
import { sortDestinations } from "./destination-order.ts";

/** Sources as a table from destination; what is not in it has no route. */
const sort = (addresses: readonly string[], sources: Readonly<Record<string, string>>) =>
  sortDestinations(addresses, (address) => sources[address]);

// The examples of RFC 6724 §10.2, by the names of the rules that decide them.
describe("sortDestinations: the examples of RFC 6724 §10.2", () => {
  test("prefer matching scope", () => {
    const order = sort(["198.51.100.121", "2001:db8:1::1"], {
      "198.51.100.121": "169.254.13.78",
      "2001:db8:1::1": "2001:db8::2",
    });
    expect(order).toEqual(["2001:db8:1::1", "198.51.100.121"]);
    const other = sort(["2001:db8:1::1", "198.51.100.121"], {
      "2001:db8:1::1": "fe80::1",
      "198.51.100.121": "198.51.100.117",
    });
    expect(other).toEqual(["198.51.100.121", "2001:db8:1::1"]);
  });

  test("prefer higher precedence", () => {
    const order = sort(["10.1.2.3", "2001:db8:1::1"], { "10.1.2.3": "10.1.2.4", "2001:db8:1::1": "2001:db8::2" });
    expect(order).toEqual(["2001:db8:1::1", "10.1.2.3"]);
  });

  test("prefer smaller scope", () => {
    const order = sort(["2001:db8:1::1", "fe80::1"], { "2001:db8:1::1": "2001:db8::2", "fe80::1": "fe80::2" });
    expect(order).toEqual(["fe80::1", "2001:db8:1::1"]);
  });

  test("prefer matching label", () => {
    const order = sort(["2001:db8:1::1", "2002:c633:6401::1"], {
      "2001:db8:1::1": "2002:c633:6401::2",
      "2002:c633:6401::1": "2002:c633:6401::2",
    });
    expect(order).toEqual(["2002:c633:6401::1", "2001:db8:1::1"]);
  });

  test("prefer higher precedence: native before 6to4", () => {
    const order = sort(["2002:c633:6401::1", "2001:db8:1::1"], {
      "2002:c633:6401::1": "2002:c633:6401::2",
      "2001:db8:1::1": "2001:db8::2",
    });
    expect(order).toEqual(["2001:db8:1::1", "2002:c633:6401::1"]);
  });
});

describe("sortDestinations", () => {
  test("what has no route comes last", () => {
    expect(sort(["2001:db8::1", "192.0.2.1"], { "192.0.2.1": "192.0.2.9" })).toEqual(["192.0.2.1", "2001:db8::1"]);
  });

  test("the longest matching prefix of IPv6 first, up to 64 bits", () => {
    const sources = {
      "2001:db8:3::1": "2001:db8:1::9",
      "2001:db8:1::1": "2001:db8:1::9",
      "2001:db8:1::8": "2001:db8:1::9",
    };
    expect(sort(["2001:db8:3::1", "2001:db8:1::1", "2001:db8:1::8"], sources)).toEqual([
      "2001:db8:1::1",
      "2001:db8:1::8",
      "2001:db8:3::1",
    ]);
  });

  test("the order of IPv4 addresses is the server's: no round robin is undone", () => {
    const sources = { "203.0.113.1": "192.0.2.9", "192.0.2.1": "192.0.2.9" };
    expect(sort(["203.0.113.1", "192.0.2.1"], sources)).toEqual(["203.0.113.1", "192.0.2.1"]);
  });

  test("loopback, unique local addresses and IPv4 by the policy table", () => {
    const sources = { "::1": "::1", "fd00::1": "fd00::2", "192.0.2.1": "192.0.2.9", "2001:db8::1": "2001:db8::2" };
    expect(sort(["fd00::1", "192.0.2.1", "2001:db8::1", "::1"], sources)).toEqual([
      "::1",
      "2001:db8::1",
      "192.0.2.1",
      "fd00::1",
    ]);
  });

  test("one address needs no source, and no text but addresses is kept", () => {
    expect(
      sortDestinations(["192.0.2.1"], () => {
        throw new Error("asked");
      }),
    ).toEqual(["192.0.2.1"]);
    expect(sort(["x", "192.0.2.1"], {})).toEqual(["192.0.2.1"]);
  });
});
