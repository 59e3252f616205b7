/**
 * Username/password sub-negotiation (RFC 1929 §2).
 *
 * ```txt
 * +----+------+----------+------+----------+        +----+--------+
 * |VER | ULEN |  UNAME   | PLEN |  PASSWD  |        |VER | STATUS |
 * +----+------+----------+------+----------+   →    +----+--------+
 * | 1  |  1   | 1 to 255 |  1   | 1 to 255 |        | 1  |   1    |
 * +----+------+----------+------+----------+        +----+--------+
 * ```
 *
 * A length of 0 is decoded like any other. RFC 1929 allows no such thing, but clients send it, and an empty name or
 * password then fails, at the usual cost, because no user can be configured with one.
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { USERPASS_VERSION, type UserPassStatus } from "./constants.ts";
import type { SocksFault } from "./fault.ts";

/** Name and password are bytes, not text: both are views of the decoded buffer. */
export interface Credentials {
  readonly uname: Uint8Array;
  readonly passwd: Uint8Array;
}

//= rfc1929#2/request
//= rfc1929#2/uname-passwd-lengths
export function decodeUserPass(bytes: Uint8Array): Decoded<Credentials, SocksFault> {
  if (bytes.length < 1) return INCOMPLETE;
  //= rfc1929#2/version
  if (readU8(bytes, 0) !== USERPASS_VERSION) return invalid("bad-userpass-version");
  if (bytes.length < 2) return INCOMPLETE;
  const unameEnd = 2 + readU8(bytes, 1);
  if (bytes.length < unameEnd + 1) return INCOMPLETE;
  const end = unameEnd + 1 + readU8(bytes, unameEnd);
  if (bytes.length < end) return INCOMPLETE;
  return done({ uname: bytes.subarray(2, unameEnd), passwd: bytes.subarray(unameEnd + 1, end) }, end);
}

//= rfc1929#2/status-success
//= rfc1929#2/status-failure
export function encodeUserPassReply(status: UserPassStatus): Uint8Array {
  return Uint8Array.of(USERPASS_VERSION, status);
}

/** The client's side: both fields have 1 to 255 bytes. */
export function encodeUserPass({ uname, passwd }: Credentials): Uint8Array {
  return Uint8Array.of(USERPASS_VERSION, uname.length, ...uname, passwd.length, ...passwd);
}
