/**
 * The hosts that a UDP association exchanges datagrams with, by their addresses: whether they may be spoken with, whether
 * the client has, and the header that names them to the client. Every datagram comes by here, so that an address is
 * formatted, parsed and judged once.
 */

import { formatIp, parseIp } from "../bytes/ip.ts";
import { writeU16 } from "../bytes/write.ts";
import { encodeDatagramHeader } from "../protocol/socks5/datagram.ts";

export class UdpPeer {
  readonly ip: Uint8Array;
  /** Canonical text. */
  readonly address: string;
  readonly isAllowed: boolean;
  /** The client has sent something here. */
  isContacted = false;
  readonly #header: Uint8Array;
  #port = 0;

  constructor(ip: Uint8Array, address: string, isAllowed: boolean) {
    this.ip = ip;
    this.address = address;
    this.isAllowed = isAllowed;
    this.#header = encodeDatagramHeader(ip, 0);
  }

  /** The header of an answer from this host and `port`. It is the same buffer every time. */
  headerFrom(port: number): Uint8Array {
    if (port !== this.#port) {
      writeU16(this.#header, this.#header.length - 2, port);
      this.#port = port;
    }
    return this.#header;
  }
}

export class UdpPeers {
  /** By canonical text. BOUNDED by `#max`: the one that was entered first is forgotten. */
  readonly #byAddress = new Map<string, UdpPeer>();
  readonly #max: number;
  readonly #allows: (ip: Uint8Array) => boolean;
  /** Most datagrams come from where the last one came from. */
  #lastText = "";
  #last: UdpPeer | undefined;

  constructor(max: number, allows: (ip: Uint8Array) => boolean) {
    this.#max = max;
    this.#allows = allows;
  }

  /** @param text - An address as the system writes it. */
  find(text: string): UdpPeer | undefined {
    if (text === this.#lastText) return this.#last;
    const peer = this.#byAddress.get(text) ?? this.#byAddress.get(canonical(text));
    if (peer !== undefined) this.#remember(text, peer);
    return peer;
  }

  /** @returns `undefined` for a text that is no address. */
  findOrEnter(text: string): UdpPeer | undefined {
    const known = this.find(text);
    if (known !== undefined) return known;
    const ip = parseIp(text);
    if (ip === undefined) return undefined;
    const peer = this.enter(ip);
    this.#remember(text, peer);
    return peer;
  }

  /**
   * The peer of an address that the client sends to. Entering it again makes it the newest, so that it is never forgotten
   * before a target that leads to it.
   *
   * @param ip - 4 or 16 bytes, never mapped.
   */
  enter(ip: Uint8Array): UdpPeer {
    const address = formatIp(ip);
    const known = this.#byAddress.get(address);
    if (known !== undefined) this.#byAddress.delete(address);
    else if (this.#byAddress.size >= this.#max) this.#forgetOldest();
    const peer = known ?? new UdpPeer(ip, address, this.#allows(ip));
    this.#byAddress.set(address, peer);
    return peer;
  }

  /** The access rules have changed: everything is judged anew. */
  forgetAll(): void {
    this.#byAddress.clear();
    this.#forgetLast();
  }

  #forgetOldest(): void {
    for (const [address, peer] of this.#byAddress) {
      this.#byAddress.delete(address);
      if (peer === this.#last) this.#forgetLast();
      return;
    }
  }

  #remember(text: string, peer: UdpPeer): void {
    this.#lastText = text;
    this.#last = peer;
  }

  #forgetLast(): void {
    this.#lastText = "";
    this.#last = undefined;
  }
}

function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === undefined ? text : formatIp(ip);
}
