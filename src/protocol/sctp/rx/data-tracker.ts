/**
 * Which TSNs have been received: all up to the cumulative TSN, and the ranges beyond the gaps (RFC 9260 §6.2, §6.7). Knows
 * nothing of what the chunks carry.
 */

import type { GapAckBlock } from "../chunks/sack.ts";
import { type Tsn, tsnAdd, tsnBefore, tsnDistance } from "../serial.ts";

/** A gap ack block counts in 16 bits: what lies further ahead could not be acknowledged. */
const REACH = 0xffff;
/** Duplicates that a SACK reports at most. The rest is forgotten: the report is a hint, RFC 9260 §6.2. */
const DUPLICATES_MAX = 16;

/** How a TSN stands to those received before. */
export type TsnStanding =
  /** The next one after the cumulative TSN. */
  | "next"
  /** Further ahead: it leaves a gap, or lies within one. */
  | "ahead"
  | "duplicate"
  /** So far ahead that it cannot be reported, and will not be kept. */
  | "out-of-reach";

/** The receiving side's book of TSNs. */
export class DataTracker {
  #cumulative: Tsn;
  /** BOUNDED by what the receive window holds: the caller asks for room before he adds. In order, apart, not touching. */
  readonly #ranges: { first: Tsn; last: Tsn }[] = [];
  /** BOUNDED by DUPLICATES_MAX. */
  #duplicates: Tsn[] = [];

  constructor(initialTsn: Tsn) {
    //= rfc9260#3.3.4/before-data
    this.#cumulative = tsnAdd(initialTsn, -1);
  }

  /** The last TSN up to which nothing is missing. */
  get cumulativeTsn(): Tsn {
    return this.#cumulative;
  }

  /** The last TSN received. */
  get highestTsn(): Tsn {
    return this.#ranges.at(-1)?.last ?? this.#cumulative;
  }

  /** Whether something is missing below the highest TSN. */
  get hasGaps(): boolean {
    return this.#ranges.length > 0;
  }

  /** Where `tsn` belongs. */
  standing(tsn: Tsn): TsnStanding {
    const distance = tsnDistance(this.#cumulative, tsn);
    if (distance <= 0) return "duplicate";
    if (distance > REACH) return "out-of-reach";
    const after = this.#ranges[this.#firstRangeFrom(tsn)];
    if (after !== undefined && !tsnBefore(tsn, after.first)) return "duplicate";
    return distance === 1 ? "next" : "ahead";
  }

  /**
   * The index of the first range that ends at `tsn` or later. By halving: a hostile peer can make hundreds of ranges, and ask
   * thousands of times in one packet.
   */
  #firstRangeFrom(tsn: Tsn): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && tsnBefore(range.last, tsn)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Notes a TSN that stands "next" or "ahead". */
  add(tsn: Tsn): void {
    const ranges = this.#ranges;
    const index = this.#firstRangeFrom(tsn);
    const before = ranges[index - 1];
    const after = ranges[index];
    const touchesBefore = before !== undefined && tsnAdd(before.last, 1) === tsn;
    const touchesAfter = after !== undefined && tsnAdd(tsn, 1) === after.first;
    if (touchesBefore && touchesAfter) {
      before.last = after.last;
      ranges.splice(index, 1);
    } else if (touchesBefore) before.last = tsn;
    else if (touchesAfter) after.first = tsn;
    else ranges.splice(index, 0, { first: tsn, last: tsn });
    const lowest = ranges[0];
    if (lowest !== undefined && lowest.first === tsnAdd(this.#cumulative, 1)) {
      this.#cumulative = lowest.last;
      ranges.shift();
    }
  }

  /** Notes that `tsn` came once more. */
  addDuplicate(tsn: Tsn): void {
    if (this.#duplicates.length < DUPLICATES_MAX) this.#duplicates.push(tsn);
  }

  /** Forgets the highest TSN, whose chunk was dropped to make room (RFC 9260 §6.2). Only where there are gaps. */
  removeHighest(): void {
    const range = this.#ranges.at(-1);
    if (range === undefined) throw new Error("there is no TSN beyond a gap");
    if (range.first === range.last) this.#ranges.pop();
    else range.last = tsnAdd(range.last, -1);
  }

  /** The first `countMax` ranges beyond the gaps, for a SACK. */
  gapAckBlocks(countMax: number): GapAckBlock[] {
    //= rfc9260#6.7/gaps
    //= rfc9260#6.7/lowest-first
    //= rfc9260#3.3.4/blocks-isolated
    return this.#ranges.slice(0, countMax).map(({ first, last }) => ({
      start: tsnDistance(this.#cumulative, first),
      end: tsnDistance(this.#cumulative, last),
    }));
  }

  /** The duplicates since the last call, for a SACK. */
  takeDuplicates(): Tsn[] {
    //= rfc9260#6.2/report-duplicates
    const duplicates = this.#duplicates;
    this.#duplicates = [];
    return duplicates;
  }
}
