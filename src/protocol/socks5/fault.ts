import { type FailureRep, Rep } from "./constants.ts";

/** How a client can break the protocol. The value is the word that the log shows. */
export type SocksFault =
  | "bad-version"
  | "no-acceptable-method"
  | "bad-userpass-version"
  | "bad-reserved"
  | "bad-command"
  | "bad-address-type"
  | "empty-name";

/** The REP that answers a fault in the request; the faults before a request is due have no REP. */
export function repOfFault(fault: SocksFault): FailureRep {
  switch (fault) {
    //= rfc1928#6/rep-command-not-supported
    case "bad-command":
      return Rep.CommandNotSupported;
    //= rfc1928#6/rep-address-type-not-supported
    case "bad-address-type":
      return Rep.AddressTypeNotSupported;
    case "empty-name":
      return Rep.HostUnreachable;
    case "bad-version":
    case "bad-reserved":
    case "bad-userpass-version":
    case "no-acceptable-method":
      return Rep.GeneralFailure;
    default:
      return fault satisfies never;
  }
}
