/** Who may import whom. The picture and the reasons stand in ARCHITECTURE.md; this is the rule. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const src = join(dirname(dirname(import.meta.dir)), "src");

/**
 * Layer (a folder below src/, or a file of src/) → the layers that it may import besides itself, and the modules from
 * outside. The longest matching layer counts.
 */
const RULES: Readonly<Record<string, { layers: readonly string[]; modules: readonly string[] }>> = {
  bytes: { layers: [], modules: [] },
  "protocol/machine.ts": { layers: [], modules: [] },
  "protocol/socks5": { layers: ["bytes", "protocol/machine.ts"], modules: [] },
  "protocol/admin": { layers: ["bytes", "protocol/machine.ts"], modules: [] },
  "protocol/sctp": { layers: ["bytes", "protocol/machine.ts"], modules: [] },
  "protocol/dial": { layers: ["bytes"], modules: [] },
  "protocol/dns": { layers: ["bytes", "protocol/machine.ts"], modules: ["dns-packet"] },
  ports: { layers: [], modules: [] },
  time: { layers: ["ports"], modules: [] },
  relay: { layers: ["bytes", "ports"], modules: [] },
  net: { layers: ["bytes", "ports", "protocol/machine.ts", "protocol/sctp"], modules: ["bun", "bun:*", "node:*"] },
  resolver: { layers: ["bytes", "ports", "protocol/machine.ts", "protocol/dns"], modules: ["node:*", "ipaddr.js"] },
  proxy: {
    layers: ["bytes", "ports", "relay", "time", "protocol/machine.ts", "protocol/socks5", "protocol/dial"],
    modules: ["bun", "node:*", "ipaddr.js"],
  },
  admin: {
    layers: ["bytes", "ports", "net", "protocol/machine.ts", "protocol/admin"],
    modules: ["bun", "node:*"],
  },
  observe: { layers: ["ports"], modules: ["node:*"] },
  config: { layers: ["ports"], modules: ["node:*", "smol-toml", "zod", "ipaddr.js"] },
  // The composition root and the two doors know everybody.
  app: { layers: ["*"], modules: ["*"] },
  "app.ts": { layers: ["*"], modules: ["*"] },
  "index.ts": { layers: ["*"], modules: ["*"] },
  cli: { layers: ["*"], modules: ["*"] },
};

const layerNames = Object.keys(RULES).sort((a, b) => b.length - a.length);
const layerOf = (path: string): string | undefined =>
  layerNames.find((name) => path === name || path.startsWith(`${name}/`));
const allows = (allowed: readonly string[], name: string): boolean =>
  allowed.some(
    (entry) => entry === "*" || entry === name || (entry.endsWith("*") && name.startsWith(entry.slice(0, -1))),
  );

const files = [...new Bun.Glob("**/*.ts").scanSync(src)].filter((path) => !path.endsWith(".test.ts")).sort();
const transpiler = new Bun.Transpiler({ loader: "ts" });

/** Every module a file names, type-only imports too, which the transpiler would leave out. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(src, path), "utf8");
  const dynamic = transpiler.scanImports(text).map((entry) => entry.path);
  const named = [...text.matchAll(/^\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"/gm)].map(
    (match) => match[1] as string,
  );
  return [...new Set([...dynamic, ...named])];
}

describe("layers", () => {
  test("every source file belongs to a layer", () => {
    expect(files.filter((path) => layerOf(path) === undefined)).toEqual([]);
  });

  test("nobody imports what his layer may not", () => {
    const faults: string[] = [];
    for (const path of files) {
      const layer = layerOf(path);
      const rule = layer === undefined ? undefined : RULES[layer];
      if (layer === undefined || rule === undefined) continue;
      for (const name of importsOf(path)) {
        if (!name.startsWith(".")) {
          if (!allows(rule.modules, name)) faults.push(`${path} imports ${name}: ${layer} may import no such module`);
          continue;
        }
        const target = layerOf(relative(src, join(src, dirname(path), name))) ?? "?";
        if (target !== layer && !allows(rule.layers, target)) {
          faults.push(`${path} imports ${name}: ${layer} may not import ${target}`);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  test("the check sees type-only and multi-line imports", () => {
    expect(importsOf("ports/control.ts")).toEqual([]);
    const text = 'import type {\n  A,\n} from "./a.ts";\nexport { b } from "./b.ts";';
    const found = [...text.matchAll(/^\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"/gm)].map((match) => match[1]);
    expect(found).toEqual(["./a.ts", "./b.ts"]);
  });
});
