/** A {@link Clients} whose limits hold over all workers: what it counts, the others see, and the other way round. */

import type { LimitName } from "../ports/proxy-events.ts";
import { type AddressEntry, type ClientLimits, type Clients, isReached } from "./client-table.ts";
import type { SharedCounts, Slot } from "./shared-counts.ts";

const CONNECTIONS = 0;
const HANDSHAKES = 1;

/** The number of clients of all workers, and of this one. */
export interface SharedConnections {
  /** Over all workers. */
  readonly total: number;
  /** This worker's own. */
  own: number;
}

interface SharedEntry extends AddressEntry {
  readonly slot: Slot;
}

export class SharedClientTable implements Clients {
  readonly #counts: SharedCounts;
  readonly #connections: SharedConnections;
  readonly #keyOf: (address: string) => bigint;
  /** This worker's addresses. BOUNDED by its connections. */
  readonly #entries = new Map<string, SharedEntry>();

  /** @param keyOf - A hash with a key that all workers share and no client knows. Never 0. */
  constructor(counts: SharedCounts, connections: SharedConnections, keyOf: (address: string) => bigint) {
    this.#counts = counts;
    this.#connections = connections;
    this.#keyOf = keyOf;
  }

  enter(address: string, limits: ClientLimits): AddressEntry | LimitName {
    if (isReached(this.#connections.total, limits.connections)) return "connections";
    let entry = this.#entries.get(address);
    const isNew = entry === undefined;
    entry ??= { address, connections: 0, handshakes: 0, slot: this.#counts.acquire(this.#keyOf(address), CONNECTIONS) };
    if (!isNew) this.#counts.add(entry.slot, CONNECTIONS, 1);
    // Counted first and judged then: two workers that let the last two in at once would both have seen room.
    const limit = this.#limitReached(entry, limits);
    if (limit !== undefined) {
      this.#counts.add(entry.slot, CONNECTIONS, -1);
      if (isNew) this.#counts.release(entry.slot);
      return limit;
    }
    this.#counts.add(entry.slot, HANDSHAKES, 1);
    this.#entries.set(address, entry);
    this.#connections.own++;
    entry.connections++;
    entry.handshakes++;
    return entry;
  }

  handshakeEnded(entry: AddressEntry): void {
    entry.handshakes--;
    this.#counts.add((entry as SharedEntry).slot, HANDSHAKES, -1);
  }

  leave(entry: AddressEntry): void {
    const { slot } = entry as SharedEntry;
    this.#connections.own--;
    entry.connections--;
    this.#counts.add(slot, CONNECTIONS, -1);
    if (entry.connections > 0) return;
    this.#entries.delete(entry.address);
    this.#counts.release(slot);
  }

  #limitReached(entry: SharedEntry, limits: ClientLimits): LimitName | undefined {
    // Where the shared table had no room, this worker's own numbers must do. The new client is in the shared one already.
    const connections = Math.max(entry.connections, this.#counts.total(entry.slot, CONNECTIONS) - 1);
    const handshakes = Math.max(entry.handshakes, this.#counts.total(entry.slot, HANDSHAKES));
    if (isReached(connections, limits.connectionsPerAddress)) return "connections_per_address";
    if (isReached(handshakes, limits.handshakesPerAddress)) return "handshakes_per_address";
    return undefined;
  }
}
