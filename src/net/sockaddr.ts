/**
 * `struct sockaddr_in` and `struct sockaddr_in6` as Linux lays them out.
 *
 * ```txt
 * family(2, host order)  port(2)  address(4)  zeros(8)                       16 bytes
 * family(2, host order)  port(2)  flowinfo(4)  address(16)  scope_id(4)      28 bytes
 * ```
 */

import { sharedIpv4, unwrapMapped } from "../bytes/ip.ts";
import { readU16 } from "../bytes/read.ts";
import { writeU16 } from "../bytes/write.ts";
import type { Endpoint } from "../ports/socket.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";

export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

/** Writes the address of 4 or 16 bytes into `out`, which has 28; returns how many bytes of it count. */
export function writeSockaddr(ip: Uint8Array, port: number, out: Uint8Array): number {
  // Neither by `fill` nor by `set`, which are calls into the runtime: every connection comes here.
  for (let i = 0; i < SOCKADDR_IN6_BYTES; i++) out[i] = 0;
  // Every machine that Bun runs on is little-endian: the family's low byte comes first.
  out[0] = ip.length === 4 ? AF_INET : AF_INET6;
  writeU16(out, 2, port);
  const at = ip.length === 4 ? 4 : 8;
  for (let i = 0; i < ip.length; i++) out[at + i] = ip[i] as number;
  return ip.length === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}

/** The endpoint in a sockaddr, a mapped address unwrapped. A copy, which is not to be written to. */
export function readSockaddr(sockaddr: Uint8Array): Endpoint {
  const port = readU16(sockaddr, 2);
  // Every connection comes here twice: no array is made for an address that came before.
  if (sockaddr[0] === AF_INET) return { ip: sharedIpv4(sockaddr, 4), port };
  return { ip: unwrapMapped(sockaddr.slice(8, 24)), port };
}
