/**
 * The one way in which checks run, by hand and in CI: `npm run ok`, `npm test`, `npm run test:interop`.
 *
 * Runs the steps of the named suite in order, stops at the first that fails, and closes with the line
 * "N passed, N failed", summed over every `bun test` of the suite. Further arguments go to `bun test`
 * (`npm test -- --test-name-pattern RST`).
 */

import { spawn } from "node:child_process";
import { dirname } from "node:path";

type Step = {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

const root = dirname(import.meta.dir);
const bun = process.execPath;
const extra = process.argv.slice(3);
// A pattern need not have a match in every step.
const options = ["--timeout", "60000", ...(extra.length > 0 ? ["--pass-with-no-tests"] : [])];
const bunTest = (...paths: string[]): string[] => [bun, "test", ...options, ...paths, ...extra];

const STATIC: readonly Step[] = [
  { name: "format and lint", command: ["node_modules/.bin/biome", "check", "--error-on-warnings", "."] },
  { name: "types", command: ["node_modules/.bin/tsc", "--noEmit"] },
];
const UNIT: Step = { name: "unit tests", command: bunTest("./src", "./test/architecture") };
const WHOLE: Step = { name: "simulation and end-to-end tests", command: bunTest("./test/simulation", "./test/e2e") };
/** Tests of what a client sees: `bin/sockeye serve` as it is started with the options of the variant. */
const SEEN_BY_CLIENTS = [
  "admin",
  "admin-under-load",
  "bind",
  "dns",
  "handshake",
  "honest-replies",
  "limits",
  "logs",
  "outgoing",
]
  .concat(["random-clients", "random-tunnels", "relay", "stop", "udp"])
  .map((name) => `./test/e2e/${name}.test.ts`);
/** The same tests for other ways of doing the same: what a client sees must not depend on them. */
const VARIANTS: readonly Step[] = ["--workers 2", "--splice always", "--sockets bun"].map((setting) => ({
  name: `end-to-end tests with ${setting}`,
  command: bunTest(...SEEN_BY_CLIENTS),
  env: { SOCKEYE_TEST_OPTIONS: setting },
}));

const SUITES: Readonly<Record<string, readonly Step[]>> = {
  ok: [...STATIC, UNIT],
  all: [...STATIC, UNIT, WHOLE, ...VARIANTS],
  interop: [
    { name: "Debian packages", command: ["sh", "test/interop/install-packages.sh"] },
    { name: "real peers", command: bunTest("./test/interop") },
  ],
};

const counts = { pass: 0, fail: 0, skip: 0 };

/** Runs one step, shows its output as it comes, and counts what `bun test` reports. */
async function run(step: Step): Promise<number> {
  process.stdout.write(`\n── ${step.name}\n`);
  const [file, ...args] = step.command;
  const child = spawn(file as string, args, {
    cwd: root,
    env: { ...process.env, ...step.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let report = "";
  const show = (chunk: Buffer) => {
    process.stdout.write(chunk);
    report = (report + chunk.toString()).slice(-4000);
  };
  child.stdout.on("data", show);
  child.stderr.on("data", show);
  const status = await new Promise<number>((resolve) => {
    child.on("error", (error) => {
      process.stdout.write(`cannot run ${file}: ${error.message}\n`);
      resolve(127);
    });
    child.on("close", (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
  for (const key of ["pass", "fail", "skip"] as const) {
    counts[key] += Number(report.match(new RegExp(`^\\s*(\\d+) ${key}$`, "m"))?.[1] ?? 0);
  }
  return status;
}

const suite = SUITES[process.argv[2] ?? ""];
if (suite === undefined) {
  process.stderr.write(`usage: run-tests.ts ${Object.keys(SUITES).join("|")} [bun test options]\n`);
  process.exit(2);
}
let failed: Step | undefined;
for (const step of suite) {
  if ((await run(step)) !== 0) {
    failed = step;
    break;
  }
}
const trouble = failed === undefined ? (counts.pass === 0 ? "no test has run" : undefined) : `${failed.name} failed`;
if (trouble !== undefined) {
  process.stdout.write(`\n${trouble}\n`);
  counts.fail = Math.max(counts.fail, 1);
}
process.stdout.write(
  `${counts.pass} passed, ${counts.fail} failed${counts.skip > 0 ? `, ${counts.skip} skipped` : ""}\n`,
);
process.exit(trouble === undefined ? 0 : 1);
