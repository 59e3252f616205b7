/**
 * ATYP, ADDR and PORT, as requests, replies and datagrams carry them (RFC 1928 §4 to §7).
 *
 * ```txt
 * +------+----------+------+      ATYP 1: 4 bytes
 * | ATYP |   ADDR   | PORT |      ATYP 3: a length byte and that many bytes of name, no NUL at the end
 * +------+----------+------+      ATYP 4: 16 bytes
 * |  1   | Variable |  2   |
 * +------+----------+------+
 * ```
 */

import { type Decoded, done, INCOMPLETE, invalid } from "../../bytes/decoded.ts";
import { formatIp, parseIp, unwrapMapped } from "../../bytes/ip.ts";
import { readU8, readU16 } from "../../bytes/read.ts";
import { writeBytes, writeU8, writeU16 } from "../../bytes/write.ts";
import { Atyp } from "./constants.ts";
import type { SocksFault } from "./fault.ts";

export interface Address {
  /** How it was written on the wire. */
  readonly atyp: Atyp;
  /**
   * The canonical text of an IP address, a mapped IPv4 address unwrapped; or the name, one character a byte. A name that
   * is an IP literal ("127.0.0.1", "[::1]") has become that address: `isIp` tells.
   */
  readonly host: string;
  /** Whether `host` is an IP address, however it was written. */
  readonly isIp: boolean;
  /** 0 to 65535. */
  readonly port: number;
}

const PORT_BYTES = 2;

/** Decodes the address that starts with its ATYP at `at`; `bytesRead` counts from `at`. */
export function decodeAddress(bytes: Uint8Array, at: number): Decoded<Address, SocksFault> {
  if (bytes.length < at + 1) return INCOMPLETE;
  const atyp = readU8(bytes, at);
  switch (atyp) {
    //= rfc1928#5/ipv4
    case Atyp.Ipv4:
      return decodeIp(bytes, at, Atyp.Ipv4, 4);
    //= rfc1928#5/ipv6
    case Atyp.Ipv6:
      return decodeIp(bytes, at, Atyp.Ipv6, 16);
    //= rfc1928#5/domain-name
    case Atyp.DomainName:
      return decodeDomainName(bytes, at);
    default:
      return invalid("bad-address-type");
  }
}

function decodeIp(bytes: Uint8Array, at: number, atyp: Atyp, size: number): Decoded<Address, SocksFault> {
  const end = at + 1 + size + PORT_BYTES;
  if (bytes.length < end) return INCOMPLETE;
  const host = size === 4 ? formatIp(bytes, at + 1, 4) : formatIp(unwrapMapped(bytes.subarray(at + 1, at + 1 + size)));
  return done({ atyp, host, isIp: true, port: readU16(bytes, end - PORT_BYTES) }, end - at);
}

function decodeDomainName(bytes: Uint8Array, at: number): Decoded<Address, SocksFault> {
  if (bytes.length < at + 2) return INCOMPLETE;
  const size = readU8(bytes, at + 1);
  if (size === 0) return invalid("empty-name");
  const end = at + 2 + size + PORT_BYTES;
  if (bytes.length < end) return INCOMPLETE;
  const name = latin1(bytes, at + 2, size);
  const ip = parseIp(name);
  const host = ip === undefined ? name : formatIp(ip);
  return done(
    { atyp: Atyp.DomainName, host, isIp: ip !== undefined, port: readU16(bytes, end - PORT_BYTES) },
    end - at,
  );
}

/** One character a byte. */
function latin1(bytes: Uint8Array, at: number, size: number): string {
  // The method asks of its object no more than that it holds bytes; a view made for it would cost as much as the text.
  return Buffer.prototype.toString.call(bytes, "latin1", at, at + size);
}

/** How many bytes {@link encodeIpAddress} writes for an address of `ip.length` bytes. */
export function sizeOfIpAddress(ip: Uint8Array): number {
  return 1 + ip.length + PORT_BYTES;
}

/**
 * Writes ATYP, ADDR and PORT for an IP address of 4 or 16 bytes at `at`; returns the offset after them. A mapped IPv4
 * address must have been unwrapped: clients look for ATYP 1.
 */
export function encodeIpAddress(ip: Uint8Array, port: number, out: Uint8Array, at: number): number {
  const afterAtyp = writeU8(out, at, ip.length === 4 ? Atyp.Ipv4 : Atyp.Ipv6);
  return writeU16(out, writeBytes(out, afterAtyp, ip), port);
}

/** Bytes of an address whose host is a name (the client side of the protocol). The name has 1 to 255 Latin-1 characters. */
export function encodeDomainAddress(name: string, port: number): Uint8Array {
  if (name.length < 1 || name.length > 255) throw new RangeError(`a name of ${name.length} bytes has no encoding`);
  const out = new Uint8Array(2 + name.length + PORT_BYTES);
  out[0] = Atyp.DomainName;
  out[1] = name.length;
  for (let i = 0; i < name.length; i++) out[2 + i] = name.charCodeAt(i);
  writeU16(out, 2 + name.length, port);
  return out;
}
