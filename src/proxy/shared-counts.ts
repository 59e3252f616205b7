/**
 * Counts by key that several processes keep together in shared memory, so that a limit holds over all of them.
 *
 * ```txt
 * Int32 cells:  [lock] [pad]  then for each slot:  [key, 64 bits]  [count 0, worker 0] [count 1, worker 0] [count 0, worker 1] …
 * ```
 *
 * Every worker writes only its own column, so a worker that dies takes nothing with it but its column, which the
 * supervisor clears. A key lies somewhere in the window of slots that starts at its hash. Claiming and freeing slots
 * happens under a spin lock; counting needs none.
 */

/** Slots that are looked at for a key: beyond that the table is full for it. */
const WINDOW = 64;
/** Counts of each key: connections, handshakes. */
export const COUNTS_PER_KEY = 2;
const LOCK_CELLS = 2;
const KEY_CELLS = 2;
/** A lock that is held this long has lost its holder: nobody keeps it for more than some microseconds. */
const LOCK_SPINS_MAX = 1_000_000;

/** A key's place in the table; {@link NO_SLOT} where it found none. */
export type Slot = number & { readonly brand: "slot" };
/** The window was full: the key is counted by its own process alone. */
export const NO_SLOT: Slot = -1 as Slot;

/** How many bytes a table of `slots` slots for `workers` workers takes. */
export function sizeOfSharedCounts(slots: number, workers: number): number {
  return 4 * (LOCK_CELLS + slots * cellsPerSlot(workers));
}

function cellsPerSlot(workers: number): number {
  // Even, so that every key is aligned to 8 bytes.
  return KEY_CELLS + COUNTS_PER_KEY * workers;
}

export class SharedCounts {
  readonly #cells: Int32Array;
  readonly #keys: BigInt64Array;
  readonly #slots: number;
  readonly #workers: number;
  readonly #stride: number;
  readonly #worker: number;

  /**
   * @param bytes - Of {@link sizeOfSharedCounts}, aligned to 8, zeros at first; the same memory in every process.
   * @param worker - The column that is this process's own.
   */
  constructor(bytes: Uint8Array, slots: number, workers: number, worker: number) {
    this.#cells = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#keys = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
    this.#slots = slots;
    this.#workers = workers;
    this.#stride = cellsPerSlot(workers);
    this.#worker = worker;
  }

  /**
   * The slot of `key`, claimed if need be, with `count` of this worker raised by one: a slot is the key's as long as any
   * worker has a count in it.
   *
   * @param key - Anything but 0: a keyed hash, so that nobody can choose where he lands.
   */
  acquire(key: bigint, count: number): Slot {
    // The table's cells are signed; a hash need not be.
    const signed = BigInt.asIntN(64, key);
    return this.#locked(() => {
      const found = this.#find(signed);
      if (found !== NO_SLOT) Atomics.add(this.#cells, this.#cell(found, count, this.#worker), 1);
      return found;
    });
  }

  /** Raises or lowers a count of this worker. */
  add(slot: Slot, count: number, by: number): void {
    if (slot !== NO_SLOT) Atomics.add(this.#cells, this.#cell(slot, count, this.#worker), by);
  }

  /** Frees the slot if no worker counts anything in it. */
  release(slot: Slot): void {
    if (slot === NO_SLOT) return;
    this.#locked(() => {
      for (let count = 0; count < COUNTS_PER_KEY; count++) if (this.total(slot, count) !== 0) return;
      Atomics.store(this.#keys, this.#keyAt(slot), 0n);
    });
  }

  /** A count over all workers. */
  total(slot: Slot, count: number): number {
    if (slot === NO_SLOT) return 0;
    let sum = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      sum += Atomics.load(this.#cells, this.#cell(slot, count, worker));
    }
    return sum;
  }

  /** Forgets what a worker counted: it is dead. Frees the lock if it held it. The supervisor's part. */
  clearWorker(worker: number): void {
    Atomics.compareExchange(this.#cells, 0, worker + 1, 0);
    for (let index = 0; index < this.#slots; index++) {
      const slot = index as Slot;
      if (Atomics.load(this.#keys, this.#keyAt(slot)) === 0n) continue;
      for (let count = 0; count < COUNTS_PER_KEY; count++)
        Atomics.store(this.#cells, this.#cell(slot, count, worker), 0);
      this.release(slot);
    }
  }

  #find(key: bigint): Slot {
    const start = Number(BigInt.asUintN(32, key) % BigInt(this.#slots));
    let free = NO_SLOT;
    for (let i = 0; i < Math.min(WINDOW, this.#slots); i++) {
      const slot = ((start + i) % this.#slots) as Slot;
      const there = Atomics.load(this.#keys, this.#keyAt(slot));
      if (there === key) return slot;
      if (there === 0n && free === NO_SLOT) free = slot;
    }
    if (free !== NO_SLOT) Atomics.store(this.#keys, this.#keyAt(free), key);
    return free;
  }

  #locked<Result>(action: () => Result): Result {
    const mine = this.#worker + 1;
    for (let spins = 0; Atomics.compareExchange(this.#cells, 0, 0, mine) !== 0; spins++) {
      if (spins >= LOCK_SPINS_MAX) {
        Atomics.store(this.#cells, 0, mine);
        break;
      }
    }
    try {
      return action();
    } finally {
      Atomics.compareExchange(this.#cells, 0, mine, 0);
    }
  }

  /** Index into the 64-bit view. */
  #keyAt(slot: Slot): number {
    return (LOCK_CELLS + slot * this.#stride) / 2;
  }

  #cell(slot: Slot, count: number, worker: number): number {
    return LOCK_CELLS + slot * this.#stride + KEY_CELLS + worker * COUNTS_PER_KEY + count;
  }
}
