/** From the configuration to how connections leave, and to the order in which the addresses of a name are tried. */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { OutgoingConfig, OutgoingWayConfig, UserConfig } from "../config/config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Routes } from "../ports/routes.ts";
import { sortDestinations } from "../protocol/dial/destination-order.ts";
import { ANY_WAY, type Outgoing, type OutgoingWay } from "../proxy/outgoing.ts";

/** How long an order holds that the routing table has led to, in milliseconds. */
const ORDER_MS = 5000;
/** Orders that are remembered; at one more, all are forgotten. */
const ORDERS_MAX = 4096;

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

/**
 * Sorts destinations by RFC 6724, with the sources that the routing table gives. An order is remembered for a moment: a
 * busy proxy asks for the same few again and again, and each address costs three system calls.
 */
export function destinationSorter(routes: Routes, clock: Clock): (addresses: readonly string[]) => readonly string[] {
  /** BOUNDED by ORDERS_MAX. */
  const orders = new Map<string, { readonly sorted: readonly string[]; readonly untilMs: number }>();
  return (addresses) => {
    if (addresses.length < 2) return addresses;
    const key = addresses.join(" ");
    const nowMs = clock.nowMs();
    const remembered = orders.get(key);
    if (remembered !== undefined && nowMs < remembered.untilMs) return remembered.sorted;
    const sorted = sortDestinations(addresses, (address) => sourceFor(routes, address));
    if (orders.size >= ORDERS_MAX) orders.clear();
    orders.set(key, { sorted, untilMs: nowMs + ORDER_MS });
    return sorted;
  };
}

function sourceFor(routes: Routes, address: string): string | undefined {
  const ip = parseIp(address);
  const source = ip === undefined ? undefined : routes.sourceFor(ip);
  return source === undefined || source === "unreachable" ? undefined : formatIp(source);
}
