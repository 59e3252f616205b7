/**
 * The clients that are being served now, in no order.
 *
 * Not a `Set`: its table is made anew again and again as clients come and go, and each outworn table keeps the next one
 * alive. One that a collection of the young generation has once spared so keeps all clients that have come since, dead or
 * not, until the next full collection: a third of everything that a busy proxy allocates.
 */

/** What can be kept in {@link ServedClients}. */
export interface Placed {
  /** Its place among those served; {@link NO_PLACE} while it has none. Only {@link ServedClients} sets it. */
  place: number;
}

export const NO_PLACE = -1;

export class ServedClients<Client extends Placed> {
  /** BOUNDED by whoever adds to it. */
  readonly #clients: Client[] = [];

  get size(): number {
    return this.#clients.length;
  }

  /** Takes a client that is not there yet. */
  add(client: Client): void {
    client.place = this.#clients.push(client) - 1;
  }

  /** Takes a client out, if it is there; another one may get its place. */
  remove(client: Client): void {
    const { place } = client;
    if (this.#clients[place] !== client) return;
    client.place = NO_PLACE;
    const last = this.#clients.pop() as Client;
    if (last === client) return;
    this.#clients[place] = last;
    last.place = place;
  }

  /** Gives the place of one that is there to `later`. */
  replace(client: Client, later: Client): void {
    const { place } = client;
    if (this.#clients[place] !== client) throw new Error("a client without a place cannot be replaced");
    client.place = NO_PLACE;
    this.#clients[place] = later;
    later.place = place;
  }

  /** Those that are there now; any of them may be taken out meanwhile, and others may be added. */
  *[Symbol.iterator](): Generator<Client> {
    for (const client of this.#clients.slice()) if (client.place !== NO_PLACE) yield client;
  }
}
