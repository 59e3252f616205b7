/** Whether clauses, code and tests belong together. CONTRIBUTING.md, "Clauses and their tests", has the rules. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  codeTags,
  type Evidence,
  faultsOf,
  findEvidence,
  gapsOf,
  readSpecs,
  renderPages,
  type Spec,
  testTags,
} from "../../tools/gen-conformance.ts";

const root = dirname(dirname(import.meta.dir));

test("the clauses are well formed, and code and tests name no others", () => {
  expect(faultsOf(readSpecs(root), findEvidence(root))).toEqual([]);
});

/**
 * Beginnings of the ids of clauses that are being worked on. Their gaps stand on the page as "missing"; what has none left
 * must go from here.
 */
const IN_PROGRESS: readonly string[] = [];

describe("every clause has code and a test", () => {
  const specs = readSpecs(root);
  const only = (wanted: (id: string) => boolean): Spec[] =>
    specs.map((spec) => ({ ...spec, clauses: spec.clauses.filter(({ id }) => wanted(id)) }));

  test("but for those in progress", () => {
    const settled = only((id) => !IN_PROGRESS.some((start) => id.startsWith(start)));
    expect(gapsOf(settled, findEvidence(root))).toEqual([]);
  });

  test("what has no gaps left is no longer in progress: take it from IN_PROGRESS", () => {
    const inGaps = (start: string): boolean =>
      gapsOf(
        only((id) => id.startsWith(start)),
        findEvidence(root),
      ).length > 0;
    expect(IN_PROGRESS.filter((start) => !inGaps(start))).toEqual([]);
  });
});

test.each([...renderPages(readSpecs(root), findEvidence(root))])(
  "%s is up to date (npm run generate)",
  (path, text) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(text);
  },
);

describe("the tool", () => {
  const clause = (id: string, omitted?: string) => {
    const section = id.replace(/^rfc\d+#/, "").replace(/\/.*/, "");
    return { id, section, level: "MUST", text: "Do it.", ...(omitted === undefined ? {} : { omitted }) };
  };
  const spec: Spec = {
    rfc: "rfc1",
    title: "One",
    clauses: [clause("rfc1#2/done"), clause("rfc1#2/open"), clause("rfc1#3.1/out", "for a reason")],
  };
  const tag = (id: string, path: string) => ({ id, path });
  const evidence: Evidence = {
    code: [tag("rfc1#2/done", "src/a.ts"), tag("rfc1#2/done", "src/a.ts")],
    tests: [tag("rfc1#2/done", "src/a.test.ts"), tag("rfc1#2/open", "src/b.test.ts")],
  };

  test("finds tags in code and in titles", () => {
    expect(codeTags("  //= rfc1#2/done\n// = no\nx; //= nor this\n//=rfc1#2/open \n")).toEqual([
      "rfc1#2/done",
      "rfc1#2/open",
    ]);
    // Put together here, lest this file names clauses that do not exist.
    const [done, open] = ["2/done", "2/open"].map((rest) => `[${"rfc1"}#${rest}]`);
    expect(testTags(`test("works ${done} ${open}", () => list[0]);`)).toEqual(["rfc1#2/done", "rfc1#2/open"]);
  });

  test("says what has no code and no test, omitted clauses apart", () => {
    expect(gapsOf([spec], evidence)).toEqual(["no source file has the comment //= rfc1#2/open"]);
    expect(gapsOf([spec], { code: [], tests: [] })).toHaveLength(4);
  });

  test("says what is unknown, omitted and yet there, twice there, or misnamed", () => {
    expect(faultsOf([spec], evidence)).toEqual([]);
    const wrong = { code: [tag("rfc1#2/typo", "src/a.ts")], tests: [tag("rfc1#3.1/out", "src/a.test.ts")] };
    expect(faultsOf([spec], wrong)).toHaveLength(2);
    expect(faultsOf([{ ...spec, clauses: [clause("rfc1#2/done"), clause("rfc1#2/done")] }], evidence)).not.toEqual([]);
    expect(faultsOf([{ ...spec, rfc: "rfc2" }], { code: [], tests: [] })).toHaveLength(3);
    expect(faultsOf([{ ...spec, clauses: [{ ...clause("rfc1#2/a"), level: "OUGHT" }] }], wrong).join()).toContain(
      "OUGHT",
    );
  });

  test("links each clause to its code and tests", () => {
    const page = renderPages([spec], evidence).get("docs/conformance.md") ?? "";
    expect(page).toContain("| 2/done | MUST | Do it. | [a](../src/a.ts) | [a.test](../src/a.test.ts) |");
    expect(page).toContain("| 2/open | MUST | Do it. | missing | [b.test](../src/b.test.ts) |");
    expect(page).toContain("| 3.1/out | MUST | Do it. | left out: for a reason |  |");
    expect(page).toContain("1 of 3 clauses fulfilled and proved by a test, 1 left out.");
  });
});
