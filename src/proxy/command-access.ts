/** What BIND and UDP ASSOCIATE have in common before they begin. */

import { type FailureRep, Rep } from "../protocol/socks5/constants.ts";
import type { CommandAccess } from "./context.ts";

/** The reply that keeps a client from a command; `undefined` where it may use it. */
export function refusalByAccess(access: CommandAccess, user: string | undefined): FailureRep | undefined {
  switch (access) {
    case "all":
      return undefined;
    case "users":
      return user === undefined ? Rep.NotAllowed : undefined;
    case "none":
      return Rep.CommandNotSupported;
    default:
      return access satisfies never;
  }
}

/** What a reply names: the address by which we are reached from outside, where it stands for one of this family. */
export function advertised(advertisedIp: Uint8Array | undefined, localIp: Uint8Array): Uint8Array {
  return advertisedIp?.length === localIp.length ? advertisedIp : localIp;
}
