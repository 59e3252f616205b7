import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapeControls } from "./escape-controls.ts";
import { JsonBytes, piece } from "./json-bytes.ts";

function made(make: (out: JsonBytes) => void): string {
  const out = new JsonBytes();
  make(out);
  return out.bytes.toString("utf8", 0, out.length);
}

test("a number is written as JSON.stringify writes it", () => {
  const edges = [
    0,
    -0,
    9,
    10,
    2 ** 31 - 1,
    2 ** 31,
    999_999.999,
    1_000_000.001,
    0.001,
    0.0005,
    1e-7,
    0.1 + 0.2,
    1e21,
    -1.5,
  ];
  const thousandths = fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }).map((count) => count / 1000);
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...edges, Number.NaN), fc.double(), fc.integer(), thousandths), (value) => {
      expect(made((out) => out.number(value))).toBe(JSON.stringify(value));
    }),
    { numRuns: 2000, examples: edges.map((edge) => [edge]) },
  );
});

test("a string is written as JSON.stringify writes it, with the control characters escaped", () => {
  const unit = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0xffff }));
  const text = fc.array(unit, { maxLength: 30 }).map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (value) => {
      expect(made((out) => out.string(value))).toBe(escapeControls(JSON.stringify(value)));
    }),
  );
});

test("what is longer than the memory at hand keeps what came before it", () => {
  const long = "x".repeat(5000);
  const text = made((out) => {
    out.raw(piece("["));
    out.string(long);
    out.raw(piece(","));
    out.string(`${long}é\n`);
    out.raw(piece("]"));
  });
  expect(JSON.parse(text)).toEqual([long, `${long}é\n`]);
});

test("plain characters are appended all or none", () => {
  expect(made((out) => expect(out.plain("example.org")).toBe(true))).toBe("example.org");
  for (const text of ['a"', "a\\", "a\n", "a\u007f", "é"]) {
    expect(made((out) => expect(out.plain(text)).toBe(false))).toBe("");
  }
});
