/**
 * Version identifier and method selection (RFC 1928 §3).
 *
 * ```txt
 * +----+----------+----------+        +----+--------+
 * |VER | NMETHODS | METHODS  |        |VER | METHOD |
 * +----+----------+----------+   →    +----+--------+
 * | 1  |    1     | 0 to 255 |        | 1  |   1    |
 * +----+----------+----------+        +----+--------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { Method, VERSION } from "./constants.ts";
import type { SocksFault } from "./fault.ts";

/** Decodes the greeting; the value is the offered methods, not to be written to, perhaps a view of `bytes`, perhaps empty. */
export function decodeGreeting(bytes: Uint8Array): Decoded<Uint8Array, SocksFault> {
  //= rfc1928#3/version
  if (bytes.length < 1) return INCOMPLETE;
  // Judged at the first byte: who speaks HTTP or TLS to us learns it now, not after a time limit.
  if (readU8(bytes, 0) !== VERSION) return invalid("bad-version");
  //= rfc1928#3/greeting
  if (bytes.length < 2) return INCOMPLETE;
  const end = 2 + readU8(bytes, 1);
  if (bytes.length < end) return INCOMPLETE;
  if (end === 3 && bytes[2] === Method.NoAuthenticationRequired) return ONLY_NO_AUTHENTICATION;
  return done(bytes.subarray(2, end), end);
}

/** What most clients say. */
const ONLY_NO_AUTHENTICATION: Decoded<Uint8Array, SocksFault> = done(Uint8Array.of(Method.NoAuthenticationRequired), 3);

/** The server's choice. Encoded once a method: the answer never varies. */
export function encodeMethodSelection(method: Method): Uint8Array {
  return Uint8Array.of(VERSION, method);
}

/** The client's offer of 1 to 255 methods. */
export function encodeGreeting(methods: readonly Method[]): Uint8Array {
  return Uint8Array.of(VERSION, methods.length, ...methods);
}
