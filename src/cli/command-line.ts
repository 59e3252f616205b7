/**
 * Commands, their options and their help. Commander reads the command line and writes the help; it would stop at the first
 * mistake, so here nothing is a mistake to it, and what is wrong is collected to be reported all at once.
 */

import { Command, Option } from "commander";
import type { Mistake } from "../config/mistake.ts";

export interface CommandSpec {
  /** As the operator types it: "serve". */
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  /** What follows the options, such as "check|schema"; nothing may when absent. */
  readonly operands?: readonly OperandSpec[];
  /** Said after the options: examples first. */
  readonly epilogue: string;
}

export interface OptionSpec {
  /** "-p", where there is a short form. */
  readonly short?: string;
  /** "--port". */
  readonly long: string;
  /** The name of its value in the help, such as "PORT"; a flag without a value when absent. */
  readonly value?: string;
  readonly description: string;
  /** The default in words, for the help. */
  readonly defaultText?: string;
}

export interface OperandSpec {
  readonly name: string;
  readonly description: string;
}

/** An option that was given, in the order of the command line. */
export interface GivenOption {
  /** "--port", whichever form was typed. */
  readonly long: string;
  /** `undefined` for a flag. */
  readonly value: string | undefined;
}

export interface CommandLine {
  readonly options: readonly GivenOption[];
  readonly operands: readonly string[];
  readonly mistakes: readonly Mistake[];
  /** `--help` was given: nothing else counts. */
  readonly isHelp: boolean;
}

const HELP: OptionSpec = { short: "-h", long: "--help", description: "show this help" };

/** Reads the arguments of a command. Values are not judged here, but for being there. */
export function parseCommandLine(spec: CommandSpec, args: readonly string[]): CommandLine {
  const options: GivenOption[] = [];
  const mistakes: Mistake[] = [];
  const command = toCommand(spec);
  for (const { long, value: name } of [...spec.options, HELP]) {
    // An event for each time that the option is given, in order.
    command.on(`option:${long.slice(2)}`, (value: string | null) => {
      if (name !== undefined && value === null)
        mistakes.push({ path: long, value: undefined, wanted: `a value: ${long} ${name}` });
      else options.push({ long, value: value ?? undefined });
    });
  }
  const { operands, unknown } = command.parseOptions([...args]);
  const isUnknownOption = (arg: string): boolean => arg.startsWith("-") && arg !== "-";
  for (const arg of unknown.filter(isUnknownOption)) {
    mistakes.push({ path: nameOf(arg), value: undefined, wanted: "no such option" });
  }
  const rest = [...operands, ...unknown.filter((arg) => !isUnknownOption(arg))];
  const takenCount = spec.operands?.length ?? 0;
  for (const [index] of rest.slice(takenCount).entries()) {
    // Not shown: it may be a password that was meant for an option.
    mistakes.push({ path: `argument ${takenCount + index + 1}`, value: undefined, wanted: "no further argument" });
  }
  const isHelp = options.some(({ long }) => long === HELP.long);
  return { options, operands: rest.slice(0, takenCount), mistakes, isHelp };
}

/** An unknown option without its value: whoever mistypes --user must not find the password in a log. */
function nameOf(arg: string): string {
  return arg.startsWith("--") ? arg.replace(/=.*$/s, "") : arg.slice(0, 2);
}

/** The help of a command. */
export function formatHelp(spec: CommandSpec): string {
  return `${toCommand(spec).helpInformation()}\n${spec.epilogue}\n`;
}

/** The mistakes of a command line, and what to do next. */
export function formatMistakes(commandName: string, mistakes: readonly string[]): string {
  const count = mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
  const lines = mistakes.map((mistake) => `  ${mistake}`);
  return `sockeye ${commandName}: ${count}\n${lines.join("\n")}\nRun 'sockeye ${commandName} --help' for what is wanted.\n`;
}

function toCommand(spec: CommandSpec): Command {
  const command = new Command(`sockeye ${spec.name}`).description(spec.description).helpOption(false);
  // A value that is missing is no mistake to commander if it is optional; the help must not show it so.
  command.configureHelp({
    optionTerm: ({ flags, short }) => `${short === undefined ? "    " : ""}${flags.replace(/\[(.*)\]/, "$1")}`,
  });
  for (const { name, description } of spec.operands ?? []) command.argument(name, description);
  for (const { short, long, value, description, defaultText } of [...spec.options, HELP]) {
    const flags = `${short === undefined ? "" : `${short}, `}${long}`;
    const shown = defaultText === undefined ? description : `${description} (default: ${defaultText})`;
    command.addOption(new Option(value === undefined ? flags : `${flags} [${value}]`, shown));
  }
  return command;
}
