/** The command line of `sockeye ctl`: what it may say, and everything that is wrong with what it says. */

import { join } from "node:path";
import { GENERATED_NAME } from "../admin/credentials.ts";
import { PASSWORD_FILE, readPassword, readPasswordFile, StateError, stateDirectory } from "../admin/state-directory.ts";
import { displayValue, type Mistake } from "../config/mistake.ts";
import type { SctpTransportChoice } from "../net/sctp-listener.ts";
import { type CommandLine, type CommandSpec, type OptionSpec, parseCommandLine } from "./command-line.ts";

const PASSWORD_VARIABLE = "SOCKEYE_ADMIN_PASSWORD";
const PORT_MAX = 65_535;
/** What one length byte of the protocol can say. */
const FIELD_BYTES_MAX = 255;
const TRANSPORTS: readonly string[] = ["auto", "kernel", "udp"] satisfies readonly SctpTransportChoice[];
const COMMANDS = ["historical", "concurrent", "bytes", "buffer-size"] as const;
type CommandName = (typeof COMMANDS)[number];

const OPTIONS: readonly OptionSpec[] = [
  { long: "--host", value: "HOST", description: "the server's address or name", defaultText: "127.0.0.1" },
  { long: "--port", value: "PORT", description: "SCTP port of the admin protocol", defaultText: "8080" },
  {
    long: "--transport",
    value: "auto|kernel|udp",
    description: "SCTP of the kernel, or in UDP (RFC 6951)",
    defaultText: "auto: the kernel's where it has one, then UDP",
  },
  { long: "--udp-port", value: "PORT", description: "the server's UDP port of SCTP in UDP", defaultText: "9899" },
  { long: "--user", value: "NAME", description: "the administrator's name", defaultText: GENERATED_NAME },
  {
    long: "--password-file",
    value: "FILE",
    description: "a file with the password in its first line",
    defaultText: `$${PASSWORD_VARIABLE}, or what the server has left in the state directory`,
  },
];

export const CTL: CommandSpec = {
  name: "ctl",
  description: "Asks or steers a running proxy by the admin protocol. Options may stand before or after the command.",
  operands: [
    { name: "<command>", description: "historical, concurrent, bytes, or buffer-size" },
    { name: "[BYTES]", description: "the new size, for buffer-size" },
  ],
  options: OPTIONS,
  epilogue: `Commands:
  historical         prints how many SOCKS clients were accepted since the start
  concurrent         prints how many SOCKS clients are connected now
  bytes              prints how many bytes of payload were relayed
  buffer-size BYTES  sets the relay buffer, for open tunnels too, and prints the new size

Examples:
  sockeye ctl concurrent
  sockeye ctl buffer-size 262144
  SOCKEYE_ADMIN_PASSWORD=secret sockeye ctl bytes --user root --host 192.0.2.1 --transport udp

Exit status: 0 done; 1 the server refused the request; 2 wrong usage; 3 the server refused the login;
4 no server, or it went away.`,
};

/** What a command line that is right asks for. */
export interface CtlRequest {
  readonly host: string;
  readonly port: number;
  readonly transport: SctpTransportChoice;
  readonly udpPort: number;
  readonly username: string;
  /** `undefined` when nobody has told one. */
  readonly password: string | undefined;
  /** Where the password would have been, for a message. */
  readonly passwordPlace: string;
  readonly command: CommandName;
  /** The parameter of buffer-size. */
  readonly size: string;
}

export type CtlArguments =
  | { readonly kind: "help" }
  | { readonly kind: "mistakes"; readonly mistakes: readonly Mistake[] }
  | { readonly kind: "request"; readonly request: CtlRequest };

/** Reads the arguments after "ctl", and the password from wherever it is. */
export function readCtlArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CtlArguments {
  const line = parseCommandLine(CTL, args.map(protectNumber));
  if (line.isHelp) return { kind: "help" };
  const mistakes: Mistake[] = [...line.mistakes];
  const { command, size } = readCommand(line, mistakes);
  const value = (long: string): string | undefined => line.options.findLast((option) => option.long === long)?.value;

  const host = value("--host") ?? "127.0.0.1";
  if (host === "") mistakes.push({ path: "--host", value: '""', wanted: "an IP address or a name" });
  const port = readPort("--port", value("--port") ?? "8080", mistakes);
  const udpPort = readPort("--udp-port", value("--udp-port") ?? "9899", mistakes);
  const transport = value("--transport") ?? "auto";
  if (!TRANSPORTS.includes(transport)) {
    mistakes.push({ path: "--transport", value: displayValue(transport), wanted: TRANSPORTS.join(", ") });
  }
  const username = value("--user") ?? GENERATED_NAME;
  checkField("--user", username, mistakes);
  const { password, place } = findPassword(value("--password-file"), environment, mistakes);

  if (mistakes.length > 0 || command === undefined) return { kind: "mistakes", mistakes };
  const request = { host, port, udpPort, username, password, passwordPlace: place, command, size };
  return { kind: "request", request: { ...request, transport: transport as SctpTransportChoice } };
}

/** A negative number is no option: the server is to judge it. */
function protectNumber(arg: string, index: number, args: readonly string[]): string {
  return args[index - 1] === "buffer-size" && /^-[\d.]/.test(arg) ? ` ${arg}` : arg;
}

function readCommand(line: CommandLine, mistakes: Mistake[]): { command: CommandName | undefined; size: string } {
  const [name, operand] = line.operands;
  const command = COMMANDS.find((known) => known === name);
  if (command === undefined) {
    const value = name === undefined ? undefined : displayValue(name);
    mistakes.push({ path: "argument 1", value, wanted: COMMANDS.join(", ") });
    return { command, size: "" };
  }
  if (command !== "buffer-size") {
    // Not shown: it may be a password that was meant for an option.
    if (operand !== undefined) {
      mistakes.push({ path: "argument 2", value: undefined, wanted: `no further argument after ${command}` });
    }
    return { command, size: "" };
  }
  const size = operand?.trim() ?? "";
  if (size === "" || size.length > FIELD_BYTES_MAX || Number.isNaN(Number(size))) {
    const value = operand === undefined ? undefined : displayValue(operand);
    mistakes.push({ path: "argument 2", value, wanted: "a number of bytes, such as 65536" });
  }
  return { command, size };
}

function readPort(option: string, text: string, mistakes: Mistake[]): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= PORT_MAX) return port;
  mistakes.push({ path: option, value: displayValue(text), wanted: `an integer from 1 to ${PORT_MAX}` });
  return 0;
}

function checkField(path: string, text: string, mistakes: Mistake[]): void {
  const size = Buffer.byteLength(text);
  if (size >= 1 && size <= FIELD_BYTES_MAX) return;
  mistakes.push({ path, value: `${size} bytes long`, wanted: `1 to ${FIELD_BYTES_MAX} bytes` });
}

/** The file that was named, else the variable, else what the server has left. */
function findPassword(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  mistakes: Mistake[],
): { password: string | undefined; place: string } {
  const place = join(stateDirectory(environment), PASSWORD_FILE);
  const fromEnvironment = environment[PASSWORD_VARIABLE];
  try {
    if (file !== undefined) return { password: readPasswordFile(file), place };
    if (fromEnvironment === undefined || fromEnvironment === "") return { password: readPassword(place), place };
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    const path = file === undefined ? "the generated password" : "--password-file";
    mistakes.push({ path, value: undefined, wanted: error.message });
    return { password: undefined, place };
  }
  checkField(PASSWORD_VARIABLE, fromEnvironment, mistakes);
  return { password: fromEnvironment, place };
}
