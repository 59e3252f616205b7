/** `sockeye config check` and `sockeye config schema`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../config/load.ts";
import { formatMistake, type Mistake } from "../config/mistake.ts";
import { type CommandSpec, formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";
import { ExitStatus } from "./exit-status.ts";
import { CONFIG_OPTION, configPath } from "./serve-options.ts";
import { print } from "./standard-output.ts";

const CONFIG: CommandSpec = {
  name: "config",
  description: "Judges a configuration file, or prints the JSON Schema by which editors complete one.",
  operands: [{ name: "<check|schema>", description: "what to do" }],
  options: [{ ...CONFIG_OPTION, description: "the configuration file to check" }],
  epilogue: `Examples:
  sockeye config check --config sockeye.toml
  sockeye config schema > sockeye.schema.json

A first line '#:schema ./sockeye.schema.json' in the TOML file tells editors where the schema is.`,
};

/** @param args - The arguments after "config". */
export function run(args: readonly string[]): number {
  const line = parseCommandLine(CONFIG, args);
  if (line.isHelp) {
    print(formatHelp(CONFIG));
    return ExitStatus.Done;
  }
  const [action] = line.operands;
  const path = configPath(line.options);
  const mistakes: Mistake[] = [...line.mistakes];
  if (action !== "check" && action !== "schema") {
    const value = action === undefined ? undefined : JSON.stringify(action);
    mistakes.push({ path: "argument 1", value, wanted: "check or schema" });
  }
  if (action === "check" && path === undefined) {
    mistakes.push({ path: CONFIG_OPTION.long, value: undefined, wanted: "the file to check" });
  }
  if (action === "check" && path !== undefined) {
    const result = loadConfig(path, []);
    if (result.kind === "invalid") mistakes.push(...result.mistakes);
    else for (const warning of result.warnings ?? []) process.stderr.write(`sockeye config: warning: ${warning}\n`);
  }
  if (mistakes.length > 0) {
    process.stderr.write(formatMistakes(CONFIG.name, mistakes.map(formatMistake)));
    return ExitStatus.WrongUsage;
  }
  if (action === "schema") {
    print(readFileSync(join(import.meta.dir, "..", "..", "sockeye.schema.json")));
  } else {
    print(`${path}: no mistakes\n`);
  }
  return ExitStatus.Done;
}
