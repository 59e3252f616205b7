/** From the configuration to how connections leave, and to the order in which the addresses of a name are tried. */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { OutgoingConfig, OutgoingWayConfig, UserConfig } from "../config/config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Routes } from "../ports/routes.ts";
import { sortDestinations } from "../protocol/dial/destination-order.ts";
import { ANY_WAY, type Outgoing, type OutgoingWay } from "../proxy/outgoing.ts";

/** How long what the routing table has said is believed, in milliseconds. */
const ROUTE_MS = 5000;
/** Destinations whose route is remembered; at one more, all are forgotten. */
const ROUTES_MAX = 4096;

export function outgoingOf(config: OutgoingConfig, users: readonly UserConfig[]): Outgoing {
  const way = overlay(ANY_WAY, config.way);
  const waysOfUsers = users.flatMap(({ name, outgoing }) =>
    outgoing === undefined ? [] : [[name, overlay(way, outgoing)] as const],
  );
  return {
    way,
    waysOfUsers: new Map(waysOfUsers),
    timing: {
      resolutionDelayMs: config.resolutionDelayMs,
      attemptDelayMs: config.attemptDelayMs,
      attemptsMax: config.attempts,
    },
  };
}

/** What `config` says, and `base` where it says nothing. */
function overlay(base: OutgoingWay, config: OutgoingWayConfig): OutgoingWay {
  const bytes = (text: string | undefined) => (text === undefined ? undefined : parseIp(text));
  return {
    policy: config.family ?? base.policy,
    sourceIpv4: bytes(config.sourceIpv4) ?? base.sourceIpv4,
    sourceIpv6: bytes(config.sourceIpv6) ?? base.sourceIpv6,
    interfaceName: config.interfaceName ?? base.interfaceName,
    mark: config.mark ?? base.mark,
  };
}

/** Sorts destinations by RFC 6724, with the sources that the routing table gives; those are remembered for a moment. */
export function destinationSorter(routes: Routes, clock: Clock): (addresses: readonly string[]) => string[] {
  /** BOUNDED by ROUTES_MAX. */
  const known = new Map<string, { readonly source: string | undefined; readonly untilMs: number }>();
  const sourceOf = (address: string): string | undefined => {
    const nowMs = clock.nowMs();
    const remembered = known.get(address);
    if (remembered !== undefined && nowMs < remembered.untilMs) return remembered.source;
    const ip = parseIp(address);
    const found = ip === undefined ? undefined : routes.sourceFor(ip);
    const source = found === undefined || found === "unreachable" ? undefined : formatIp(found);
    if (known.size >= ROUTES_MAX) known.clear();
    known.set(address, { source, untilMs: nowMs + ROUTE_MS });
    return source;
  };
  return (addresses) => sortDestinations(addresses, sourceOf);
}
