/**
 * Lines on their way to a file, a pipe or a terminal, which may be slow, full or gone. Writing a line never waits: what
 * cannot be written yet is kept up to a limit, and what is beyond it is dropped and counted.
 */

import type { Clock, Timer } from "../ports/clock.ts";
import { LineBlocks, lineStart, linesIn } from "./line-blocks.ts";
import { type Outlet, type OutletTarget, openOutlet } from "./outlet.ts";

export interface LineWriterOptions {
  readonly target: OutletTarget;
  /** The most bytes of lines that are kept. */
  readonly queueBytesMax: number;
  /** Try to write each line at once, as diagnostics must; otherwise lines are gathered for the outlet's `gatherMs`. */
  readonly immediate: boolean;
  /** Told when writing begins to fail or to lose lines, and when it works again; never once a line. */
  readonly onChange: (change: WriterChange) => void;
}

export type WriterChange =
  | { readonly kind: "failing"; readonly code: string }
  /** The file could not be opened anew; the old one stays in use. */
  | { readonly kind: "not-reopened"; readonly code: string }
  /** The queue is full: lines are being dropped. */
  | { readonly kind: "losing" }
  /** All that was kept has been written. */
  | { readonly kind: "recovered"; readonly lostLines: number }
  /** The writer is closed, and these lines, not told of before, were not written. */
  | { readonly kind: "ended-short"; readonly lostLines: number };

/** The smallest block, in bytes; also that of an immediate log, where lines only wait when the reader is slow. */
const BLOCK_BYTES_MIN = 4096;
/** When to try again where the reader is slow, in milliseconds. */
export const SLOW_RETRY_MS = 20;
/** When to try again where the disk is full or the reader is gone, in milliseconds. */
export const FAILED_RETRY_MS = 1000;
/** How many writes may follow each other before the rest of the program gets its turn. */
const WRITES_PER_TURN = 16;

const NOTHING = Buffer.alloc(0);

export class LineWriter {
  readonly isOn = true;
  readonly #options: LineWriterOptions;
  readonly #clock: Clock;
  #outlet: Outlet;
  /** Lines that no write has begun with. BOUNDED by queueBytesMax. */
  readonly #lines: LineBlocks;
  /** The block being written; `#blockAt` bytes of it are out. */
  #block: Buffer = NOTHING;
  #blockAt = 0;
  /** Bytes of `#lines` and of the rest of `#block`. */
  #pendingBytes = 0;
  #isWriting = false;
  /** Whether the timer stands for another try, and not for the end of gathering. */
  #isRetrying = false;
  #timer: Timer | undefined;
  #reopenWanted = false;
  #isClosed = false;
  #lost = 0;
  #lostReported = 0;
  /** Trouble that has been told of. */
  #failure: string | undefined;
  #isLosing = false;
  readonly #idleWaiters: (() => void)[] = [];

  /** @throws The error of `open` when the target cannot be opened. */
  constructor(options: LineWriterOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#outlet = openOutlet(options.target, options);
    this.#lines = new LineBlocks(blockBytes(options, this.#outlet));
  }

  /** Takes a line, without its newline. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (!this.#hasRoom(bytes)) return;
    this.#lines.push(line, bytes);
    this.#handlePushed(bytes);
  }

  /** Takes a line, without its newline: the first `length` bytes of `line`, which stay the caller's. */
  writeBytes(line: Buffer, length: number): void {
    if (!this.#hasRoom(length + 1)) return;
    this.#lines.pushBytes(line, length);
    this.#handlePushed(length + 1);
  }

  /** Whether a line of so many bytes can be kept; where not, it is lost. */
  #hasRoom(bytes: number): boolean {
    if (!this.#isClosed && this.#pendingBytes + bytes <= this.#options.queueBytesMax) return true;
    this.#lose();
    return false;
  }

  #handlePushed(bytes: number): void {
    this.#pendingBytes += bytes;
    if (this.#isWriting || this.#isRetrying) return;
    if (this.#options.immediate || this.#lines.hasEnded) this.#pump();
    else this.#gather();
  }

  /** Lines dropped since the start. */
  lost(): number {
    return this.#lost;
  }

  /**
   * Opens the file anew, as after a rotation; no line is lost or torn. Where that fails, the old file stays in use.
   * Pipes and terminals stay what they are.
   */
  reopen(): void {
    if (this.#options.target.kind !== "file" || this.#isClosed) return;
    this.#reopenWanted = true;
    if (!this.#isWriting) this.#flush();
  }

  /** Writes what is kept, for at most `limitMs`; whatever is not out by then is lost. */
  async close(limitMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const idle = new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    const limit = this.#clock.setTimer(limitMs, () => this.#becomeIdle());
    if (!this.#isWriting) this.#pump();
    await idle;
    limit.cancel();
    this.#timer?.cancel();
    this.#lost += this.#linesLeft();
    const lostLines = this.#lost - this.#lostReported;
    this.#lostReported = this.#lost;
    if (lostLines > 0) this.#options.onChange({ kind: "ended-short", lostLines });
    // A write that is under way still needs the descriptor.
    if (!this.#isWriting) this.#outlet.close();
  }

  #gather(): void {
    this.#timer ??= this.#clock.setTimer(this.#outlet.gatherMs, () => this.#endGathering());
  }

  #endGathering(): void {
    if (this.#pendingBytes > 0) {
      this.#flush();
      return;
    }
    this.#stopTimer();
    this.#lines.release();
  }

  /** Writes all that is kept now. */
  #flush(): void {
    this.#lines.endBlock();
    this.#pump();
  }

  #lose(): void {
    this.#lost++;
    if (this.#isLosing || this.#isClosed) return;
    this.#isLosing = true;
    this.#options.onChange({ kind: "losing" });
  }

  /**
   * Writes until no block is left that has ended, the outlet takes no more, or others must have their turn. Lines that have
   * come during a write are gathered as all are: writing them at once would be a write for a few, and again for the next few.
   */
  #pump(): void {
    this.#stopTimer();
    if (this.#options.immediate || this.#isClosed) this.#lines.endBlock();
    if (this.#reopenWanted) this.#reopenNow();
    for (let count = 0; this.#nextBlock(); count++) {
      if (count === WRITES_PER_TURN) {
        this.#timer = this.#clock.setTimer(0, () => this.#pump());
        return;
      }
      if (!this.#writeBlock()) return;
    }
    this.#settle();
  }

  /** Whether there is something to write. */
  #nextBlock(): boolean {
    if (this.#blockAt < this.#block.length) return true;
    const block = this.#lines.shift();
    this.#block = block ?? NOTHING;
    this.#blockAt = 0;
    return block !== undefined;
  }

  /** Writes the block; returns whether the outlet has taken bytes already and would take more. */
  #writeBlock(): boolean {
    let isReady = false;
    let isLater = false;
    this.#isWriting = true;
    this.#outlet.write(this.#block.subarray(this.#blockAt), (error, bytesWritten) => {
      this.#isWriting = false;
      this.#blockAt += bytesWritten;
      this.#pendingBytes -= bytesWritten;
      if (error !== undefined) this.#retryAfter(error);
      else if (isLater) this.#pump();
      else isReady = true;
    });
    isLater = true;
    return isReady;
  }

  #retryAfter(error: NodeJS.ErrnoException): void {
    const code = error.code ?? error.message;
    const isSlow = code === "EAGAIN";
    if (!isSlow && this.#failure !== code) {
      this.#failure = code;
      this.#options.onChange({ kind: "failing", code });
    }
    this.#isRetrying = true;
    const delayMs = isSlow || this.#isClosed ? SLOW_RETRY_MS : FAILED_RETRY_MS;
    this.#timer = this.#clock.setTimer(delayMs, () => this.#flush());
  }

  #settle(): void {
    if (this.#failure !== undefined || this.#isLosing) {
      this.#failure = undefined;
      this.#isLosing = false;
      this.#options.onChange({ kind: "recovered", lostLines: this.#lost - this.#lostReported });
      this.#lostReported = this.#lost;
    }
    this.#becomeIdle();
    // Once more, whether lines have come or not: where none have, the memory is let go.
    if (!this.#options.immediate && !this.#isClosed) this.#gather();
  }

  #reopenNow(): void {
    this.#reopenWanted = false;
    try {
      const outlet = openOutlet(this.#options.target, this.#options);
      this.#outlet.close();
      this.#outlet = outlet;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      this.#options.onChange({ kind: "not-reopened", code });
      return;
    }
    if (this.#blockAt === this.#block.length) return;
    // The old file has the beginning of a line: the new one gets the line from its start.
    const start = lineStart(this.#block, this.#blockAt);
    this.#pendingBytes += this.#blockAt - start;
    this.#blockAt = start;
  }

  /** Lines that are not wholly out. */
  #linesLeft(): number {
    return this.#lines.count() + linesIn(this.#block.subarray(this.#blockAt));
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isRetrying = false;
  }

  #becomeIdle(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/** Large enough for what the outlet takes at once, small enough for a small queue not to be full before it is written. */
function blockBytes({ immediate, queueBytesMax }: LineWriterOptions, { writeBytes }: Outlet): number {
  return immediate ? BLOCK_BYTES_MIN : Math.max(BLOCK_BYTES_MIN, Math.min(writeBytes, Math.floor(queueBytesMax / 2)));
}
