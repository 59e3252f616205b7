/**
 * The request: the one thing that a client asks of the proxy (RFC 1928 §4).
 *
 * ```txt
 * +----+-----+-------+------+----------+----------+
 * |VER | CMD |  RSV  | ATYP | DST.ADDR | DST.PORT |
 * +----+-----+-------+------+----------+----------+
 * | 1  |  1  | X'00' |  1   | Variable |    2     |
 * +----+-----+-------+------+----------+----------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { readU8 } from "../../bytes/read.ts";
import { type Address, decodeAddress } from "./address.ts";
import { Cmd, VERSION } from "./constants.ts";
import type { SocksFault } from "./fault.ts";

export interface Request {
  readonly cmd: Cmd;
  /** DST.ADDR and DST.PORT. For UDP ASSOCIATE: where the client will send from; may be zeros. */
  readonly dst: Address;
}

export interface RequestOptions {
  /** Take a request whose RSV is not X'00'. */
  readonly ignoreReserved: boolean;
}

/** VER, CMD and RSV: everything before the address. */
const HEADER_BYTES = 3;

/** Decodes a request. Each byte is judged as soon as it is there, so that no client waits for an answer it could have. */
//= rfc1928#4/request
export function decodeRequest(bytes: Uint8Array, { ignoreReserved }: RequestOptions): Decoded<Request, SocksFault> {
  if (bytes.length < 1) return INCOMPLETE;
  if (readU8(bytes, 0) !== VERSION) return invalid("bad-version");
  if (bytes.length < 2) return INCOMPLETE;
  //= rfc1928#4/commands
  const cmd = readU8(bytes, 1);
  if (cmd !== Cmd.Connect && cmd !== Cmd.Bind && cmd !== Cmd.UdpAssociate) return invalid("bad-command");
  if (bytes.length < HEADER_BYTES) return INCOMPLETE;
  //= rfc1928#4/reserved
  // A client that fills RSV speaks something else than RFC 1928; a switch is there for those that must be lived with.
  if (readU8(bytes, 2) !== 0 && !ignoreReserved) return invalid("bad-reserved");
  const dst = decodeAddress(bytes, HEADER_BYTES);
  if (dst.kind !== "done") return dst;
  return done({ cmd, dst: dst.value }, HEADER_BYTES + dst.bytesRead);
}

/** The client's side: `address` as {@link encodeIpAddress} or {@link encodeDomainAddress} of address.ts write it. */
export function encodeRequest(cmd: Cmd, address: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + address.length);
  out[0] = VERSION;
  out[1] = cmd;
  out.set(address, HEADER_BYTES);
  return out;
}
