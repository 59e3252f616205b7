/** `sockeye serve`: from the command line to a configuration, and from there to the proxy. */

import { type ConfigResult, loadConfig } from "../config/load.ts";
import { formatMistake } from "../config/mistake.ts";
import { formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";
import { ExitStatus } from "./exit-status.ts";
import { configPath, SERVE, toOptionValues } from "./serve-options.ts";
import { print } from "./standard-output.ts";

/** @param args - The arguments after "serve". */
export async function run(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(SERVE, args);
  if (line.isHelp) {
    print(formatHelp(SERVE));
    return ExitStatus.Done;
  }
  const path = configPath(line.options);
  const load = (): ConfigResult => loadConfig(path, toOptionValues(line.options));
  const first = load();
  const mistakes = [...line.mistakes, ...(first.kind === "invalid" ? first.mistakes : [])];
  if (mistakes.length > 0 || first.kind === "invalid") {
    process.stderr.write(formatMistakes(SERVE.name, mistakes.map(formatMistake)));
    return ExitStatus.WrongUsage;
  }
  // Loaded only now: whoever asks for help need not wait for the whole program.
  const { runServe } = await import("./run-serve.ts");
  const status = await runServe(first.value, load, first.warnings);
  // All is said and closed; a timer that is still set somewhere is no reason to stay.
  return process.exit(status);
}
