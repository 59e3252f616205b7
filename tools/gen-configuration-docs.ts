/** Makes docs/configuration.md and sockeye.example.toml from the same schema that judges a configuration file. */

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "smol-toml";
import { DURATION_PATTERN } from "../src/config/duration.ts";
import { type JsonSchema, makeSchema } from "./gen-schema.ts";

/** Columns of a comment in the example. */
const COMMENT_WIDTH = 100;

export const PAGES: readonly { readonly path: string; readonly render: () => string }[] = [
  { path: "docs/configuration.md", render: renderDocs },
  { path: "sockeye.example.toml", render: renderExample },
];

const DOCS_START = `# Configuration

One TOML file, given by \`sockeye serve --config FILE\`; [sockeye.example.toml](../sockeye.example.toml) has every key with
its default, to copy and to change. Options of the command line win over the file. A key that does not exist, a value of the
wrong kind or out of range, and settings that contradict each other are reported all at once, with exit status 2:

    sockeye config check --config sockeye.toml

The first line \`#:schema ./sockeye.schema.json\` lets editors complete and check the file while it is written (for VS Code: the
extension Even Better TOML); \`sockeye config schema\` prints that schema.

After a change, \`kill -HUP\` makes the proxy read the file again. No open tunnel is lost. A file with mistakes changes nothing,
and the mistakes are in the log.

**Safe by default.** A proxy that others can reach needs users: with an address other than loopback under \`socks.listen\` and no
\`[[users]]\`, Sockeye does not start, unless \`auth = "none"\` stands under \`[socks]\`.

**Durations** are numbers with units, from the largest to the smallest: "500ms", "30s", "2h5m", "1d". 0 turns a time limit off.
`;

/** The page that lists every key. */
function renderDocs(): string {
  const sections = Object.entries(makeSchema().properties ?? {}).map(([name, section]) => {
    const isList = section.type === "array";
    const keys = (isList ? section.items : section)?.properties ?? {};
    const rows = Object.entries(keys).flatMap(([key, schema]) =>
      rowsOf(isList ? `users[].${key}` : `${name}.${key}`, schema),
    );
    const head = ["| key | default | legal | meaning |", "| --- | --- | --- | --- |"];
    return [`## ${isList ? `[[${name}]]` : `[${name}]`}`, "", section.description ?? "", "", ...head, ...rows].join(
      "\n",
    );
  });
  return `${DOCS_START}\n${sections.join("\n\n")}\n`;
}

/** A row for a key, and for the keys of a table in it. */
function rowsOf(path: string, schema: JsonSchema): string[] {
  const shownDefault = schema.default === undefined ? "" : `\`${toToml(schema.default)}\``;
  const row = [`\`${path}\``, shownDefault, legalOf(schema), schema.description ?? ""];
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => rowsOf(`${path}.${key}`, value));
  const table = schema.items?.anyOf?.find(({ properties }) => properties !== undefined);
  const listed = Object.entries(table?.properties ?? {}).flatMap(([key, value]) => rowsOf(`${path}[].${key}`, value));
  return [`| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`, ...inner, ...listed];
}

function legalOf(schema: JsonSchema): string {
  if (isDuration(schema)) return "a duration";
  if (schema.anyOf?.some(isDuration)) return "a duration, or 0";
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`"${word}"\``).join(", ");
  if (schema.type === "integer") return `${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "array") return `${schema.minItems} to ${schema.maxItems} entries`;
  if (schema.type === "object") return "a table";
  return schema.type === "boolean" ? "`true`, `false`" : "text";
}

function isDuration({ pattern }: JsonSchema): boolean {
  return pattern === DURATION_PATTERN.source;
}

const EXAMPLE_START = `#:schema ./sockeye.schema.json
#
# Every key of Sockeye's configuration with its default. What has no default stands behind a "#".
# Start it with: sockeye serve --config sockeye.toml
`;

const EXAMPLE_USERS = `# [[users]]
# name = "alice"
# password_hash = "$argon2id$v=19$…" # made by: sockeye hash-password
#
# [[users]]
# name = "bob"
# password = "in clear"`;

/** The file that has every key with its default. */
function renderExample(): string {
  const sections = Object.entries(makeSchema().properties ?? {}).map(([name, section]) => {
    const intro = comment(section.description ?? "");
    if (section.type === "array") return `${intro}\n${EXAMPLE_USERS}`;
    return `${intro}\n[${name}]\n${Object.entries(section.properties ?? {})
      .map(exampleOf)
      .join("\n")}`;
  });
  return `${EXAMPLE_START}\n${sections.join("\n\n")}\n`;
}

function exampleOf([key, schema]: [string, JsonSchema]): string {
  const intro = comment(schema.description ?? "");
  if (schema.default !== undefined) return `${intro}\n${key} = ${toToml(schema.default)}`;
  const value = schema.examples?.[0] ?? { name: "root", password: "in clear" };
  return `${intro}\n# ${key} = ${toToml(value)}`;
}

/** A value on one line. */
function toToml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toToml).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key} = ${toToml(inner)}`)
      .join(", ")} }`;
  }
  return stringify({ value })
    .replace(/^value = /, "")
    .trimEnd();
}

function comment(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + word.length + 3 > COMMENT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.map((line) => `# ${line}`).join("\n");
}

if (import.meta.main) {
  for (const { path, render } of PAGES) writeFileSync(join(dirname(import.meta.dir), path), render());
}
