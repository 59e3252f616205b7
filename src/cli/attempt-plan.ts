/** What the race of RFC 8305 would do with addresses if nothing answered: the order of attempts, and their times. */

import { HappyEyeballs } from "../protocol/dial/happy-eyeballs.ts";
import type { AttemptTiming, OutgoingWay } from "../proxy/outgoing.ts";

export interface PlannedAttempt {
  /** Milliseconds after the addresses are known. */
  readonly atMs: number;
  readonly address: string;
}

/**
 * Plays the race through.
 *
 * @param failsAtOnce - Whether an attempt at an address would end before it begins: no route to it, or forbidden.
 */
export function planAttempts(
  addresses: readonly string[],
  way: OutgoingWay,
  timing: AttemptTiming,
  sort: (addresses: readonly string[]) => readonly string[],
  failsAtOnce: (address: string) => boolean,
): PlannedAttempt[] {
  const plan: PlannedAttempt[] = [];
  const race = new HappyEyeballs({ ...timing, policy: way.policy, sort, deadlineMs: Number.POSITIVE_INFINITY }, 0);
  race.handleAddresses([4, 6], addresses, 0);
  for (let nowMs = 0; nowMs !== Number.POSITIVE_INFINITY; nowMs = race.pollTimeout()) {
    race.handleTimeout(nowMs);
    for (let event = race.pollEvent(); event !== undefined; event = race.pollEvent()) {
      if (event.kind !== "connect") continue;
      plan.push({ atMs: nowMs, address: event.address });
      if (failsAtOnce(event.address)) race.handleFailed(event.attempt, nowMs, false);
    }
  }
  return plan;
}
