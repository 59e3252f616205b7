/**
 * Makes the conformance pages in docs/ from three things: the clauses in spec/*.json, the comments `//= id` in the sources,
 * and the titles of tests with `[id]` in them. `--check` writes nothing and says what is wrong.
 *
 * CONTRIBUTING.md, "Clauses and their tests", has the rules.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Clause {
  readonly id: string;
  readonly section: string;
  readonly level: string;
  readonly text: string;
  /** Why the clause is left out. */
  readonly omitted?: string;
}

export interface Spec {
  readonly rfc: string;
  readonly title: string;
  readonly clauses: readonly Clause[];
}

/** A place that names a clause: a path from the root of the repository. */
export interface Tag {
  readonly id: string;
  readonly path: string;
}

export interface Evidence {
  readonly code: readonly Tag[];
  readonly tests: readonly Tag[];
}

/** The words of RFC 2119, and STATED for what an RFC says without one of them. */
const LEVELS = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "STATED"];
const ID = /^(rfc\d+)#([A-Za-z0-9.]+)\/[a-z0-9-]+$/;

/** The page that shows an RFC. SCTP has one of its own: it is longer than all the others together. */
export function pageOf(rfc: string): string {
  return rfc === "rfc9260" ? "docs/sctp-conformance.md" : "docs/conformance.md";
}

export function readSpecs(root: string): Spec[] {
  const names = readdirSync(join(root, "spec")).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => JSON.parse(readFileSync(join(root, "spec", name), "utf8")));
}

/** Where the sources and the tests below `root` name clauses. */
export function findEvidence(root: string): Evidence {
  const code: Tag[] = [];
  const tests: Tag[] = [];
  for (const path of [...new Bun.Glob("{src,test}/**/*.ts").scanSync(root)].sort()) {
    const text = readFileSync(join(root, path), "utf8");
    if (path.endsWith(".test.ts")) tests.push(...testTags(text).map((id) => ({ id, path })));
    else if (path.startsWith("src/")) code.push(...codeTags(text).map((id) => ({ id, path })));
  }
  return { code, tests };
}

/** The ids after `//=` in the text of a source file. */
export function codeTags(text: string): string[] {
  return [...text.matchAll(/^\s*\/\/=\s*(.*?)\s*$/gm)].map((match) => match[1] ?? "");
}

/** The ids in brackets in the text of a test file. */
export function testTags(text: string): string[] {
  return [...text.matchAll(/\[(rfc\d+#[^\]\s]*)\]/g)].map((match) => match[1] ?? "");
}

/** What is wrong with the clauses as such, and with the ids that code and tests name; one sentence each. */
export function faultsOf(specs: readonly Spec[], { code, tests }: Evidence): string[] {
  const faults: string[] = [];
  const known = new Map<string, Clause>();
  for (const { rfc, clauses } of specs) {
    for (const clause of clauses) {
      const [, idRfc, idSection] = ID.exec(clause.id) ?? [];
      if (idRfc !== rfc || idSection !== clause.section) {
        faults.push(`${clause.id} in spec/${rfc}.json is not ${rfc}#${clause.section}/a-few-words`);
      }
      if (!LEVELS.includes(clause.level)) faults.push(`${clause.id} has the level ${clause.level}`);
      if (clause.text.trim() === "" || clause.omitted?.trim() === "") faults.push(`${clause.id} has an empty text`);
      if (known.has(clause.id)) faults.push(`${clause.id} is there twice`);
      known.set(clause.id, clause);
    }
  }
  for (const { id, path } of [...code, ...tests]) {
    const clause = known.get(id);
    if (clause === undefined) faults.push(`${path} names ${JSON.stringify(id)}, which is in no spec/*.json`);
    else if (clause.omitted !== undefined) faults.push(`${path} names ${id}, which the spec says is omitted`);
  }
  return faults;
}

/** The clauses that are neither omitted nor both fulfilled and proved; one sentence each. */
export function gapsOf(specs: readonly Spec[], { code, tests }: Evidence): string[] {
  const inCode = new Set(code.map(({ id }) => id));
  const inTests = new Set(tests.map(({ id }) => id));
  return specs.flatMap(({ clauses }) =>
    clauses.flatMap(({ id, omitted }) => {
      if (omitted !== undefined) return [];
      const gaps = [];
      if (!inCode.has(id)) gaps.push(`no source file has the comment //= ${id}`);
      if (!inTests.has(id)) gaps.push(`no test has [${id}] in its title`);
      return gaps;
    }),
  );
}

/** The pages by path. */
export function renderPages(specs: readonly Spec[], evidence: Evidence): Map<string, string> {
  const pages = new Map<string, string>();
  for (const spec of specs) {
    const page = pageOf(spec.rfc);
    const start = pages.get(page) ?? `${HEADER}\n`;
    pages.set(page, `${start}\n${renderSpec(spec, evidence)}`);
  }
  return pages;
}

const HEADER = `# Conformance

Made by \`npm run generate\` from \`spec/*.json\`, the comments \`//= id\` in the sources and the titles of the
tests; do not edit. The clauses are in our own words; STATED is what an RFC says without one of the words of RFC 2119.`;

function renderSpec({ rfc, title, clauses }: Spec, evidence: Evidence): string {
  const kept = clauses.filter(({ omitted }) => omitted === undefined);
  const proved = kept.filter(({ id }) => linksTo(id, evidence.code) !== "" && linksTo(id, evidence.tests) !== "");
  const lines = [
    `## ${rfc.toUpperCase().replace("RFC", "RFC ")}: ${title}`,
    "",
    `${proved.length} of ${clauses.length} clauses fulfilled and proved by a test, ${clauses.length - kept.length} left out.`,
    "",
    "| clause | level | what it says | code | tests |",
    "| --- | --- | --- | --- | --- |",
  ];
  for (const { id, level, text, omitted } of clauses) {
    const where =
      omitted === undefined
        ? `${linksTo(id, evidence.code) || "missing"} | ${linksTo(id, evidence.tests) || "missing"}`
        : `left out: ${cell(omitted)} | `;
    lines.push(`| ${id.slice(rfc.length + 1)} | ${level} | ${cell(text)} | ${where} |`);
  }
  return `${lines.join("\n")}\n`;
}

function linksTo(id: string, tags: readonly Tag[]): string {
  const paths = [...new Set(tags.filter((tag) => tag.id === id).map(({ path }) => path))];
  return paths.map((path) => `[${basename(path, ".ts")}](../${path})`).join(", ");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) {
  const root = dirname(import.meta.dir);
  const specs = readSpecs(root);
  const evidence = findEvidence(root);
  const wrong = [...faultsOf(specs, evidence), ...gapsOf(specs, evidence)];
  for (const [path, text] of renderPages(specs, evidence)) {
    const file = join(root, path);
    if (!process.argv.includes("--check")) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      wrong.push(`${path} is stale: run \`npm run generate\``);
    }
  }
  for (const line of wrong) process.stderr.write(`${line}\n`);
  process.exitCode = process.argv.includes("--check") && wrong.length > 0 ? 1 : 0;
}
