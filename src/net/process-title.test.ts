import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const module = join(import.meta.dir, "process-title.ts");

/** Runs a program with `args`, which blanks some of them and then waits; returns what others see of it. */
async function seen(args: string[], blanked: { index: number; start: number }[]) {
  const program = `
    const args = process.argv.slice(-${args.length});
    const { blankArguments } = await import(${JSON.stringify(module)});
    const done = blankArguments(${JSON.stringify(blanked)}, ${args.length});
    console.log(JSON.stringify({ done, args }));
    process.stdin.resume();
  `;
  const child = Bun.spawn([process.execPath, "-e", program, "--", ...args], { stdin: "pipe", stdout: "pipe" });
  const reader = child.stdout.getReader();
  const report = JSON.parse(new TextDecoder().decode((await reader.read()).value));
  const commandLine = readFileSync(`/proc/${child.pid}/cmdline`, "utf8");
  child.stdin.end();
  await child.exited;
  return { report, commandLine };
}

describe.skipIf(process.platform !== "linux")("blankArguments", () => {
  test("others see three stars, however long the password is", async () => {
    const args = ["serve", "-u", "alice:a-long-password", "--user=bob:pw", "-p", "0"];
    const blanked = [
      { index: 2, start: 6 },
      { index: 3, start: 11 },
    ];
    const { report, commandLine } = await seen(args, blanked);
    expect(report).toEqual({ done: true, args });
    expect(commandLine).toMatch(/\0serve\0-u\0alice:\*\*\*\0+--user=bob:\*\*\0-p\0[0]\0$/);
    expect(commandLine).not.toContain("password");
  });

  test("an argument that is not there is no harm", async () => {
    const { report, commandLine } = await seen(["one", "two"], [{ index: 7, start: 0 }]);
    expect(report.done).toBe(true);
    expect(commandLine).toEndWith("\0one\0two\0");
  });
});
