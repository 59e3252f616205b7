/**
 * Bytes that wait, first in, first out. Large pieces are kept as they are, without a copy; small ones are copied together
 * into blocks, since an object for each of a million single bytes would hold hundreds of times their size.
 */

/** A piece of this size or larger is kept as it is, in bytes. */
const LARGE_BYTES = 1024;
/** What small pieces are copied into, in bytes. */
const BLOCK_BYTES = 4096;
/** How many used-up entries the list of blocks may begin with before they are cut off. */
const USED_UP_MAX = 64;

/** Whoever fills it sets the limit: it holds five times `size` at most, plus a block. */
export class ByteQueue {
  /** Absent while empty: most queues always are. */
  #blocks: Uint8Array[] | undefined;
  /** Where the first block is that has not been used up. */
  #first = 0;
  /** How much of the last block is filled; -1 when it is somebody's piece. */
  #filled = -1;
  #size = 0;

  /** Bytes that wait. */
  get size(): number {
    return this.#size;
  }

  /** Some of the first bytes: a view that is valid until the next call. `undefined` when there are none. */
  get head(): Uint8Array | undefined {
    const blocks = this.#blocks;
    if (blocks === undefined) return undefined;
    const block = blocks[this.#first] as Uint8Array;
    const isBeingFilled = this.#filled >= 0 && this.#first === blocks.length - 1;
    return isBeingFilled ? block.subarray(0, this.#filled) : block;
  }

  /** Appends bytes, which nobody may change from now on. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    this.#blocks ??= [];
    if (bytes.length >= LARGE_BYTES) {
      this.#endBlock(this.#blocks);
      this.#blocks.push(bytes);
      return;
    }
    const last = this.#blocks.at(-1);
    if (this.#filled >= 0 && last !== undefined && this.#filled + bytes.length <= last.length) {
      last.set(bytes, this.#filled);
      this.#filled += bytes.length;
      return;
    }
    this.#endBlock(this.#blocks);
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(bytes);
    this.#blocks.push(block);
    this.#filled = bytes.length;
  }

  /** Takes the first `count` bytes away, no more than {@link head} has. */
  consume(count: number): void {
    const { head } = this;
    if (head === undefined || count > head.length) throw new RangeError(`${count} of ${head?.length ?? 0} bytes`);
    const blocks = this.#blocks as Uint8Array[];
    this.#size -= count;
    if (this.#size === 0) {
      this.clear();
    } else if (count < head.length) {
      blocks[this.#first] = (blocks[this.#first] as Uint8Array).subarray(count);
      if (this.#filled >= 0 && this.#first === blocks.length - 1) this.#filled -= count;
    } else {
      this.#first++;
      if (this.#first > USED_UP_MAX && this.#first * 2 > blocks.length) {
        blocks.splice(0, this.#first);
        this.#first = 0;
      } else {
        // Not kept alive by the list.
        blocks[this.#first - 1] = NOTHING;
      }
    }
  }

  clear(): void {
    this.#blocks = undefined;
    this.#first = 0;
    this.#filled = -1;
    this.#size = 0;
  }

  /** Nothing more is copied into the last block. */
  #endBlock(blocks: Uint8Array[]): void {
    if (this.#filled < 0) return;
    blocks[blocks.length - 1] = (blocks[blocks.length - 1] as Uint8Array).subarray(0, this.#filled);
    this.#filled = -1;
  }
}

const NOTHING = new Uint8Array(0);
