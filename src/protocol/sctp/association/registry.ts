/** The associations of an endpoint, found by who talks to whom, and bounded in number. */

import type { AssociationId, Path, SctpLimits } from "../api.ts";
import type { Association } from "./association.ts";

/**
 * An association is its two SCTP ports and the peer's address. The UDP port is not a part of it: it may change under way
 * (RFC 6951 §5.4).
 */
function keyOf(address: string, localPort: number, remotePort: number): string {
  return `${localPort} ${remotePort} ${address}`;
}

/** The tables of an endpoint. */
export class Registry {
  readonly #limits: SctpLimits;
  /** BOUNDED by associationsMax, as are the other two. */
  readonly #byKey = new Map<string, Association>();
  readonly #byId = new Map<AssociationId, Association>();
  readonly #countByAddress = new Map<string, number>();

  constructor(limits: SctpLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Addresses with an association. */
  get addressCount(): number {
    return this.#countByAddress.size;
  }

  all(): IterableIterator<Association> {
    return this.#byId.values();
  }

  byId(id: AssociationId): Association | undefined {
    return this.#byId.get(id);
  }

  /** The association to which a packet belongs, by everything but its tag. */
  find({ address }: Path, localPort: number, remotePort: number): Association | undefined {
    return this.#byKey.get(keyOf(address, localPort, remotePort));
  }

  /** Whether there is room for one more with this address. */
  hasRoomFor(address: string): boolean {
    const { associationsMax, associationsPerAddressMax } = this.#limits;
    return this.size < associationsMax && (this.#countByAddress.get(address) ?? 0) < associationsPerAddressMax;
  }

  add(association: Association): void {
    const { id, path, localPort, remotePort } = association;
    this.#byId.set(id, association);
    this.#byKey.set(keyOf(path.address, localPort, remotePort), association);
    this.#countByAddress.set(path.address, (this.#countByAddress.get(path.address) ?? 0) + 1);
  }

  remove(association: Association): void {
    const { id, path, localPort, remotePort } = association;
    if (!this.#byId.delete(id)) return;
    this.#byKey.delete(keyOf(path.address, localPort, remotePort));
    const count = (this.#countByAddress.get(path.address) ?? 0) - 1;
    if (count > 0) this.#countByAddress.set(path.address, count);
    else this.#countByAddress.delete(path.address);
  }
}
