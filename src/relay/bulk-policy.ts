/**
 * When a tunnel has proven to move much, so that taking its sockets out of the runtime pays. Handing over and coming home
 * costs some tens of microseconds, which splicing wins back within a few hundred kibibytes; a tunnel that is slow has
 * small reads, and nothing to win.
 */

/** The proof: so many bytes, in both directions together … */
export const BULK_BYTES = 1_048_576;
/** … within so many milliseconds: 10 MiB a second. */
export const BULK_WINDOW_MS = 100;
/** How long a tunnel that came home stays there at least, in milliseconds. */
export const BULK_PAUSE_MS = 1000;

/** The first piece has so many bytes: moving smaller ones by splice costs more than copying them. */
export const BULK_PIECE_BYTES_MIN = 4096;

export class BulkPolicy {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #windowBytes = 0;

  /** Notes that `bytes` have moved; returns whether the proof is there. */
  moved(bytes: number, nowMs: number): boolean {
    // Home not long ago: the window opens later.
    if (nowMs < this.#windowStartMs) return false;
    if (nowMs - this.#windowStartMs > BULK_WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    return this.#windowBytes >= BULK_BYTES;
  }

  /** The tunnel came home: the next proof may begin after a pause. */
  cameHome(nowMs: number): void {
    this.#windowStartMs = nowMs + BULK_PAUSE_MS;
    this.#windowBytes = 0;
  }
}
