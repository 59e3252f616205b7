/**
 * Lines that wait to be written, as bytes: each is encoded once, as it comes, behind the one before it in a block of fixed
 * size. A line is in one block alone; one that is longer than a block has a block of its own.
 */

const NEWLINE = 10;

interface Block {
  readonly bytes: Buffer;
  /** How many of the bytes are lines. */
  filled: number;
}

/** Whoever fills it sets the limit. It holds somewhat more: a block ends where the next line has no room. */
export class LineBlocks {
  readonly #blockBytes: number;
  /** Blocks that take no more lines. */
  readonly #ended: Block[] = [];
  /** The block that takes lines. */
  #open: Block | undefined;
  /** The block that {@link shift} has handed out. */
  #lent: Block | undefined;
  /** For the next block: touching new memory for the first time costs more than all that is done with it later. */
  #spare: Buffer | undefined;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Whether a block is full, so that waiting for more lines is no use. */
  get hasEnded(): boolean {
    return this.#ended.length > 0;
  }

  /** Appends a line and its newline, which have `bytes` bytes together. */
  push(line: string, bytes: number): void {
    const block = this.#blockFor(bytes);
    const end = block.filled + block.bytes.write(line, block.filled);
    block.bytes[end] = NEWLINE;
    block.filled = end + 1;
  }

  /** Appends a line, which is the first `length` bytes of `line`, and its newline. */
  pushBytes(line: Buffer, length: number): void {
    const block = this.#blockFor(length + 1);
    line.copy(block.bytes, block.filled, 0, length);
    block.bytes[block.filled + length] = NEWLINE;
    block.filled += length + 1;
  }

  /** The block for the next line, which has `bytes` bytes with its newline. */
  #blockFor(bytes: number): Block {
    if (this.#open !== undefined && this.#open.filled + bytes > this.#open.bytes.length) this.endBlock();
    this.#open ??= { bytes: this.#emptyBlock(bytes), filled: 0 };
    return this.#open;
  }

  /** What is there is to go; further lines begin a new block. */
  endBlock(): void {
    if (this.#open !== undefined) this.#ended.push(this.#open);
    this.#open = undefined;
  }

  /** Takes the first block that has ended: a view that is valid until the next call. */
  shift(): Buffer | undefined {
    if (this.#lent?.bytes.length === this.#blockBytes) this.#spare = this.#lent.bytes;
    this.#lent = this.#ended.shift();
    return this.#lent?.bytes.subarray(0, this.#lent.filled);
  }

  /** Holds no more memory than the lines need: for when no more of them are about to come. */
  release(): void {
    this.#spare = undefined;
  }

  /** How many lines wait in blocks that have not been taken. */
  count(): number {
    const blocks = this.#open === undefined ? this.#ended : [...this.#ended, this.#open];
    return blocks.reduce((sum, { bytes, filled }) => sum + linesIn(bytes.subarray(0, filled)), 0);
  }

  #emptyBlock(bytesMin: number): Buffer {
    // Not filled with zeros: all that is ever looked at has been written before.
    if (bytesMin > this.#blockBytes) return Buffer.allocUnsafeSlow(bytesMin);
    const block = this.#spare ?? Buffer.allocUnsafeSlow(this.#blockBytes);
    this.#spare = undefined;
    return block;
  }
}

/** Lines whose end is in `bytes`. */
export function linesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** Where the line begins to which the byte at `at` belongs. */
export function lineStart(bytes: Buffer, at: number): number {
  return at === 0 ? 0 : bytes.lastIndexOf(NEWLINE, at - 1) + 1;
}
