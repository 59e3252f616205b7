/** `sockeye hash-password`: a password in, an argon2id hash for the configuration file out. */

import { formatMistake } from "../config/mistake.ts";
import { type CommandSpec, formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";
import { ExitStatus } from "./exit-status.ts";
import { readPassword } from "./read-password.ts";
import { print } from "./standard-output.ts";

const HASH_PASSWORD: CommandSpec = {
  name: "hash-password",
  description:
    "Asks for a password and prints its argon2id hash, for password_hash in the configuration file. Where stdin is no terminal, the password is its text, without the last newline. It is never taken from the command line.",
  options: [],
  epilogue: `Examples:
  sockeye hash-password
  sockeye hash-password < password.txt`,
};

/** RFC 1929: PLEN is one octet, and not 0. */
const PASSWORD_BYTES_MAX = 255;

/** @param args - The arguments after "hash-password". */
export async function run(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(HASH_PASSWORD, args);
  if (line.isHelp) {
    print(formatHelp(HASH_PASSWORD));
    return ExitStatus.Done;
  }
  if (line.mistakes.length > 0) {
    process.stderr.write(formatMistakes(HASH_PASSWORD.name, line.mistakes.map(formatMistake)));
    return ExitStatus.WrongUsage;
  }
  const answer = await readPassword();
  if (answer.kind === "refused") {
    process.stderr.write(`sockeye hash-password: ${answer.reason}\n`);
    return ExitStatus.Failed;
  }
  const bytes = Buffer.byteLength(answer.password);
  if (bytes < 1 || bytes > PASSWORD_BYTES_MAX) {
    process.stderr.write(
      `sockeye hash-password: wanted: a password of 1 to ${PASSWORD_BYTES_MAX} bytes, not ${bytes}\n`,
    );
    return ExitStatus.WrongUsage;
  }
  const hash = await Bun.password.hash(answer.password, { algorithm: "argon2id" });
  print(`${hash}\n`);
  return ExitStatus.Done;
}
