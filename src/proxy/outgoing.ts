/** How connections leave the machine: families, source addresses, interface and mark, for everybody and for each user. */

import type { DialOptions } from "../ports/dialer.ts";
import type { FamilyPolicy } from "../protocol/dial/family.ts";

/** What may differ from user to user. */
export interface OutgoingWay {
  readonly policy: FamilyPolicy;
  /** Source addresses, 4 and 16 bytes; where absent, the system chooses. */
  readonly sourceIpv4: Uint8Array | undefined;
  readonly sourceIpv6: Uint8Array | undefined;
  /** Network interface (SO_BINDTODEVICE). */
  readonly interfaceName: string | undefined;
  /** Firewall mark (SO_MARK). */
  readonly mark: number | undefined;
}

/** The times of RFC 8305 §8 and the limit on attempts; the same for all. */
export interface AttemptTiming {
  readonly resolutionDelayMs: number;
  readonly attemptDelayMs: number;
  readonly attemptsMax: number;
}

export interface Outgoing {
  /** For whoever has no way of his own. */
  readonly way: OutgoingWay;
  /** Ways of users, by name. BOUNDED by the configuration. */
  readonly waysOfUsers: ReadonlyMap<string, OutgoingWay>;
  readonly timing: AttemptTiming;
}

/** Everything as the system does it. */
export const ANY_WAY: OutgoingWay = {
  policy: "auto",
  sourceIpv4: undefined,
  sourceIpv6: undefined,
  interfaceName: undefined,
  mark: undefined,
};

/** The way of a user, or of somebody who had no need to say who he is. */
export function wayOf(outgoing: Outgoing, user: string | undefined): OutgoingWay {
  return (user === undefined ? undefined : outgoing.waysOfUsers.get(user)) ?? outgoing.way;
}

const NOTHING_SPECIAL: DialOptions = {};

/** What a socket towards `ip` (4 or 16 bytes) needs to go this way. */
export function dialOptionsFor(way: OutgoingWay, ip: Uint8Array): DialOptions {
  const localAddress = ip.length === 4 ? way.sourceIpv4 : way.sourceIpv6;
  // As nearly everywhere: every request asks, so nothing is made for it.
  if (localAddress === undefined && way.interfaceName === undefined && way.mark === undefined) return NOTHING_SPECIAL;
  return {
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(way.interfaceName === undefined ? {} : { interfaceName: way.interfaceName }),
    ...(way.mark === undefined ? {} : { mark: way.mark }),
  };
}
