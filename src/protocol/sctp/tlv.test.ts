import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeChunks, decodeTlvs, encodeChunk, encodeTlv, joinTlvs, padded } from "./tlv.ts";

describe("chunks", () => {
  test("are padded with zeros, which their length does not count [rfc9260#3.2/padding]", () => {
    expect(encodeChunk(3, 1, Uint8Array.of(9))).toEqual(Uint8Array.of(3, 1, 0, 5, 9, 0, 0, 0));
    expect(encodeChunk(3, 0, new Uint8Array(0))).toEqual(Uint8Array.of(3, 0, 0, 4));
  });

  test("are cut at their padding; the last may lack it", () => {
    const decoded = decodeChunks(Uint8Array.of(1, 2, 0, 5, 7, 0, 0, 0, 3, 0, 0, 6, 8, 9));
    expect(decoded).toMatchObject({
      kind: "done",
      value: [
        { type: 1, flags: 2, value: Uint8Array.of(7), bytes: Uint8Array.of(1, 2, 0, 5, 7) },
        { type: 3, flags: 0, value: Uint8Array.of(8, 9) },
      ],
    });
  });

  test.each([
    ["a length below the header", [1, 0, 0, 3]],
    ["a length of 0", [1, 0, 0, 0]],
    ["a length beyond the end", [1, 0, 0, 5]],
    ["a header cut short", [1, 0, 0]],
    ["a second header cut short", [1, 0, 0, 4, 1, 0]],
  ])("%s is malformed", (_, bytes) => {
    expect(decodeChunks(Uint8Array.from(bytes)).kind).toBe("invalid");
    expect(decodeTlvs(Uint8Array.from(bytes)).kind).toBe("invalid");
  });

  test("whatever is encoded is decoded again", () => {
    const chunk = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      flags: fc.integer({ min: 0, max: 255 }),
      value: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const bytes = Uint8Array.from(chunks.flatMap(({ type, flags, value }) => [...encodeChunk(type, flags, value)]));
        const decoded = decodeChunks(bytes);
        expect(
          decoded.kind === "done" && decoded.value.map(({ type, flags, value }) => ({ type, flags, value })),
        ).toEqual(chunks.map(({ type, flags, value }) => ({ type, flags, value: new Uint8Array(value) })));
      }),
    );
  });

  test("no bytes throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => ["done", "invalid"].includes(decodeChunks(bytes).kind)),
    );
  });
});

describe("parameters", () => {
  test("are joined with padding between, not behind", () => {
    const joined = joinTlvs([encodeTlv(1, Uint8Array.of(5)), encodeTlv(2, Uint8Array.of(6))]);
    expect(joined).toEqual(Uint8Array.of(0, 1, 0, 5, 5, 0, 0, 0, 0, 2, 0, 5, 6));
    expect(joinTlvs([])).toEqual(new Uint8Array(0));
    expect(decodeTlvs(joined)).toMatchObject({ kind: "done", value: [{ type: 1 }, { type: 2 }] });
  });

  test("padded rounds up to four", () => {
    expect([0, 1, 4, 5, 65_535].map(padded)).toEqual([0, 4, 4, 8, 65_536]);
  });
});
