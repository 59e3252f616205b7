import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatEndpoint, formatIp, parseIp, parseIpv4, parseIpv6, sharedIpv4 } from "./ip.ts";

const canonical = (text: string): string | undefined => {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
};

describe("parseIp", () => {
  const CASES: readonly [text: string, canonical: string | undefined][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["::ffff:7f00:1", "127.0.0.1"],
    ["0:0:0:0:0:ffff:7f00:1", "127.0.0.1"],
    ["fe80::1%eth0", undefined],
    ["", undefined],
    ["example.org", undefined],
    ["1.2.3", undefined],
    ["1.2.3.4.5", undefined],
    ["256.0.0.1", undefined],
    ["01.2.3.4", undefined],
    ["0x7f.0.0.1", undefined],
    ["1.2.3.4.", undefined],
    ["1..3.4", undefined],
    ["1.2.3.400", undefined],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6::1.2.3.4", undefined],
    ["1:2:3:4:5:6:7:1.2.3.4", undefined],
    ["::1.2.3.4:5", undefined],
    ["1:2:3:4:5:6:7:8::", undefined],
    ["::g", undefined],
    ["::@", undefined],
    ["1::2::3", undefined],
    ["1:2:3:4:5:6:7", undefined],
    ["1:2:3:4:5:6:7:8:9", undefined],
    ["1:2:3:4::5:6:7:8", undefined],
    [":::", undefined],
    [":1", undefined],
    ["1:", undefined],
    ["12345::", undefined],
    ["::1.2.3", undefined],
    ["[::1", undefined],
    ["[127.0.0.1]", undefined],
  ];
  for (const [text, wanted] of CASES) {
    test(`${JSON.stringify(text)} is ${wanted ?? "no literal"}`, () => expect(canonical(text)).toBe(wanted as string));
  }

  test("every address survives text and back", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
        (bytes) => {
          const text = formatIp(bytes);
          expect(bytes.length === 4 ? parseIpv4(text) : parseIpv6(text)).toEqual(bytes);
        },
      ),
    );
  });

  test("no text makes it throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abcf:.[]%x") }), (text) => void parseIp(text)),
    );
  });
});

test("of the few addresses that are remembered each has its own text and its own bytes", () => {
  // So few different ones that they come again, and so many that they take each other's places.
  const part = fc.constantFrom(0, 1, 2, 3, 127, 128, 255);
  const addresses = fc.array(fc.tuple(part, part, part, part), { minLength: 2, maxLength: 200 });
  fc.assert(
    fc.property(addresses, (all) => {
      const given = all.map((address) => {
        const source = Buffer.from([9, ...address]);
        const bytes = sharedIpv4(source, 1);
        source.fill(9);
        return bytes;
      });
      expect(given.map((bytes) => [...bytes])).toEqual(all);
      expect(all.map((address) => formatIp(Uint8Array.of(...address)))).toEqual(
        all.map((address) => address.join(".")),
      );
    }),
  );
});

test("formatEndpoint puts IPv6 in brackets", () => {
  expect(formatEndpoint("::1", 80)).toBe("[::1]:80");
  expect(formatEndpoint("127.0.0.1", 80)).toBe("127.0.0.1:80");
});
