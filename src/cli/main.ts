/** The program `sockeye`: finds the command and hands it the rest of the line. Each command is loaded when it is wanted. */

import packageJson from "../../package.json" with { type: "json" };
import { findSecrets } from "./argument-secrets.ts";
import { ExitStatus } from "./exit-status.ts";
import { print } from "./standard-output.ts";

interface CommandEntry {
  readonly summary: string;
  /** Runs with the arguments after the command's name; resolves with the exit status. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** In the order of the help. */
const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: {
    summary: "run the proxy",
    run: async (args) => (await import("./serve.ts")).run(args),
  },
  ctl: {
    summary: "ask or steer a running proxy",
    run: async (args) => (await import("./ctl.ts")).run(args),
  },
  resolve: {
    summary: "say what the proxy would do with a name, step by step",
    run: async (args) => (await import("./resolve.ts")).run(args),
  },
  "hash-password": {
    summary: "make a hash of a password for the configuration file",
    run: async (args) => (await import("./hash-password.ts")).run(args),
  },
  config: {
    summary: "check a configuration file, or print the schema for editors",
    run: async (args) => (await import("./config-command.ts")).run(args),
  },
};

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(15)}${summary}`);
  return `Usage: sockeye COMMAND [options]

A SOCKS5 proxy server you can see into and steer while it runs.

Commands:
${lines.join("\n")}

Options:
  -h, --help     show this help; 'sockeye COMMAND --help' shows that of a command
  -V, --version  show the version
`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(help());
    return ExitStatus.WrongUsage;
  }
  if (name === "-h" || name === "--help") {
    print(help());
    return ExitStatus.Done;
  }
  if ((name === "-V" || name === "--version") && rest.length === 0) {
    print(`${packageJson.version}\n`);
    return ExitStatus.Done;
  }
  // Not for people: what the supervisor starts.
  if (name === "worker") return await (await import("../app/worker.ts")).runWorker();
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    // Not shown: it may be a password that was meant for an option.
    const place = name.startsWith("-") ? "argument 1: no command" : "argument 1: no such command";
    const known = Object.keys(COMMANDS).join(", ");
    process.stderr.write(`sockeye: ${place}; wanted: ${known}, and then its options\nRun 'sockeye --help' for more.\n`);
    return ExitStatus.WrongUsage;
  }
  return await command.run(rest);
}

const args = process.argv.slice(2);
const secrets = findSecrets(args);
if (secrets.length > 0) {
  const { blankArguments } = await import("../net/process-title.ts");
  blankArguments(secrets, args.length);
}
process.exitCode = await main(args);
