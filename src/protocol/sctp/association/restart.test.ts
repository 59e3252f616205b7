import { expect, test } from "bun:test";
import type { Tsn } from "../serial.ts";
import { type CookieMeaning, meaningOf } from "./restart.ts";

const TAGS = { localTag: 1, peerTag: 2, localTieTag: 3, peerTieTag: 4 };
const REST = { localInitialTsn: 0 as Tsn, peerInitialTsn: 0 as Tsn, peerRwnd: 0 };

// Local tag, peer's tag, tie-tags: M for those of the association, X for others, 0 for none.
const rows: [string, string, string, CookieMeaning][] = [
  ["M", "M", "M", "matching"],
  ["M", "M", "X", "matching"],
  ["M", "M", "0", "matching"],
  ["M", "X", "M", "simultaneous"],
  ["M", "X", "X", "simultaneous"],
  ["M", "X", "0", "simultaneous"],
  ["X", "M", "0", "late"],
  ["X", "M", "M", "unmatched"],
  ["X", "M", "X", "unmatched"],
  ["X", "X", "M", "restart"],
  ["X", "X", "X", "unmatched"],
  ["X", "X", "0", "unmatched"],
];

test.each(rows)("local tag %s, peer's tag %s, tie-tags %s: %s", (local, peers, ties, meaning) => {
  const cookie = {
    ...REST,
    localTag: local === "M" ? TAGS.localTag : 99,
    peerTag: peers === "M" ? TAGS.peerTag : 98,
    localTieTag: { M: TAGS.localTieTag, X: 97, "0": 0 }[ties] ?? 0,
    peerTieTag: { M: TAGS.peerTieTag, X: 96, "0": 0 }[ties] ?? 0,
  };
  expect(meaningOf(cookie, TAGS)).toBe(meaning);
});

test("one tie-tag of two is not enough", () => {
  const cookie = { ...REST, localTag: 9, peerTag: 8, localTieTag: 3, peerTieTag: 5 };
  expect(meaningOf(cookie, TAGS)).toBe("unmatched");
});
