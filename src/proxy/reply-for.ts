/** From what went wrong to the REP that says it (RFC 1928 §6). The one place where the two meet. */

import { type FailureRep, Rep } from "../protocol/socks5/constants.ts";

/** How an attempt to reach one address failed: our own word, or the name of an error number. */
export type AttemptFailure = "denied" | "timeout" | (string & {});

export function replyForFailure(failure: AttemptFailure): FailureRep {
  switch (failure) {
    case "denied":
    // The kernel's own rules: a prohibited route, a firewall that rejects what leaves.
    case "EACCES":
    case "EPERM":
      //= rfc1928#6/rep-not-allowed
      return Rep.NotAllowed;
    case "ENETUNREACH":
    case "ENETDOWN":
    // No such address family on this machine: there is no way to that network.
    case "EAFNOSUPPORT":
      //= rfc1928#6/rep-network-unreachable
      return Rep.NetworkUnreachable;
    case "EHOSTUNREACH":
    case "EHOSTDOWN":
    // What Linux says of a blackhole route.
    case "EINVAL":
      //= rfc1928#6/rep-host-unreachable
      return Rep.HostUnreachable;
    case "ECONNREFUSED":
    // Accepted by the kernel, thrown out by the program: refused with one more step.
    case "ECONNRESET":
    case "ECONNABORTED":
      //= rfc1928#6/rep-connection-refused
      return Rep.ConnectionRefused;
    case "timeout":
    case "ETIMEDOUT":
      //= rfc1928#6/rep-ttl-expired
      return Rep.TtlExpired;
    // EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL: our own trouble. And whatever we do not know.
    default:
      //= rfc1928#6/rep-general-failure
      return Rep.GeneralFailure;
  }
}

/**
 * Of several addresses that all failed, the failure that tells the client most: somebody answered before somebody may be
 * there before a rule of ours; and "no route" last, for that is what a machine without IPv6 says of every second address.
 */
const BY_INFORMATION: readonly FailureRep[] = [
  Rep.ConnectionRefused,
  Rep.TtlExpired,
  Rep.HostUnreachable,
  Rep.NotAllowed,
  Rep.GeneralFailure,
  Rep.NetworkUnreachable,
];

/** The REP for a request all of whose attempts failed. At least one did. */
export function replyForFailures(attempts: readonly FailedAttempt[]): FailureRep {
  const reps = new Set(attempts.map(replyForAttempt));
  return BY_INFORMATION.find((rep) => reps.has(rep)) ?? Rep.GeneralFailure;
}

/** What counts of an `AttemptRecord`. */
export interface FailedAttempt {
  readonly address: string;
  readonly outcome: AttemptFailure;
}

function replyForAttempt({ address, outcome }: FailedAttempt): FailureRep {
  // No address of ours to leave from is what Linux says of every IPv6 target when IPv6 is switched off. With IPv4, where
  // there is always one, it means that our ports have run out.
  const isWithoutIpv6 = outcome === "EADDRNOTAVAIL" && address.includes(":");
  return isWithoutIpv6 ? Rep.NetworkUnreachable : replyForFailure(outcome);
}
