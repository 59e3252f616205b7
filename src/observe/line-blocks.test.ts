import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LineBlocks, lineStart, linesIn } from "./line-blocks.ts";

/** The blocks that `lines` become, as bytes. */
function blocksOf(blockBytes: number, lines: readonly string[]): Buffer[] {
  const blocks = new LineBlocks(blockBytes);
  for (const line of lines) blocks.push(line, Buffer.byteLength(line) + 1);
  return shiftAll(blocks);
}

/** The same, given as bytes, with more behind them. */
function blocksOfBytes(blockBytes: number, lines: readonly string[]): Buffer[] {
  const blocks = new LineBlocks(blockBytes);
  for (const line of lines) blocks.pushBytes(Buffer.from(`${line}, and what came before`), Buffer.byteLength(line));
  return shiftAll(blocks);
}

function shiftAll(blocks: LineBlocks): Buffer[] {
  const all: Buffer[] = [];
  blocks.endBlock();
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) all.push(Buffer.from(block));
  return all;
}

const textsOf = (blocks: readonly Buffer[]): string[] => blocks.map((block) => block.toString());

describe("lines in blocks of eight bytes", () => {
  test("share a block up to its last byte", () => {
    expect(textsOf(blocksOf(8, ["abc", "def", "g"]))).toEqual(["abc\ndef\n", "g\n"]);
  });

  test("begin a new one where even the newline has no room", () => {
    expect(textsOf(blocksOf(8, ["abc", "defg", "h"]))).toEqual(["abc\n", "defg\nh\n"]);
  });

  test("are not cut within a character of several bytes", () => {
    expect(textsOf(blocksOf(8, ["abcd", "€", "ab€é", "𝄞é", "ü"]))).toEqual(["abcd\n", "€\n", "ab€é\n", "𝄞é\n", "ü\n"]);
  });

  test("have one of their own when they are longer", () => {
    const long = "€".repeat(100);
    expect(textsOf(blocksOf(8, ["a", long, "b", "c"]))).toEqual(["a\n", `${long}\n`, "b\nc\n"]);
  });

  test("may be empty", () => {
    expect(textsOf(blocksOf(8, ["", "", "abcdef", ""]))).toEqual(["\n\n", "abcdef\n\n"]);
  });
});

test("whatever the lines, each is whole in one block, with the bytes that it has alone", () => {
  // Any sequence of UTF-16 units, among them halves of pairs.
  const anyLine = fc
    .array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xffff })), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units).replaceAll("\n", ""));
  fc.assert(
    fc.property(fc.array(anyLine), fc.integer({ min: 1, max: 100 }), (lines, blockBytes) => {
      const blocks = blocksOf(blockBytes, lines);
      expect(Buffer.concat(blocks)).toEqual(Buffer.concat(lines.map((line) => Buffer.from(`${line}\n`))));
      for (const block of blocks) {
        expect(block.at(-1)).toBe(10);
        expect(block.length <= blockBytes || linesIn(block) === 1).toBe(true);
      }
      // Half of a pair would change the bytes of what is put behind it.
      if (lines.every((line) => line.isWellFormed())) expect(blocksOfBytes(blockBytes, lines)).toEqual(blocks);
    }),
  );
});

test("lines are counted until their block is taken", () => {
  const blocks = new LineBlocks(8);
  expect([blocks.count(), blocks.hasEnded, blocks.shift()]).toEqual([0, false, undefined]);
  for (const line of ["abc", "def", ""]) blocks.push(line, line.length + 1);
  expect(blocks.hasEnded).toBe(true);
  expect(blocks.count()).toBe(3);
  expect(blocks.shift()?.toString()).toBe("abc\ndef\n");
  expect(blocks.count()).toBe(1);
});

describe("the memory of a block", () => {
  /** Takes lines of `text` in a block, and hands out its memory. */
  function taken(blocks: LineBlocks, text: string): ArrayBufferLike | undefined {
    blocks.push(text, text.length + 1);
    blocks.endBlock();
    return blocks.shift()?.buffer;
  }

  test("is not touched until the next one is taken, and then used again", () => {
    const blocks = new LineBlocks(8);
    blocks.push("abc", 4);
    blocks.endBlock();
    const first = blocks.shift();
    blocks.push("xyz", 4);
    expect(first?.toString()).toBe("abc\n");
    blocks.endBlock();
    expect(blocks.shift()?.buffer).not.toBe(first?.buffer as ArrayBuffer);
    expect(taken(blocks, "efg")).toBe(first?.buffer);
  });

  test("is let go when it is no longer needed, and when it is of another size", () => {
    const blocks = new LineBlocks(8);
    const first = taken(blocks, "abc");
    expect(blocks.shift()).toBeUndefined();
    blocks.release();
    const second = taken(blocks, "abc");
    expect(second).not.toBe(first);
    const long = taken(blocks, "a long line");
    expect(taken(blocks, "abc")).toBe(second);
    expect(taken(blocks, "another long line")).not.toBe(long);
  });
});

test("where a line begins", () => {
  const bytes = Buffer.from("ab\n\ncd\n");
  expect([0, 1, 2, 3, 4, 5, 6].map((at) => lineStart(bytes, at))).toEqual([0, 0, 0, 3, 4, 4, 4]);
});
