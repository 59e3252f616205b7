/**
 * The authentication frame and its reply (docs/admin-protocol.md §3).
 *
 * ```txt
 * +-----+------+----------+------+----------+        +-----+--------+
 * | VER | ULEN |  UNAME   | PLEN |  PASSWD  |        | VER | STATUS |
 * +-----+------+----------+------+----------+        +-----+--------+
 * |  1  |  1   | 1 to 255 |  1   | 1 to 255 |        |  1  |   1    |
 * +-----+------+----------+------+----------+        +-----+--------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { writeBytes, writeU8 } from "../../bytes/write.ts";
import { AuthStatus, FIELD_BYTES_MAX, VERSION } from "./constants.ts";

/** What a client logs in with. Bytes, not text: the protocol names no character set. */
export interface Credentials {
  readonly username: Uint8Array;
  readonly password: Uint8Array;
}

/** VER, ULEN and PLEN. */
const FIXED_BYTES = 3;
/** The longest authentication frame. */
export const AUTH_BYTES_MAX: number = FIXED_BYTES + 2 * FIELD_BYTES_MAX;

/** What is wrong with an authentication frame: the STATUS it is answered with. */
export type AuthFault = typeof AuthStatus.InvalidProtocol | typeof AuthStatus.InvalidCredentials;

/**
 * Decodes an authentication frame. Each byte is judged as soon as it is here: who speaks another protocol, or sends an
 * empty field, is told at that byte and not after a timeout.
 *
 * @returns Credentials that are *views* of `bytes`.
 */
export function decodeAuth(bytes: Uint8Array): Decoded<Credentials, AuthFault> {
  if (bytes.length < 1) return INCOMPLETE;
  if (readU8(bytes, 0) !== VERSION) return invalid(AuthStatus.InvalidProtocol);

  if (bytes.length < 2) return INCOMPLETE;
  const usernameLength = readU8(bytes, 1);
  if (usernameLength === 0) return invalid(AuthStatus.InvalidCredentials);

  const passwordLengthAt = 2 + usernameLength;
  if (bytes.length <= passwordLengthAt) return INCOMPLETE;
  const passwordLength = readU8(bytes, passwordLengthAt);
  if (passwordLength === 0) return invalid(AuthStatus.InvalidCredentials);

  const passwordAt = passwordLengthAt + 1;
  const end = passwordAt + passwordLength;
  if (bytes.length < end) return INCOMPLETE;
  return done({ username: bytes.subarray(2, passwordLengthAt), password: bytes.subarray(passwordAt, end) }, end);
}

/** Encodes an authentication frame. A field that is empty or above 255 bytes is the caller's mistake, and throws. */
export function encodeAuth({ username, password }: Credentials): Uint8Array {
  for (const field of [username, password]) {
    // The lengths only: a message with the field in it could carry a password into a log.
    if (field.length < 1 || field.length > FIELD_BYTES_MAX) throw new RangeError(`field of ${field.length} bytes`);
  }
  const out = new Uint8Array(FIXED_BYTES + username.length + password.length);
  let at = writeU8(out, 0, VERSION);
  at = writeU8(out, at, username.length);
  at = writeBytes(out, at, username);
  at = writeU8(out, at, password.length);
  writeBytes(out, at, password);
  return out;
}

/** Encodes a reply. VER is ours, whatever the client sent. */
export function encodeAuthReply(status: AuthStatus): Uint8Array {
  return Uint8Array.of(VERSION, status);
}

/** What is wrong with an authentication reply. */
export type AuthReplyFault = "version" | "status";

/** Decodes a reply, on the client's side. */
export function decodeAuthReply(bytes: Uint8Array): Decoded<AuthStatus, AuthReplyFault> {
  if (bytes.length < 1) return INCOMPLETE;
  if (readU8(bytes, 0) !== VERSION) return invalid("version");
  if (bytes.length < 2) return INCOMPLETE;
  const status = readU8(bytes, 1);
  return isAuthStatus(status) ? done(status, 2) : invalid("status");
}

function isAuthStatus(value: number): value is AuthStatus {
  return value <= AuthStatus.InternalError;
}
