/**
 * The state directory, and in it the generated password of the administrator: made once by the server, found there by
 * `sockeye ctl` on the same account.
 */

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** The file's name inside the state directory. */
export const PASSWORD_FILE = "admin-password";
/** 24 bytes are 32 characters of base64url and 192 bits. */
const PASSWORD_RANDOM_BYTES = 24;
/** What one length byte of the protocol can say. */
const PASSWORD_BYTES_MAX = 255;
/** The permissions that nobody but the owner may have. */
const OTHERS_MODE = 0o077;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A file with a password cannot be used. `code` is the operating system's name for the reason, ERR_STATE_UNSAFE where
 * others could read the file, or ERR_STATE_PASSWORD where there is no usable password in it.
 */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Where state is kept: `$SOCKEYE_STATE_DIR`, `$XDG_STATE_HOME/sockeye` or `~/.local/state/sockeye`. */
export function stateDirectory(environment: Environment): string {
  const own = environment["SOCKEYE_STATE_DIR"];
  if (own !== undefined && own !== "") return own;
  const xdg = environment["XDG_STATE_HOME"];
  // The XDG base directory specification: a relative path is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, "sockeye");
  return join(homedir(), ".local", "state", "sockeye");
}

/**
 * The password that an earlier run, or another process at the same moment, has put into `directory`; a new one when there
 * is none.
 *
 * @throws StateError when the directory or the file cannot be used.
 */
export function loadOrCreatePassword(directory: string): { readonly password: string; readonly path: string } {
  const path = join(directory, PASSWORD_FILE);
  const existing = readPassword(path);
  if (existing !== undefined) return { password: existing, path };
  const password = randomBytes(PASSWORD_RANDOM_BYTES).toString("base64url");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Complete before it has its name, and the name goes to whoever comes first: nobody ever reads half a password.
    const draft = `${path}.${process.pid}.${randomBytes(6).toString("hex")}`;
    const fd = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      writeSync(fd, `${password}\n`);
      fsyncSync(fd);
      linkSync(draft, path);
    } finally {
      closeSync(fd);
      unlinkSync(draft);
    }
    return { password, path };
  } catch (error) {
    if (codeOf(error) === "EEXIST") {
      const other = readPassword(path);
      if (other !== undefined) return { password: other, path };
    }
    throw new StateError(codeOf(error), `Cannot keep the administrator's password in ${path}: ${codeOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * The generated password in `path`.
 *
 * @returns `undefined` when there is no such file.
 * @throws StateError when it cannot be read, is no file of this account, can be read by others, or holds no password of
 * 1 to 255 bytes.
 */
export function readPassword(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new StateError(codeOf(error), `Cannot read the password in ${path}: ${codeOf(error)}`, { cause: error });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new StateError("ERR_STATE_UNSAFE", `${path} is not a regular file`);
    const user = process.geteuid?.();
    if (user !== undefined && user !== 0 && stat.uid !== user) {
      throw new StateError("ERR_STATE_UNSAFE", `${path} belongs to another account: it must be yours`);
    }
    if ((stat.mode & OTHERS_MODE) !== 0) {
      const mode = (stat.mode & 0o777).toString(8);
      throw new StateError("ERR_STATE_UNSAFE", `${path} has mode ${mode}, so others may read it: chmod 600 it`);
    }
    return firstLine(readFileSync(fd, "utf8"), path);
  } finally {
    closeSync(fd);
  }
}

/**
 * The password in a file that the user has named, whoever may read it: a secret that is mounted, a pipe.
 *
 * @throws StateError when it cannot be read or holds no password of 1 to 255 bytes.
 */
export function readPasswordFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new StateError(codeOf(error), `Cannot read the password in ${path}: ${codeOf(error)}`, { cause: error });
  }
  return firstLine(text, path);
}

function firstLine(text: string, path: string): string {
  const [line = ""] = text.split(/\r?\n/, 1);
  const size = Buffer.byteLength(line);
  if (size >= 1 && size <= PASSWORD_BYTES_MAX) return line;
  throw new StateError("ERR_STATE_PASSWORD", `${path} must hold a password of 1 to 255 bytes in its first line`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
}
