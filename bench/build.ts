/** Builds the C programs of the benchmark with the machine's own compiler, into bench/out. */

import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dir;
const FLAGS: readonly string[] = ["-std=gnu17", "-O2", "-Wall", "-Wextra"];

/** Every C program, and the files that it is made of besides headers. */
const PROGRAMS = {
  load: ["load/main.c", "load/measure.c", "load/modes.c", "load/origin.c", "load/tunnel.c", "load/udp.c"],
  "epoll-relay": ["floors/connect-server.c", "floors/epoll-relay.c"],
  "splice-relay": ["floors/connect-server.c", "floors/splice-relay.c"],
} as const;
export type ProgramName = keyof typeof PROGRAMS;

/** The path of a built program, built anew when a source is younger. Throws with what the compiler said. */
export function build(name: ProgramName): string {
  const out = join(here, "out");
  const program = join(out, name);
  const sources = PROGRAMS[name].map((path) => join(here, path));
  const headers = ["load", "floors"].flatMap((directory) =>
    readdirSync(join(here, directory))
      .filter((file) => file.endsWith(".h"))
      .map((file) => join(here, directory, file)),
  );
  if (existsSync(program)) {
    const built = statSync(program).mtimeMs;
    if ([...sources, ...headers].every((path) => statSync(path).mtimeMs < built)) return program;
  }
  mkdirSync(out, { recursive: true });
  const compiler = process.env["CC"] ?? "cc";
  const { exitCode, stderr } = Bun.spawnSync([compiler, ...FLAGS, "-o", program, ...sources]);
  if (exitCode !== 0) throw new Error(`${compiler} could not build ${name}:\n${stderr.toString()}`);
  return program;
}
