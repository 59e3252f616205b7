/** Sockeye as a dependency of another package: what `npm pack` makes, installed beside its dependencies. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run, runWell } from "../support/command.ts";
import { startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";

const root = dirname(dirname(import.meta.dir));
const dir = scratchDir();
const modules = dir.file("node_modules");
const installed = join(modules, "sockeye");

beforeAll(async () => {
  await runWell(["npm", "pack", "--silent", "--pack-destination", dir.path, root], { cwd: root });
  const tarball = readdirSync(dir.path).find((name) => name.endsWith(".tgz")) ?? "no tarball";
  mkdirSync(installed, { recursive: true });
  await runWell(["tar", "-xzf", dir.file(tarball), "--strip-components=1", "-C", installed]);
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // npm puts the dependencies beside the package, not below it; what they need lies below the clone's.
  for (const name of Object.keys(dependencies)) symlinkSync(join(root, "node_modules", name), join(modules, name));
  mkdirSync(join(modules, ".bin"));
  symlinkSync("../sockeye/bin/sockeye", join(modules, ".bin", "sockeye"));
});
afterAll(() => dir[Symbol.dispose]());

describe("the installed package", () => {
  test("node_modules/.bin/sockeye tells its version and serves", async () => {
    const executable = join(modules, ".bin", "sockeye");
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect((await runWell([executable, "--version"], { cwd: "/" })).text).toBe(`${version}\n`);
    await using proxy = await startProxy([], { executable, cwd: dir.path });
    expect(proxy.port).toBeGreaterThan(0);
    expect(await proxy.stop()).toBe(0);
  });

  test("every door of its exports opens", async () => {
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    for (const [door, file] of Object.entries<string>(exports)) {
      expect([door, existsSync(join(installed, file))]).toEqual([door, true]);
    }
    const program = dir.file("program.mjs");
    const doors = Object.keys(exports).filter((door) => !door.endsWith(".json"));
    writeFileSync(
      program,
      doors.map((door) => `console.log(Object.keys(await import("sockeye${door.slice(1)}")).length > 0);`).join("\n"),
    );
    expect((await runWell([process.execPath, program])).text).toBe("true\n".repeat(doors.length));
  });

  test("type-checks in a program for Bun", async () => {
    mkdirSync(join(modules, "@types"));
    symlinkSync(join(root, "node_modules", "@types", "bun"), join(modules, "@types", "bun"));
    const common = {
      lib: ["ESNext"],
      target: "ESNext",
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["bun"],
    };
    // What `bun init` writes.
    const modern = { module: "Preserve", allowImportingTsExtensions: true, verbatimModuleSyntax: true };
    const compilerOptions = { ...common, ...modern, noUncheckedIndexedAccess: true, noImplicitOverride: true };
    writeFileSync(dir.file("tsconfig.json"), JSON.stringify({ compilerOptions, include: ["program.ts"] }));
    writeFileSync(
      dir.file("program.ts"),
      `import { type ProxyOptions, startProxy } from "sockeye";
       import { connectAdmin } from "sockeye/admin";
       const options: ProxyOptions = { socks: { listen: ["127.0.0.1", { address: "::1", port: 0 }] }, timeouts: { idle: 0 } };
       export const proxy = await startProxy(options);
       export const admin = await connectAdmin({ username: "root", password: "secret" });
      `,
    );
    const tsc = join(root, "node_modules", ".bin", "tsc");
    expect(await run([tsc, "--project", dir.path], { cwd: dir.path })).toMatchObject({ status: 0, text: "" });
  });

  test("brings no tests, and every page that its README names", () => {
    const names = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(names.filter((name) => name.includes(".test."))).toEqual([]);
    const readme = readFileSync(join(installed, "README.md"), "utf8");
    const pages = [...readme.matchAll(/\]\(((?!https?:)[^)#]+)/g)].map((match) => match[1] ?? "");
    expect(pages.length).toBeGreaterThan(5);
    expect(pages.filter((page) => !existsSync(join(installed, page)))).toEqual([]);
  });
});
