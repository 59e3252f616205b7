/** How many clients there are, in all and by address, and who may still come. */

import type { LimitName } from "../ports/proxy-events.ts";

/** 0 is no limit. */
export interface ClientLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly handshakesPerAddress: number;
}

/** What one address has. Its clients keep a reference, so that leaving costs no look-up. */
export interface AddressEntry {
  readonly address: string;
  connections: number;
  handshakes: number;
}

export class ClientTable {
  /** BOUNDED by the connections: an address without any is forgotten. */
  readonly #entries = new Map<string, AddressEntry>();
  #connections = 0;

  /** Clients connected now. */
  get connections(): number {
    return this.#connections;
  }

  /** Enters a client that starts its handshake, or names the limit that keeps it out. */
  enter(address: string, limits: ClientLimits): AddressEntry | LimitName {
    if (isReached(this.#connections, limits.connections)) return "connections";
    let entry = this.#entries.get(address);
    if (entry === undefined) {
      entry = { address, connections: 0, handshakes: 0 };
      this.#entries.set(address, entry);
    }
    if (isReached(entry.connections, limits.connectionsPerAddress)) return "connections_per_address";
    if (isReached(entry.handshakes, limits.handshakesPerAddress)) return "handshakes_per_address";
    this.#connections++;
    entry.connections++;
    entry.handshakes++;
    return entry;
  }

  /** The client has said what it wants. */
  handshakeEnded(entry: AddressEntry): void {
    entry.handshakes--;
  }

  /** The client is gone; its handshake has ended before. */
  leave(entry: AddressEntry): void {
    this.#connections--;
    entry.connections--;
    if (entry.connections === 0) this.#entries.delete(entry.address);
  }
}

function isReached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}
