/** `sockeye serve`: from the command line to a configuration, and from there to the proxy. */

import { type ConfigResult, loadConfig } from "../config/load.ts";
import { formatMistake } from "../config/mistake.ts";
import { formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";
import { ExitStatus } from "./exit-status.ts";
import { configPath, SERVE, toOptionValues } from "./serve-options.ts";

/** Starts the proxy with a configuration that can be loaded again; resolves with the exit status when it has ended. */
export type Serve = (load: () => ConfigResult) => Promise<number>;

/** @param args - The arguments after "serve". */
export async function run(args: readonly string[], serve: Serve): Promise<number> {
  const line = parseCommandLine(SERVE, args);
  if (line.isHelp) {
    process.stdout.write(formatHelp(SERVE));
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
  return await serve(load);
}
