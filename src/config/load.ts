/** From the file and the command line to a `Config`, or to the whole list of what is wrong with them. */

import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import type { Config, ListenConfig, SocksConfig, UserConfig } from "./config.ts";
import { warnOfReaders } from "./file-mode.ts";
import { displayValue, type Mistake } from "./mistake.ts";
import type { ProxyOptions } from "./options.ts";
import { brokenRules, isTable, type RawMistake, type RawTable } from "./rules.ts";
import { SCHEMA, type Sections, type SocksSection } from "./schema.ts";

export type { Mistake } from "./mistake.ts";

/** Where a configuration comes from. The command line wins over the file, the file over the defaults. */
export interface ConfigSources {
  /** The text of the configuration file, and the name by which mistakes call it. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** Values from the command line. BOUNDED by the command line. */
  readonly commandLine?: readonly OptionValue[] | undefined;
}

/** A value that an option gives to a key. */
export interface OptionValue {
  /** The option as the operator knows it ("--port"). */
  readonly option: string;
  /**
   * The key: section and name as in the file. A section alone is an array of tables (`users`): the value is one more of
   * them, and takes the place of the one in the file that has the same name.
   */
  readonly key: readonly [section: string, name?: string];
  readonly value: unknown;
  /** Whether the key holds an array, which the values given together replace. */
  readonly repeatable: boolean;
}

export type ConfigResult =
  /** `warnings`: what is legal and yet unwise, a sentence each. */
  | { readonly kind: "done"; readonly value: Config; readonly warnings?: readonly string[] }
  | { readonly kind: "invalid"; readonly mistakes: readonly Mistake[] };

/** Reads the file named `path`, if any, and makes a configuration of it and the command line. */
export function loadConfig(path: string | undefined, commandLine: readonly OptionValue[]): ConfigResult {
  if (path === undefined) return parseConfig({ commandLine });
  try {
    const result = parseConfig({ file: { name: path, text: readFileSync(path, "utf8") }, commandLine });
    if (result.kind === "invalid") return result;
    const warning = warnOfReaders(path, result.value);
    return warning === undefined ? result : { ...result, warnings: [warning] };
  } catch (error) {
    const unreadable = {
      path: "--config",
      value: displayValue(path),
      wanted: `a file that can be read (${error instanceof Error ? error.message : String(error)})`,
    };
    // What is wrong with the command line is worth knowing at the same time.
    const rest = parseSources({}, commandLine, false);
    return { kind: "invalid", mistakes: [unreadable, ...(rest.kind === "invalid" ? rest.mistakes : [])] };
  }
}

/** Makes a configuration of its sources. Nothing is read from anywhere else. */
export function parseConfig({ file, commandLine = [] }: ConfigSources): ConfigResult {
  if (file === undefined) return parseSources({}, commandLine, true);
  let written: RawTable;
  try {
    written = parse(file.text.replace(/^\uFEFF/, ""), { unsafeKeyBehaviour: "throw" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Only the first line: the others quote the file, and there may be a password.
    const reason = error.message.split("\n", 1)[0]?.replace("Invalid TOML document: ", "") ?? "";
    const mistake = { path: `${file.name}:${error.line}:${error.column}`, value: undefined, wanted: `TOML: ${reason}` };
    const rest = parseSources({}, commandLine, false);
    return { kind: "invalid", mistakes: [mistake, ...(rest.kind === "invalid" ? rest.mistakes : [])] };
  }
  return parseSources(written, commandLine, true);
}

/** Makes a configuration of tables that a program has built: the keys of the file, as values. */
export function parseOptions(options: ProxyOptions): ConfigResult {
  return parseSources({ ...options }, [], true);
}

function parseSources(file: RawTable, commandLine: readonly OptionValue[], whole: boolean): ConfigResult {
  const { raw, optionOf } = merge(file, commandLine);
  const parsed = SCHEMA.safeParse(raw);
  const mistakes = parsed.success ? [] : parsed.error.issues.flatMap((issue) => mistakesOf(issue, raw, []));
  // Without the file, nobody can say whether there are users.
  if (whole) mistakes.push(...brokenRules(raw));
  if (mistakes.length === 0 && parsed.success) return { kind: "done", value: freeze(assemble(parsed.data)) };
  return {
    kind: "invalid",
    mistakes: mistakes.map((mistake) => ({ ...mistake, path: placeOf(mistake.path, optionOf) })),
  };
}

/** The file with the values of the command line laid over it, and which option has set which key. */
function merge(
  file: RawTable,
  commandLine: readonly OptionValue[],
): { raw: RawTable; optionOf: ReadonlyMap<string, string> } {
  const raw: Record<string, unknown> = { ...file };
  const optionOf = new Map<string, string>();
  for (const { option, key, value, repeatable } of commandLine) {
    const [section, name] = key;
    const before = raw[section] ?? {};
    // What has the wrong type is a mistake of the file, which must stay visible.
    if (name === undefined || !isTable(before)) continue;
    const path = `${section}.${name}`;
    const earlier = optionOf.has(path) && Array.isArray(before[name]) ? before[name] : [];
    raw[section] = { ...before, [name]: repeatable ? [...earlier, value] : value };
    optionOf.set(path, option);
  }
  const entries = commandLine.filter(({ key }) => key[1] === undefined);
  for (const section of new Set(entries.map(({ key }) => key[0]))) {
    const before = raw[section] ?? [];
    if (!Array.isArray(before)) continue;
    const added = entries.filter(({ key }) => key[0] === section);
    const names = new Set(added.map(({ value }) => nameOf(value)));
    const kept = before.filter((entry: unknown) => nameOf(entry) === undefined || !names.has(nameOf(entry)));
    raw[section] = [...kept, ...added.map(({ value }) => value)];
    for (const [index, { option }] of added.entries()) optionOf.set(`${section}.${kept.length + index}`, option);
  }
  return { raw, optionOf };
}

function nameOf(entry: unknown): unknown {
  return isTable(entry) ? entry["name"] : undefined;
}

/** The place of a mistake: the option that has set the key, or the key as the file has it. */
function placeOf(path: readonly (string | number)[], optionOf: ReadonlyMap<string, string>): string {
  for (const length of [2, 3]) {
    const option = optionOf.get(path.slice(0, length).join("."));
    if (option !== undefined) return option;
  }
  return path.reduce<string>((text, part) => (typeof part === "number" ? `${text}[${part}]` : joinKey(text, part)), "");
}

function joinKey(text: string, key: string): string {
  const shown = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
  return text === "" ? shown : `${text}.${shown}`;
}

/** One zod issue as mistakes: several where it stands for several keys, those of the likeliest branch of a union. */
function mistakesOf(issue: z.core.$ZodIssue, raw: unknown, above: readonly PropertyKey[]): RawMistake[] {
  const path = [...above, ...issue.path].map((part) => (typeof part === "number" ? part : String(part)));
  if (issue.code === "unrecognized_keys") {
    // Not shown: a misspelt "password" is an unknown key, too.
    return issue.keys.map((key) => ({
      path: [...path, key],
      value: undefined,
      wanted: `no such key; wanted: ${issue.message}`,
    }));
  }
  if (issue.code === "invalid_union") {
    const branch = issue.errors.find((errors) =>
      errors.every((error) => error.path.length > 0 || error.code !== "invalid_type"),
    );
    if (branch !== undefined) return branch.flatMap((error) => mistakesOf(error, raw, path));
  }
  return [{ path, value: mayBeSecret(path) ? undefined : displayValue(valueAt(raw, path)), wanted: issue.message }];
}

/** Whether a value could be a password: everything about a user but his name. */
function mayBeSecret(path: readonly (string | number)[]): boolean {
  const aboutUser = path[0] === "users" || (path[0] === "admin" && path[1] === "user");
  return aboutUser && path.at(-1) !== "name";
}

function valueAt(raw: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    raw,
  );
}

function assemble({ socks, users, access_log: accessLog, ...rest }: Sections): Config {
  return { ...rest, socks: assembleSocks(socks, users), users, accessLog };
}

function assembleSocks(socks: SocksSection, users: readonly UserConfig[]): SocksConfig {
  const listen = socks.listen.map((entry): ListenConfig => {
    if (typeof entry === "string") return { address: entry, port: socks.port, advertise: undefined };
    return { address: entry.address, port: entry.port ?? socks.port, advertise: entry.advertise };
  });
  return {
    listen,
    auth: socks.auth ?? (users.length > 0 ? "users" : "none"),
    backlog: socks.backlog,
    ignoreReserved: socks.ignore_reserved,
  };
}

function freeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
