/** Makes src/config/options.ts, the type of a configuration in a program, from the schema that judges it. */

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type JsonSchema, makeSchema } from "./gen-schema.ts";

/** Columns of the made file, as the formatter has them. */
const WIDTH = 120;

export const OPTIONS_PATH = "src/config/options.ts";

/** The module, formatted as Biome would. */
export function renderOptions(): string {
  const { properties = {} } = makeSchema();
  const types = Object.entries(properties).flatMap(([name, section]) => declare(typeName(name), section));
  const members = Object.entries(properties).map(
    ([name, section]) => `${docOf(section, "  ")}  readonly ${name}?: ${typeName(name)};`,
  );
  const all = `/** A configuration, with the keys of the configuration file. What is absent has its default. */\nexport interface ProxyOptions {\n${members.join("\n")}\n}`;
  const head = "/** The keys of the configuration file as types, made by tools/gen-options.ts (npm run generate). */";
  return `${[head, ...types, all].join("\n\n")}\n`;
}

/** The declaration of a type, and of those that it refers to. */
function declare(name: string, schema: JsonSchema): string[] {
  const others: string[] = [];
  const type = typeOf(schema, "", (choice) => {
    const other = `${name}Item`;
    others.push(...declare(other, { description: `One of {@link ${name}}, in its long form.`, ...choice }));
    return other;
  });
  return [...others, `${docOf(schema, "")}export type ${name} = ${type};`];
}

/** "access_log" → "AccessLogOptions". */
function typeName(section: string): string {
  return `${section.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Options`;
}

/** @param refer - Declares a table that is one choice of several, and returns its name. */
function typeOf(schema: JsonSchema, indent: string, refer: (choice: JsonSchema) => string): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) {
    const choices = schema.anyOf.map((choice) =>
      choice.type === "object" ? refer(choice) : typeOf(choice, "", refer),
    );
    return choices.join(" | ");
  }
  switch (schema.type) {
    case "array": {
      const item = typeOf(schema.items ?? {}, indent, refer);
      const isUnion = schema.items?.anyOf !== undefined || schema.items?.enum !== undefined;
      return isUnion ? `readonly (${item})[]` : `readonly ${item}[]`;
    }
    case "object": {
      const members = Object.entries(schema.properties ?? {}).map(([key, value]) => {
        const mark = schema.required?.includes(key) ? "" : "?";
        const inner = `${indent}  `;
        return `${docOf(value, inner)}${inner}readonly ${key}${mark}: ${typeOf(value, inner, refer)};`;
      });
      return `{\n${members.join("\n")}\n${indent}}`;
    }
    case "integer":
      return "number";
    case "string":
    case "number":
    case "boolean":
      return schema.type;
    default:
      throw new Error(`a schema of no known kind: ${JSON.stringify(schema)}`);
  }
}

/** The description, and the default where there is a simple one, as a doc comment. */
function docOf({ description, default: value }: JsonSchema, indent: string): string {
  if (description === undefined) return "";
  const isPlain = value !== undefined && (typeof value !== "object" || Array.isArray(value));
  const text = isPlain ? `${description} Default: ${JSON.stringify(value)}.` : description;
  if (indent.length + text.length + 7 <= WIDTH) return `${indent}/** ${text} */\n`;
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && indent.length + last.length + word.length + 4 > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

if (import.meta.main) writeFileSync(join(dirname(import.meta.dir), OPTIONS_PATH), renderOptions());
