import { expect, test } from "bun:test";
import { findSecrets } from "./argument-secrets.ts";

/** The arguments with what is blanked cut off. */
const blanked = (...args: string[]): string[] => {
  const cut = args.map((arg) => Buffer.from(arg));
  for (const { index, start } of findSecrets(args)) cut[index] = cut[index]?.subarray(0, start) ?? Buffer.alloc(0);
  return cut.map(String);
};

test.each([
  [
    ["serve", "-u", "alice:s", "-p", "1"],
    ["serve", "-u", "alice:", "-p", "1"],
  ],
  [
    ["serve", "-ualice:s"],
    ["serve", "-ualice:"],
  ],
  [
    ["serve", "--user", "ü:s:t"],
    ["serve", "--user", "ü:"],
  ],
  [
    ["serve", "--user=alice:s"],
    ["serve", "--user=alice:"],
  ],
  [
    ["serve", "-U", "root:s", "--admin=root:t", "-Uroot:u"],
    ["serve", "-U", "root:", "--admin=root:", "-Uroot:"],
  ],
  [
    ["serve", "-u", "forgotten-colon"],
    ["serve", "-u", ""],
  ],
  [
    ["hash-password", "hush", "--help"],
    ["hash-password", "", "--help"],
  ],
  [
    ["serve", "--listen", "::1", "--port=1"],
    ["serve", "--listen", "::1", "--port=1"],
  ],
])("%p", (args, left) => {
  expect(blanked(...args)).toEqual(left);
});
