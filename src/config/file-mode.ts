/** Who may read the configuration file, where it holds passwords. */

import { statSync } from "node:fs";
import type { Config } from "./config.ts";

/** Permission to read for the group and for everybody. */
const OTHERS_READ = 0o044;

/**
 * A warning where others may read the passwords in a file. Those that came from the command line count as well: which came
 * from where is no longer known here, and the advice is right for both.
 *
 * @throws The error of `stat` when the file is gone.
 */
export function warnOfReaders(path: string, { users, admin }: Config): string | undefined {
  const hasPassword = [...users, ...(admin.user === undefined ? [] : [admin.user])].some(
    ({ secret }) => secret.kind === "plain",
  );
  const { mode } = statSync(path);
  if (!hasPassword || (mode & OTHERS_READ) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, "0");
  return `${path} has mode ${shown}, so others on this machine may read its passwords: chmod 600 it, or use password_hash`;
}
