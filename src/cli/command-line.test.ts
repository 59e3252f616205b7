import { describe, expect, test } from "bun:test";
import { formatMistake } from "../config/mistake.ts";
import { type CommandSpec, formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";

const SPEC: CommandSpec = {
  name: "try",
  description: "Tries.",
  options: [
    { short: "-p", long: "--port", value: "PORT", description: "a port", defaultText: "7" },
    { short: "-l", long: "--listen", value: "ADDR", description: "an address" },
    { long: "--loud", description: "a flag" },
  ],
  operands: [{ name: "<what>", description: "an operand" }],
  epilogue: "Example: sockeye try it",
};

const given = (...args: string[]) => parseCommandLine(SPEC, args).options.map(({ long, value }) => [long, value]);
const mistakes = (...args: string[]) => parseCommandLine(SPEC, args).mistakes.map(formatMistake);

describe("parseCommandLine", () => {
  test.each([
    [["--port", "1"], "1"],
    [["--port=1"], "1"],
    [["-p", "1"], "1"],
    [["-p1"], "1"],
    [["-p", "-"], "-"],
    [["-p="], "="],
    [["--port="], ""],
    [["--port=a=b"], "a=b"],
  ])("%p", (args, value) => {
    expect(given(...args)).toEqual([["--port", value]]);
    expect(mistakes(...args)).toEqual([]);
  });

  test("keeps the order, and every time that an option is given", () => {
    expect(given("-l", "a", "-p", "1", "--loud", "--listen", "b")).toEqual([
      ["--listen", "a"],
      ["--port", "1"],
      ["--loud", undefined],
      ["--listen", "b"],
    ]);
  });

  test("options may stand around the operand, and -- ends them", () => {
    const line = parseCommandLine(SPEC, ["-p", "1", "it", "--loud", "--"]);
    expect(line.operands).toEqual(["it"]);
    expect(line.options).toHaveLength(2);
    expect(parseCommandLine(SPEC, ["--", "--port"])).toMatchObject({ operands: ["--port"], mistakes: [] });
  });

  test("collects all mistakes", () => {
    expect(mistakes("--bogus=1", "it", "extra", "-x5", "-p", "-l", "a", "another", "--listen")).toEqual([
      "--port: a value: --port PORT",
      "--listen: a value: --listen ADDR",
      "--bogus: no such option",
      "-x: no such option",
      "argument 2: no further argument",
      "argument 3: no further argument",
    ]);
  });

  test("shows nothing that may be a mistyped password", () => {
    expect(mistakes("--usr=a:hush", "-xa:hush", "it", "a:hush").join()).not.toContain("hush");
  });

  test("--help anywhere", () => {
    expect(parseCommandLine(SPEC, ["--bogus", "-h"]).isHelp).toBe(true);
    expect(parseCommandLine(SPEC, ["--help"]).isHelp).toBe(true);
    expect(parseCommandLine(SPEC, []).isHelp).toBe(false);
  });
});

test("formatHelp shows every option with its value and its default", () => {
  const help = formatHelp(SPEC);
  expect(help).toContain("Usage: sockeye try [options] <what>");
  expect(help).toMatch(/^ {2}-p, --port PORT +a port \(default: 7\)$/m);
  expect(help).toMatch(/^ {6}--loud +a flag$/m);
  expect(help).toMatch(/^ {2}-h, --help +show this help$/m);
  expect(help).toEndWith("\nExample: sockeye try it\n");
});

test("formatMistakes says what to do next", () => {
  expect(formatMistakes("try", ["--port is 5"])).toBe(
    "sockeye try: 1 mistake\n  --port is 5\nRun 'sockeye try --help' for what is wanted.\n",
  );
  expect(formatMistakes("try", ["a", "b"])).toStartWith("sockeye try: 2 mistakes\n  a\n  b\n");
});
