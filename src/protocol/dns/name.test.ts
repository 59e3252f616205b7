import { describe, expect, test } from "bun:test";
import { name as reference } from "dns-packet";
import fc from "fast-check";
import { judgeHostName } from "./host-name.ts";
import { decodeName } from "./name.ts";

/** A name of these labels on the wire, each character one octet. */
const wire = (...labels: string[]): Buffer =>
  Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")),
    Buffer.of(0),
  ]);

describe("decodeName", () => {
  const names: [string, Buffer, string][] = [
    ["letters, in lower case", wire("WWW", "Example", "org"), "www.example.org"],
    ["the root", wire(), "."],
    ["a dot inside of a label", wire("www.example", "org"), "www\\.example.org"],
    ["a backslash", wire("a\\b"), "a\\\\b"],
    ["control characters and spaces", wire("\x1b[2J\n", "a b"), "\\027[2j\\010.a\\032b"],
    ["octets beyond ASCII, whose case is not that of letters", wire("\xc0\xe0\xff"), "\\192\\224\\255"],
    ["the Kelvin sign in UTF-8, which is no k", wire("\xe2\x84\xaaey"), "\\226\\132\\170ey"],
  ];
  for (const [what, bytes, name] of names) {
    test(what, () => expect(decodeName(bytes, 0)).toEqual({ name, end: bytes.length }));
  }

  test("nothing but a host name is one by its text", () => {
    for (const [, bytes] of names.slice(1)) expect(judgeHostName(decodeName(bytes, 0).name).kind).toBe("invalid");
  });

  test("a pointer to an earlier name, and where the name itself ends", () => {
    const message = Buffer.concat([wire("example", "org"), wire("www").subarray(0, -1), Buffer.of(0xc0, 0, 7)]);
    expect(decodeName(message, 13)).toEqual({ name: "www.example.org", end: 19 });
    const twice = Buffer.concat([message, Buffer.of(1, 0x61, 0xc0, 13)]);
    expect(decodeName(twice, 20)).toEqual({ name: "a.www.example.org", end: 24 });
  });

  const malformed: [string, Buffer][] = [
    ["nothing", Buffer.of()],
    ["no end", wire("a").subarray(0, -1)],
    ["a label beyond the end", Buffer.of(5, 0x61)],
    ["half a pointer", Buffer.of(0xc0)],
    ["a pointer to itself", Buffer.of(0xc0, 0)],
    ["a pointer forward", Buffer.of(0xc0, 2, 0)],
    ["a loop", Buffer.of(1, 0x61, 0xc0, 0)],
    ["labels of an unknown type", Buffer.concat([Buffer.of(0x41), Buffer.alloc(70)])],
    ["a name of 257 bytes", wire(...Array.from({ length: 128 }, () => "a"))],
  ];
  for (const [what, bytes] of malformed) {
    test(`${what} is malformed`, () => expect(() => decodeName(bytes, 0)).toThrow(RangeError));
  }

  test("a name of 255 bytes is the longest", () => {
    const bytes = wire(...Array.from({ length: 127 }, () => "a"));
    expect(bytes.length).toBe(255);
    expect(decodeName(bytes, 0).end).toBe(255);
  });

  test("says of host names what dns-packet says", () => {
    const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), (labels) => {
        const bytes = wire(...labels);
        expect(decodeName(bytes, 0)).toEqual({ name: reference.decode(bytes, 0).toLowerCase(), end: bytes.length });
      }),
    );
  });

  test("names that differ have texts that differ", () => {
    const labels = fc.array(fc.uint8Array({ minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 });
    const bytesOf = (name: Uint8Array[]) =>
      wire(...name.map((label) => Buffer.from(label).toString("latin1").toLowerCase()));
    const isAscii = (name: Uint8Array[]) => name.every((label) => label.every((octet) => octet < 0x80));
    fc.assert(
      fc.property(labels.filter(isAscii), labels.filter(isAscii), (one, other) => {
        const [a, b] = [bytesOf(one), bytesOf(other)];
        expect(decodeName(a, 0).name === decodeName(b, 0).name).toBe(a.equals(b));
      }),
    );
  });

  test("on anything: a name, or a RangeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(90), (bytes, at) => {
        try {
          expect(decodeName(Buffer.from(bytes), at).name).toMatch(/^[!-~]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
