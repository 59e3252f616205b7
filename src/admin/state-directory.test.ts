import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { loadOrCreatePassword, PASSWORD_FILE, readPassword, StateError, stateDirectory } from "./state-directory.ts";

const made: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "sockeye-state-"));
  made.push(path);
  return path;
}
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

/** The code and the message of what `action` throws. */
function fault(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StateError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "nothing was thrown";
}

test("stateDirectory", () => {
  expect(stateDirectory({ SOCKEYE_STATE_DIR: "/a", XDG_STATE_HOME: "/b" })).toBe("/a");
  expect(stateDirectory({ SOCKEYE_STATE_DIR: "", XDG_STATE_HOME: "/b" })).toBe("/b/sockeye");
  expect(stateDirectory({ XDG_STATE_HOME: "relative" })).toBe(join(homedir(), ".local/state/sockeye"));
  expect(stateDirectory({})).toBe(join(homedir(), ".local/state/sockeye"));
});

describe("loadOrCreatePassword", () => {
  test("makes a file that only we can read, and finds it again", () => {
    const state = join(directory(), "deep", "state");
    const first = loadOrCreatePassword(state);
    expect(first.password).toMatch(/^[\w-]{32}$/);
    expect(first.path).toBe(join(state, PASSWORD_FILE));
    expect(readFileSync(first.path, "utf8")).toBe(`${first.password}\n`);
    expect(statSync(first.path).mode & 0o777).toBe(0o600);
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(readdirSync(state)).toEqual([PASSWORD_FILE]);
    expect(loadOrCreatePassword(state)).toEqual(first);
    expect(loadOrCreatePassword(directory()).password).not.toBe(first.password);
  });

  test("the mode does not depend on the umask", () => {
    const before = process.umask(0);
    try {
      expect(statSync(loadOrCreatePassword(directory()).path).mode & 0o777).toBe(0o600);
    } finally {
      process.umask(before);
    }
  });

  test("a directory that cannot be made is reported with its reason", () => {
    const file = join(directory(), "file");
    writeFileSync(file, "");
    expect(fault(() => loadOrCreatePassword(join(file, "state")))).toMatch(/^ENOTDIR: Cannot (keep|read)/);
  });
});

describe("readPassword", () => {
  test("the first line, without its end", () => {
    const path = join(directory(), "p");
    writeFileSync(path, "geheim wort\r\nanother line\n", { mode: 0o600 });
    expect(readPassword(path)).toBe("geheim wort");
    expect(readPassword(`${path}-absent`)).toBeUndefined();
  });

  test.each([0o640, 0o604, 0o622])("mode %o is refused", (mode) => {
    const path = join(directory(), "p");
    writeFileSync(path, "geheim\n");
    chmodSync(path, mode);
    expect(fault(() => readPassword(path))).toBe(
      `ERR_STATE_UNSAFE: ${path} has mode ${mode.toString(8)}, so others may read it: chmod 600 it`,
    );
  });

  test("what is no file is refused", () => {
    const path = join(directory(), "p");
    mkdirSync(path);
    expect(fault(() => readPassword(path))).toBe(`ERR_STATE_UNSAFE: ${path} is not a regular file`);
  });

  test.each(["", "\nsecond line", "x".repeat(256)])("no password in it: the message does not show what is", (text) => {
    const path = join(directory(), "p");
    writeFileSync(path, text, { mode: 0o600 });
    expect(fault(() => readPassword(path))).toBe(
      `ERR_STATE_PASSWORD: ${path} must hold a password of 1 to 255 bytes in its first line`,
    );
  });
});
