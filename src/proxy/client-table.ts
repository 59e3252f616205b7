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

/** Who is there, and who may still come. */
export interface Clients {
  /** Enters a client that starts its handshake, or names the limit that keeps it out. */
  enter(address: string, limits: ClientLimits): AddressEntry | LimitName;
  /** The client has said what it wants. */
  handshakeEnded(entry: AddressEntry): void;
  /** The client is gone; its handshake has ended before. */
  leave(entry: AddressEntry): void;
}

/** The clients of a proxy that is one process. */
export class ClientTable implements Clients {
  /** BOUNDED by the connections: an address without any is forgotten. */
  readonly #entries = new Map<string, AddressEntry>();
  #connections = 0;

  /** Clients connected now. */
  get connections(): number {
    return this.#connections;
  }

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

  handshakeEnded(entry: AddressEntry): void {
    entry.handshakes--;
  }

  leave(entry: AddressEntry): void {
    this.#connections--;
    entry.connections--;
    if (entry.connections === 0) this.#entries.delete(entry.address);
  }
}

/** 0 is no limit. */
export function isReached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}
