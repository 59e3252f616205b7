/**
 * The state cookie (RFC 9260 §5.1.3): all that we need to know of a handshake, kept by the peer instead of us, and signed
 * so that we know it again.
 *
 * ```txt
 *  0                   1                   2                   3
 * +---------------------------------------------------------------+
 * |                     Number of the key                         |
 * +---------------------------------------------------------------+
 * |        Age of the key in ms when the cookie was made          |
 * +---------------------------------------------------------------+
 * |          Our tag              |          Peer's tag           |   4 bytes each
 * |          Our initial TSN      |          Peer's initial TSN   |
 * |          Our tie-tag          |          Peer's tie-tag       |
 * +---------------------------------------------------------------+
 * |                        Peer's a_rwnd                          |
 * +---------------------------------------------------------------+
 * |            HMAC-SHA-256, its first 16 bytes (RFC 2104 §5)     |
 * +---------------------------------------------------------------+
 * ```
 *
 * The signature also covers the ports, the peer's address and its UDP port, which need not travel. 52 bytes: an INIT ACK
 * stays below three times the size of the smallest INIT, so that a forged source gains little.
 */

import { readU32 } from "../../../bytes/read.ts";
import { writeU16, writeU32 } from "../../../bytes/write.ts";
import type { EndpointOptions, Path } from "../api.ts";
import type { Tsn } from "../serial.ts";

/** What a cookie tells. */
export interface CookieFields {
  readonly localTag: number;
  readonly peerTag: number;
  readonly localInitialTsn: Tsn;
  readonly peerInitialTsn: Tsn;
  /** The tie-tags of the association that stood when the cookie was made; 0 when there was none. */
  readonly localTieTag: number;
  readonly peerTieTag: number;
  readonly peerRwnd: number;
}

/** To whom a cookie is given: it is good from there only. */
export interface CookieBinding {
  readonly path: Path;
  readonly localPort: number;
  readonly remotePort: number;
}

/** What a cookie turned out to be. */
export type OpenedCookie =
  | { readonly kind: "genuine"; readonly fields: CookieFields; readonly ageMs: number }
  /** Not made by us, not for this peer, or with a key long gone. */
  | { readonly kind: "forged" };

const FIELDS_BYTES = 36;
const SIGNATURE_BYTES = 16;
const COOKIE_BYTES: number = FIELDS_BYTES + SIGNATURE_BYTES;
const KEY_BYTES = 32;

interface Key {
  readonly number: number;
  readonly secret: Uint8Array;
  readonly bornMs: number;
}

/** Makes cookies and knows them again. Holds two keys and no cookie. */
export class CookieJar {
  readonly #random: EndpointOptions["random"];
  readonly #hmacSha256: EndpointOptions["hmacSha256"];
  readonly #keyLifeMs: number;
  #current: Key | undefined;
  #previous: Key | undefined;

  /** @param keyLifeMs - How long a key signs. It is accepted for as long again, so at least the life of a cookie. */
  constructor(options: Pick<EndpointOptions, "random" | "hmacSha256">, keyLifeMs: number) {
    this.#random = options.random;
    this.#hmacSha256 = options.hmacSha256;
    this.#keyLifeMs = keyLifeMs;
  }

  /** A cookie in fresh bytes. */
  seal(fields: CookieFields, binding: CookieBinding, nowMs: number): Uint8Array {
    const key = this.#signingKey(nowMs);
    const cookie = new Uint8Array(COOKIE_BYTES);
    let at = writeU32(cookie, 0, key.number);
    at = writeU32(cookie, at, Math.floor(nowMs - key.bornMs));
    at = writeU32(cookie, at, fields.localTag);
    at = writeU32(cookie, at, fields.peerTag);
    at = writeU32(cookie, at, fields.localInitialTsn);
    at = writeU32(cookie, at, fields.peerInitialTsn);
    at = writeU32(cookie, at, fields.localTieTag);
    at = writeU32(cookie, at, fields.peerTieTag);
    writeU32(cookie, at, fields.peerRwnd);
    //= rfc9260#5.1.3/signed
    cookie.set(this.#sign(key, cookie.subarray(0, FIELDS_BYTES), binding), FIELDS_BYTES);
    return cookie;
  }

  /** Reads a cookie that came back. */
  open(cookie: Uint8Array, binding: CookieBinding, nowMs: number): OpenedCookie {
    if (cookie.length !== COOKIE_BYTES) return { kind: "forged" };
    this.#signingKey(nowMs);
    const number = readU32(cookie, 0);
    const key = [this.#current, this.#previous].find((key) => key?.number === number);
    if (key === undefined) return { kind: "forged" };
    //= rfc9260#5.1.5/authenticate
    const signature = this.#sign(key, cookie.subarray(0, FIELDS_BYTES), binding);
    if (!equalInConstantTime(signature, cookie.subarray(FIELDS_BYTES))) return { kind: "forged" };
    return {
      kind: "genuine",
      ageMs: nowMs - (key.bornMs + readU32(cookie, 4)),
      fields: {
        localTag: readU32(cookie, 8),
        peerTag: readU32(cookie, 12),
        localInitialTsn: readU32(cookie, 16) as Tsn,
        peerInitialTsn: readU32(cookie, 20) as Tsn,
        localTieTag: readU32(cookie, 24),
        peerTieTag: readU32(cookie, 28),
        peerRwnd: readU32(cookie, 32),
      },
    };
  }

  /** The key that signs now; makes a new one when it is time. */
  #signingKey(nowMs: number): Key {
    let current = this.#current;
    if (current === undefined || nowMs - current.bornMs >= this.#keyLifeMs) {
      // A key that has not signed for one whole life has no cookie out there that is still good.
      const tooOld = current === undefined || nowMs - current.bornMs >= 2 * this.#keyLifeMs;
      this.#previous = tooOld ? undefined : current;
      //= rfc9260#5.1.3/key-changes
      current = { number: (current?.number ?? 0) + 1, secret: this.#random(KEY_BYTES), bornMs: nowMs };
      this.#current = current;
    }
    return current;
  }

  #sign(key: Key, fields: Uint8Array, { path, localPort, remotePort }: CookieBinding): Uint8Array {
    const address = new TextEncoder().encode(path.address);
    const signed = new Uint8Array(fields.length + 6 + address.length);
    signed.set(fields, 0);
    let at = writeU16(signed, fields.length, localPort);
    at = writeU16(signed, at, remotePort);
    at = writeU16(signed, at, path.udpPort);
    signed.set(address, at);
    return this.#hmacSha256(key.secret, signed).subarray(0, SIGNATURE_BYTES);
  }
}

/** Compares without telling by its time where the first difference is. */
function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let at = 0; at < left.length; at++) difference |= (left[at] as number) ^ (right[at] as number);
  return difference === 0;
}
