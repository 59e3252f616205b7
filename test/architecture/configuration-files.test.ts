/** The files that are made from the configuration's schema say what the schema says. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseConfig } from "../../src/config/load.ts";
import { PAGES } from "../../tools/gen-configuration-docs.ts";
import { OPTIONS_PATH, renderOptions } from "../../tools/gen-options.ts";
import { type JsonSchema, makeSchema, renderSchema, SCHEMA_PATH } from "../../tools/gen-schema.ts";

const root = dirname(dirname(import.meta.dir));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test(`${SCHEMA_PATH} is up to date (npm run generate)`, () => {
  expect(read(SCHEMA_PATH)).toBe(renderSchema());
});

test(`${OPTIONS_PATH} is up to date (npm run generate)`, () => {
  expect(read(OPTIONS_PATH)).toBe(renderOptions());
});

test.each([...PAGES])("$path is up to date (npm run generate)", ({ path, render }) => {
  expect(read(path)).toBe(render());
});

describe("sockeye.example.toml", () => {
  const text = read("sockeye.example.toml");

  test("is the defaults", () => {
    const example = parseConfig({ file: { name: "sockeye.example.toml", text } });
    expect(example).toEqual(parseConfig({}));
  });

  test("what stands behind a # is legal, too", () => {
    // All of it at once would contradict itself, so a key at a time.
    const optional = [...text.matchAll(/^# (\w+) = (.+)$/gm)].filter(
      ([, key]) => key !== "name" && !key?.startsWith("password"),
    );
    expect(optional.length).toBeGreaterThan(0);
    for (const [line] of optional) {
      const uncommented = text.replace(line, line.slice(2));
      const users = line.includes('auth = "users"') ? '\n[[users]]\nname = "alice"\npassword = "secret"\n' : "";
      expect(parseConfig({ file: { name: line, text: uncommented + users } }).kind).toBe("done");
    }
  });
});

test("every key has a description, and every section one", () => {
  const bare: string[] = [];
  const visit = (path: string, schema: JsonSchema): void => {
    if (path !== "" && schema.description === undefined) bare.push(path);
    const inner = [schema, schema.items, ...(schema.items?.anyOf ?? [])];
    for (const part of inner) {
      for (const [key, value] of Object.entries(part?.properties ?? {})) visit(`${path}.${key}`, value);
    }
  };
  visit("", makeSchema());
  expect(bare).toEqual([]);
});
