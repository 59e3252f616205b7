/**
 * Where a log's bytes go, in a way that never stops the program: Bun's own streams block on a full pipe (console,
 * writeSync), grow without bound, or end the process when the reader goes (process.stderr). `docs/adr` has what was tried.
 *
 * - A regular file is written by the engine's thread pool, one write at a time.
 * - A pipe or a terminal is opened once more through /proc, which gives it a non-blocking state of our own: the flag on
 *   the inherited descriptor is shared with whoever else has it, such as the shell.
 * - A socket (systemd's journal) cannot be opened again; the engine's sink waits for it to be writable.
 */

import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs";

export type OutletTarget =
  | { readonly kind: "file"; readonly path: string }
  /** A descriptor that was inherited, such as 1 or 2. It is never closed. */
  | { readonly kind: "descriptor"; readonly fd: number };

/** How a write went: perhaps in part, perhaps not at all. EAGAIN says that the reader is slow. */
export type WriteDone = (error: NodeJS.ErrnoException | undefined, bytesWritten: number) => void;

export interface Outlet {
  /** How many bytes are best written at once. */
  readonly writeBytes: number;
  /** How long lines are best gathered to be written together, in milliseconds. */
  readonly gatherMs: number;
  /** Calls `done` once, perhaps at once. There is one write at a time; `bytes` must not change until then. */
  write(bytes: Uint8Array, done: WriteDone): void;
  close(): void;
}

export interface OutletOptions {
  /** Write to regular files without the thread pool: the bytes are out when `write` returns. */
  readonly immediate: boolean;
}

/** Readable by the group, since logs are read by other programs, and by nobody else, since they say who went where. */
const FILE_MODE = 0o640;
const OPEN_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY;

/** What an empty pipe takes. The rest of a longer write would have to wait for the reader. */
const PIPE_BYTES = 64 * 1024;
/** The thread pool costs the same for each write, some 300 µs of CPU, whatever its size. */
const POOLED_BYTES = 256 * 1024;
/** So lines are gathered; for longer, whoever watches the log would feel it. */
export const POOLED_GATHER_MS = 100;
/** A write to a pipe costs as much as a few lines. */
export const PIPE_GATHER_MS = 25;

/** @throws The error of `open` or `fstat` when there is no such place. */
export function openOutlet(target: OutletTarget, { immediate }: OutletOptions): Outlet {
  if (target.kind === "file") {
    const fd = openSync(target.path, OPEN_FLAGS | constants.O_CREAT, FILE_MODE);
    return fstatSync(fd).isFile() && !immediate ? new PooledOutlet(fd, true) : new DirectOutlet(fd, true);
  }
  const stat = fstatSync(target.fd);
  if (stat.isFile()) return immediate ? new DirectOutlet(target.fd, false) : new PooledOutlet(target.fd, false);
  const own = stat.isSocket() ? undefined : openAgain(target.fd);
  return own === undefined ? new SinkOutlet(target.fd) : new DirectOutlet(own, true);
}

/** `undefined` where there is no /proc, or where the pipe belongs to another user. */
function openAgain(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, OPEN_FLAGS);
  } catch {
    return undefined;
  }
}

/** Regular files: writing may have to wait for the disk, which is not for the event loop to do. */
class PooledOutlet implements Outlet {
  readonly writeBytes: number = POOLED_BYTES;
  readonly gatherMs: number = POOLED_GATHER_MS;
  readonly #fd: number;
  readonly #isOwn: boolean;

  constructor(fd: number, isOwn: boolean) {
    this.#fd = fd;
    this.#isOwn = isOwn;
  }

  write(bytes: Uint8Array, done: WriteDone): void {
    write(this.#fd, bytes, (error, bytesWritten) => done(error ?? undefined, error ? 0 : bytesWritten));
  }

  close(): void {
    if (this.#isOwn) closeSync(this.#fd);
  }
}

/** Non-blocking descriptors: a write takes what there is room for, or says EAGAIN. */
class DirectOutlet implements Outlet {
  readonly writeBytes: number = PIPE_BYTES;
  readonly gatherMs: number = PIPE_GATHER_MS;
  readonly #fd: number;
  readonly #isOwn: boolean;

  constructor(fd: number, isOwn: boolean) {
    this.#fd = fd;
    this.#isOwn = isOwn;
  }

  write(bytes: Uint8Array, done: WriteDone): void {
    let bytesWritten = 0;
    let failure: NodeJS.ErrnoException | undefined;
    try {
      bytesWritten = writeSync(this.#fd, bytes);
    } catch (error) {
      failure = toErrno(error);
    }
    done(failure, bytesWritten);
  }

  close(): void {
    if (this.#isOwn) closeSync(this.#fd);
  }
}

/** The engine's own writer, with one write under way at most, so that it never holds more than we gave it. */
class SinkOutlet implements Outlet {
  readonly writeBytes: number = PIPE_BYTES;
  readonly gatherMs: number = PIPE_GATHER_MS;
  readonly #fd: number;
  #sink: Bun.FileSink | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array, done: WriteDone): void {
    this.#writeAll(bytes).then(
      () => done(undefined, bytes.length),
      (error: unknown) => {
        // A sink that has failed once stays so; the next write gets a new one.
        this.#sink = undefined;
        done(toErrno(error), 0);
      },
    );
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    this.#sink ??= Bun.file(this.#fd).writer();
    await this.#sink.write(bytes);
    await this.#sink.flush();
  }

  close(): void {
    this.#sink = undefined;
  }
}

function toErrno(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}
