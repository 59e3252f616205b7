/** Pipes for splicing: taken while bytes are in them, given back empty, never more than a limit. */

import { F_SETPIPE_SZ, type Libc, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../libc.ts";

/**
 * What a pipe holds, in bytes: the most that a process without privileges may ask for (/proc/sys/fs/pipe-max-size). With
 * smaller ones splicing costs more than copying.
 */
export const PIPE_BYTES = 1_048_576;

export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

export class PipePool {
  readonly #libc: Libc;
  readonly #max: number;
  /** Empty pipes. BOUNDED by the limit. The one used last is taken first. */
  readonly #spare: Pipe[] = [];
  #open = 0;

  /** @param max - The most pipes that exist at once. */
  constructor(libc: Libc, max: number) {
    this.#libc = libc;
    this.#max = max;
  }

  /** Pipes that exist. */
  get open(): number {
    return this.#open;
  }

  /** Pipes that somebody has. */
  get taken(): number {
    return this.#open - this.#spare.length;
  }

  /** Whether `take` may succeed. */
  get hasRoom(): boolean {
    return this.#spare.length > 0 || this.#open < this.#max;
  }

  /** An empty pipe; `undefined` at the limit, without descriptors, or when the user's share of pipe memory is used up. */
  take(): Pipe | undefined {
    return this.#spare.pop() ?? (this.#open < this.#max ? this.#create() : undefined);
  }

  giveBack(pipe: Pipe, isEmpty: boolean): void {
    if (isEmpty) {
      this.#spare.push(pipe);
    } else {
      this.#open--;
      this.#close(pipe);
    }
  }

  /** Closes all pipes that nobody has. */
  close(): void {
    for (const pipe of this.#spare.splice(0)) this.giveBack(pipe, false);
  }

  #create(): Pipe | undefined {
    const ends = new Int32Array(2);
    // O_NONBLOCK and O_CLOEXEC are the same numbers.
    if (this.#libc.pipe2(ends, SOCK_NONBLOCK | SOCK_CLOEXEC) < 0) return undefined;
    const [readFd, writeFd] = ends as unknown as [number, number];
    const pipe = { readFd, writeFd };
    // EPERM: beyond /proc/sys/fs/pipe-user-pages-soft, which is shared by all processes of the user.
    if (this.#libc.fcntl(writeFd, F_SETPIPE_SZ, PIPE_BYTES) < 0) {
      this.#close(pipe);
      return undefined;
    }
    this.#open++;
    return pipe;
  }

  #close({ readFd, writeFd }: Pipe): void {
    this.#libc.close(readFd);
    this.#libc.close(writeFd);
  }
}
