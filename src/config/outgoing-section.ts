/** The section `[outgoing]`, and what a user may have of it for himself: how connections leave the machine. */

import { z } from "zod";
import type { OutgoingConfig, OutgoingWayConfig } from "./config.ts";
import { ADDRESS, duration, integer, list, oneOf, table } from "./values.ts";

const INTERFACE_WANTED = "the name of a network interface, 1 to 15 characters";
/** The least and the greatest delay between attempts that RFC 8305 section 8 allows. */
const ATTEMPT_DELAY_MS = { min: 10, max: 2000 } as const;
const ATTEMPT_DELAY_WANTED = `a duration from "${ATTEMPT_DELAY_MS.min}ms" to "${ATTEMPT_DELAY_MS.max / 1000}s"`;

const FAMILY = oneOf("auto", "prefer-ipv4", "prefer-ipv6", "ipv4-only", "ipv6-only").describe(
  'Which addresses of a name are tried, and which first. "auto": both families, in the order of RFC 6724. With "…-only", the other family is neither asked for nor connected to.',
);
const SOURCE = list(ADDRESS, 0, 2, "an array of IP addresses")
  .refine((addresses) => new Set(addresses.map((address) => address.includes(":"))).size === addresses.length, {
    error: "at most one IPv4 and one IPv6 address",
  })
  .describe("Source addresses, at most one of each family. Without one, the system chooses.");
const INTERFACE = z
  .string({ error: INTERFACE_WANTED })
  .regex(/^[^/\s]{1,15}$/, { error: INTERFACE_WANTED })
  .optional()
  .meta({
    description: "The network interface that connections leave by (SO_BINDTODEVICE). Linux only.",
    examples: ["eth1"],
  });
const MARK = integer(0, 0xffff_ffff)
  .optional()
  .meta({
    description: "The firewall mark of outgoing packets (SO_MARK); needs CAP_NET_ADMIN. Linux only.",
    examples: [7],
  });

interface RawWay {
  readonly family?: OutgoingWayConfig["family"] | undefined;
  readonly source?: readonly string[] | undefined;
  readonly interface?: string | undefined;
  readonly mark?: number | undefined;
}

function wayOf(raw: RawWay): OutgoingWayConfig {
  return {
    family: raw.family,
    sourceIpv4: raw.source?.find((address) => !address.includes(":")),
    sourceIpv6: raw.source?.find((address) => address.includes(":")),
    interfaceName: raw.interface,
    mark: raw.mark,
  };
}

/** `users[].outgoing`: what is absent is as in `[outgoing]`. */
export const USER_OUTGOING: z.ZodType<OutgoingWayConfig> = table({
  family: FAMILY.optional(),
  source: SOURCE.optional(),
  interface: INTERFACE,
  mark: MARK,
}).transform(wayOf);

export const OUTGOING: z.ZodType<OutgoingConfig> = table({
  family: FAMILY.prefault("auto"),
  source: SOURCE.prefault([]),
  interface: INTERFACE,
  mark: MARK,
  resolution_delay: duration("do not wait")
    .prefault("50ms")
    .describe("How long the first attempt waits for the other family's addresses (RFC 8305)."),
  //= rfc8305#5/attempt-delay-bounds
  attempt_delay: duration()
    .refine((ms) => ms >= ATTEMPT_DELAY_MS.min && ms <= ATTEMPT_DELAY_MS.max, { error: ATTEMPT_DELAY_WANTED })
    .prefault("250ms")
    .describe("How long an attempt to connect is left alone before the next address is tried beside it (RFC 8305)."),
  attempts: integer(1, 64)
    .prefault(16)
    .describe("Attempts for one request, over all addresses of a name. Further addresses are not tried."),
}).transform((section) => ({
  way: wayOf(section),
  resolutionDelayMs: section.resolution_delay,
  attemptDelayMs: section.attempt_delay,
  attempts: section.attempts,
}));
