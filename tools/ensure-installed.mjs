// Installs what is missing, so that `npm start` and `npm test` each work as the first command in a fresh clone.
// Plain JavaScript for Node: it runs before Bun is there.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is missing or of another version than the lock file names; empty when all is well. */
function missing() {
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const hiddenLock = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hiddenLock)) return ["everything"];
  const found = JSON.parse(readFileSync(hiddenLock, "utf8")).packages;
  return Object.entries(wanted)
    .filter(([path, wish]) => path !== "" && !wish.optional && found[path]?.version !== wish.version)
    .map(([path]) => path);
}

const lacking = missing();
if (lacking.length > 0) {
  process.stderr.write(`sockeye: installing dependencies (missing: ${lacking.slice(0, 3).join(", ")})\n`);
  // npm runs us: use the very npm that does, not another one that may be in PATH.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, "ci"]] : ["npm", ["ci"]];
  // npm's report goes to stderr: the stdout of `npm start` is the access log.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) process.stderr.write(`sockeye: cannot run npm ci: ${error.message}\n`);
  if (status !== 0) {
    process.stderr.write("sockeye: npm ci failed; its message above says why. Then try again.\n");
    process.exit(status ?? 1);
  }
}
