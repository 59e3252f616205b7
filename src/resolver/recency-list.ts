/**
 * Entries in the order of their last use.
 *
 * A `Map` keeps an order, too, but to move an entry to its end it must be deleted and set again, and after a few of these
 * the map makes its table anew: with a warm cache that cost more than all the rest of a look-up.
 */

/** What can be in a {@link RecencyList}, in one at a time. Only the list touches the links. */
export class Recent<Entry> {
  older: Entry | undefined;
  newer: Entry | undefined;
}

export class RecencyList<Entry extends Recent<Entry>> {
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  /** The one that has not been used for longest. */
  get oldest(): Entry | undefined {
    return this.#oldest;
  }

  /** Takes an entry that is not in the list, as the last used. */
  add(entry: Entry): void {
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  /** Notes the use of an entry of the list. */
  touch(entry: Entry): void {
    if (entry === this.#newest) return;
    this.remove(entry);
    this.add(entry);
  }

  /** Takes an entry of the list out. */
  remove(entry: Entry): void {
    const { older, newer } = entry;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}
