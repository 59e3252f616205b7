/**
 * The destinations of a UDP association as its client writes them: the bytes of ATYP, DST.ADDR and DST.PORT lead to a
 * target without being decoded again. Names are looked up once for many datagrams; what arrives meanwhile waits, within
 * bounds, and holds nothing else up.
 */

import { parseIp } from "../bytes/ip.ts";
import { readU16, readU32 } from "../bytes/read.ts";
import type { DropReason } from "../ports/proxy-events.ts";
import type { Resolution } from "../ports/resolver.ts";
import { type Address, decodeAddress } from "../protocol/socks5/address.ts";
import { Atyp } from "../protocol/socks5/constants.ts";
import { ADDRESS_AT } from "../protocol/socks5/datagram.ts";
import type { UdpPeer } from "./udp-peers.ts";

/** For how long the address of a name is used before it is looked up again, and a failure is believed, in milliseconds. */
const NAME_KEPT_MS = 60_000;
const FAILURE_KEPT_MS = 5_000;
/** What a waiting datagram costs besides its bytes: empty ones cannot queue without bounds. */
const QUEUE_OVERHEAD_BYTES = 128;

export interface UdpTarget {
  /** The header that leads here, a copy. */
  readonly header: Uint8Array;
  readonly dst: Address;
  /** Where its datagrams go; `undefined` where there is no way, for the reason in `reason`. */
  peer: UdpPeer | undefined;
  reason: DropReason;
  /** Copies that wait for the name. BOUNDED by the association's queue. */
  queue: Uint8Array[];
  isResolving: boolean;
  /** When a name is looked up again; never, for an address. */
  staleMs: number;
}

export interface UdpTargetsOptions {
  readonly nowMs: () => number;
  /** See `UdpSettings`. */
  readonly targetsMax: number;
  readonly queueBytesMax: number;
  readonly lookupsMax: number;
  readonly resolve: (name: string) => Resolution | Promise<Resolution>;
  /** Judges an address that was given or looked up. */
  readonly peerOf: (ip: Uint8Array) => UdpPeer;
  /** Those of the addresses of a name that may be used, the best first. */
  readonly choose: (addresses: readonly string[]) => readonly string[];
  /** Whether this machine has a way to the address. */
  readonly isReachable: (ip: Uint8Array) => boolean;
  /** Sends what has waited for a name. */
  readonly send: (peer: UdpPeer, port: number, payload: Uint8Array) => void;
  readonly onDropped: (reason: DropReason, datagrams: number) => void;
}

export class UdpTargets {
  readonly #options: UdpTargetsOptions;
  /** By a number for IPv4, by the bytes as text for the rest. BOUNDED by `targetsMax`: what came first is forgotten. */
  readonly #targets = new Map<number | string, UdpTarget>();
  #queuedBytes = 0;
  /** Names that are being looked up. BOUNDED by `lookupsMax`. */
  #lookups = 0;
  /** Most datagrams go where the last one went. */
  #last: UdpTarget | undefined;
  /** How many targets there have been. */
  count = 0;

  constructor(options: UdpTargetsOptions) {
    this.#options = options;
  }

  /** The target of a datagram whose header is whole and has `headerSize` bytes. */
  find(datagram: Uint8Array, headerSize: number): UdpTarget {
    const last = this.#last;
    if (last !== undefined && isHeader(last.header, datagram, headerSize)) return last;
    const key = keyOf(datagram, headerSize);
    const target = this.#targets.get(key) ?? this.#enter(key, datagram, headerSize);
    this.#last = target;
    return target;
  }

  /** Where a datagram for `target` goes now. Without an answer, it has been queued or dropped. */
  peerFor(target: UdpTarget, payload: Uint8Array, nowMs: number): UdpPeer | undefined {
    if (target.staleMs <= nowMs && !target.isResolving) this.#lookUp(target);
    const { peer } = target;
    if (peer !== undefined) return peer;
    if (target.isResolving) this.#queue(target, payload);
    else this.#options.onDropped(target.reason, 1);
    return undefined;
  }

  /** Nothing that is still on its way from the resolver is wanted any more; what waits is dropped. */
  forgetAll(): void {
    for (const target of this.#targets.values()) this.#dropQueue(target, "unresolved");
    this.#targets.clear();
    this.#last = undefined;
  }

  #enter(key: number | string, datagram: Uint8Array, headerSize: number): UdpTarget {
    const decoded = decodeAddress(datagram, ADDRESS_AT);
    if (decoded.kind !== "done") throw new Error("a datagram's header was measured wrongly");
    const dst = decoded.value;
    const target: UdpTarget = {
      header: datagram.slice(0, headerSize),
      dst,
      peer: undefined,
      reason: "unsent",
      queue: [],
      isResolving: false,
      staleMs: Number.POSITIVE_INFINITY,
    };
    if (this.#targets.size >= this.#options.targetsMax) this.#forgetOldest();
    this.#targets.set(key, target);
    this.count++;
    // Nobody receives on port 0; the kernel would say so for every single datagram.
    if (dst.port === 0) return target;
    if (dst.isIp) this.#judge(target, [dst.host]);
    else target.staleMs = 0;
    return target;
  }

  #forgetOldest(): void {
    for (const [key, target] of this.#targets) {
      this.#dropQueue(target, "unresolved");
      this.#targets.delete(key);
      return;
    }
  }

  #lookUp(target: UdpTarget): void {
    if (this.#lookups >= this.#options.lookupsMax) {
      target.reason = "queue-full";
      return;
    }
    this.#lookups++;
    target.isResolving = true;
    const resolution = this.#options.resolve(target.dst.host);
    if (resolution instanceof Promise) {
      resolution.then(
        (known) => this.#resolved(target, known),
        // A resolver never rejects; one that does has a bug, and the queue must not wait for it.
        (fault: unknown) => this.#resolved(target, { kind: "failed", detail: String(fault) }),
      );
    } else this.#resolved(target, resolution);
  }

  #resolved(target: UdpTarget, resolution: Resolution): void {
    this.#lookups--;
    target.isResolving = false;
    if (resolution.kind === "addresses") {
      target.staleMs = this.#options.nowMs() + NAME_KEPT_MS;
      this.#judge(target, resolution.addresses);
    } else {
      // An address that was good stays in use while nobody can name a better one.
      target.staleMs = this.#options.nowMs() + FAILURE_KEPT_MS;
      target.reason = "unresolved";
    }
    const { peer, queue } = target;
    if (peer === undefined) {
      this.#dropQueue(target, target.reason);
      return;
    }
    target.queue = [];
    for (const payload of queue) {
      this.#queuedBytes -= payload.length + QUEUE_OVERHEAD_BYTES;
      this.#options.send(peer, target.dst.port, payload);
    }
  }

  /** Takes the first address that is allowed and that there is a way to. */
  #judge(target: UdpTarget, addresses: readonly string[]): void {
    target.peer = undefined;
    target.reason = "unresolved";
    const chosen = this.#options.choose(addresses);
    for (const address of chosen) {
      const ip = parseIp(address);
      if (ip === undefined) continue;
      const peer = this.#options.peerOf(ip);
      if (!peer.isAllowed) target.reason = "denied";
      // The only address of a target need not be asked for: the kernel will say the same.
      else if (chosen.length === 1 || this.#options.isReachable(ip)) {
        target.peer = peer;
        return;
      }
    }
  }

  #queue(target: UdpTarget, payload: Uint8Array): void {
    const size = payload.length + QUEUE_OVERHEAD_BYTES;
    if (this.#queuedBytes + size > this.#options.queueBytesMax) {
      this.#options.onDropped("queue-full", 1);
      return;
    }
    this.#queuedBytes += size;
    target.queue.push(payload.slice());
  }

  #dropQueue(target: UdpTarget, reason: DropReason): void {
    if (target.queue.length === 0) return;
    for (const payload of target.queue) this.#queuedBytes -= payload.length + QUEUE_OVERHEAD_BYTES;
    this.#options.onDropped(reason, target.queue.length);
    target.queue = [];
  }
}

/** Whether `datagram` starts with `header`, whose first bytes are the same for all. */
function isHeader(header: Uint8Array, datagram: Uint8Array, headerSize: number): boolean {
  if (header.length !== headerSize) return false;
  for (let i = ADDRESS_AT; i < headerSize; i++) if (header[i] !== datagram[i]) return false;
  return true;
}

function keyOf(datagram: Uint8Array, headerSize: number): number | string {
  if (datagram[ADDRESS_AT] === Atyp.Ipv4) {
    return readU32(datagram, ADDRESS_AT + 1) * 0x1_0000 + readU16(datagram, ADDRESS_AT + 5);
  }
  return String.fromCharCode(...datagram.subarray(ADDRESS_AT, headerSize));
}
