/**
 * What the supervisor and its workers see of each other at once, without asking: the counters of every worker, the buffer
 * size that holds for all, and the clients by address. All of it lies in one piece of shared memory.
 *
 * ```txt
 * Float64 cells:  [buffer size] [hash seed]  then a row of FIELDS for each worker, and one for workers that are gone
 * then:           the table of `SharedCounts`
 * ```
 */

import { createSharedMemory, openSharedMemory, type SharedMemory } from "../net/shared-memory.ts";
import type { ProxyCounters } from "../proxy/context.ts";
import { SharedClientTable } from "../proxy/shared-client-table.ts";
import { SharedCounts, sizeOfSharedCounts } from "../proxy/shared-counts.ts";
import { SharedQuota } from "../proxy/shared-quota.ts";
import type { RelaySettings, RelayTotals } from "../relay/side.ts";

/** Addresses and users that are counted over all workers at once; further ones are limited by each worker for itself. */
const KEYS_MAX = 65_536;

/** What every worker counts. */
type Field = keyof ProxyCounters | keyof RelayTotals | "connections";

/** The place of each field in a worker's row. */
const FIELD_INDEX: Readonly<Record<Field, number>> = {
  bytes: 0,
  connections: 1,
  accepted: 2,
  limitReached: 3,
  faults: 4,
  handshakeTimeouts: 5,
  authenticationFailures: 6,
  requestsConnected: 7,
  requestsRefused: 8,
  idleTimeouts: 9,
};
const FIELDS = Object.keys(FIELD_INDEX) as Field[];

const BUFFER_SIZE_CELL = 0;
const SEED_CELL = 1;
const HEADER_CELLS = 2;
const CELL_BYTES = 8;

export class SharedState {
  readonly #memory: SharedMemory;
  readonly #cells: Float64Array;
  readonly #countsBytes: Uint8Array;
  readonly #workers: number;

  private constructor(memory: SharedMemory, workers: number) {
    this.#memory = memory;
    this.#workers = workers;
    const { buffer, byteOffset, length } = memory.bytes;
    const cells = cellCount(workers);
    this.#cells = new Float64Array(buffer, byteOffset, cells);
    this.#countsBytes = new Uint8Array(buffer, byteOffset + cells * CELL_BYTES, length - cells * CELL_BYTES);
  }

  /** The supervisor's: makes the memory. */
  static create(workers: number, bufferSize: number): SharedState {
    const size = cellCount(workers) * CELL_BYTES + sizeOfSharedCounts(KEYS_MAX, workers);
    const state = new SharedState(createSharedMemory("sockeye", size), workers);
    state.bufferSize = bufferSize;
    state.#cells[SEED_CELL] = crypto.getRandomValues(new Uint32Array(1))[0] as number;
    return state;
  }

  /** A worker's: takes the memory whose descriptor it has inherited. */
  static open(fd: number, workers: number): SharedState {
    return new SharedState(openSharedMemory(fd), workers);
  }

  /** The descriptor that workers inherit. */
  get fd(): number {
    return this.#memory.fd;
  }

  get bufferSize(): number {
    return this.#cells[BUFFER_SIZE_CELL] as number;
  }

  set bufferSize(size: number) {
    this.#cells[BUFFER_SIZE_CELL] = size;
  }

  /** A field over all workers, those that are gone included. */
  sum(field: Field): number {
    let sum = 0;
    for (let row = 0; row <= this.#workers; row++) sum += this.#cells[this.#cell(row, field)] as number;
    return sum;
  }

  /** What a worker that has died has counted stays counted; what it had open is gone. */
  retireWorker(worker: number): void {
    for (const field of FIELDS) {
      const cell = this.#cell(worker, field);
      const gone = this.#cell(this.#workers, field);
      if (field !== "connections") this.#cells[gone] = (this.#cells[gone] as number) + (this.#cells[cell] as number);
      this.#cells[cell] = 0;
    }
    this.#counts(worker).clearWorker(worker);
  }

  /** What a worker's proxy counts with in place of objects of its own. */
  share(worker: number): WorkerShare {
    const row = this.#row(worker);
    const counts = this.#counts(worker);
    const seed = this.#cells[SEED_CELL] as number;
    const key = (text: string): bigint => keyOf(text, seed);
    const state = this;
    return {
      counters: row,
      totals: row,
      settings: {
        get bufferSize() {
          return state.bufferSize;
        },
        set bufferSize(size) {
          state.bufferSize = size;
        },
      },
      clients: new SharedClientTable(
        counts,
        {
          get total() {
            return state.sum("connections");
          },
          get own() {
            return row.connections;
          },
          set own(value) {
            row.connections = value;
          },
        },
        key,
      ),
      udpQuota: new SharedQuota(counts, "udp", key),
      bindQuota: new SharedQuota(counts, "bind", key),
    };
  }

  /** An object whose fields are a worker's cells. */
  #row(worker: number): Record<Field, number> {
    const cells = this.#cells;
    const row = {} as Record<Field, number>;
    for (const field of FIELDS) {
      const cell = this.#cell(worker, field);
      Object.defineProperty(row, field, {
        get: () => cells[cell],
        set: (value: number) => {
          cells[cell] = value;
        },
      });
    }
    return row;
  }

  #counts(worker: number): SharedCounts {
    return new SharedCounts(this.#countsBytes, KEYS_MAX, this.#workers, worker);
  }

  #cell(row: number, field: Field): number {
    return HEADER_CELLS + row * FIELDS.length + FIELD_INDEX[field];
  }
}

/** The parts of a proxy's context that workers have in common. */
export interface WorkerShare {
  readonly counters: ProxyCounters;
  readonly totals: RelayTotals;
  readonly settings: RelaySettings;
  readonly clients: SharedClientTable;
  readonly udpQuota: SharedQuota;
  readonly bindQuota: SharedQuota;
}

function cellCount(workers: number): number {
  return HEADER_CELLS + (workers + 1) * FIELDS.length;
}

/** Seeded, so that nobody can choose addresses that fall on one slot. 0 means a free slot and is no key. */
function keyOf(text: string, seed: number): bigint {
  return (Bun.hash(text, seed) as bigint) || 1n;
}
