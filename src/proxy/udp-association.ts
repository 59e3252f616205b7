/**
 * One client's UDP association (RFC 1928 §7): a socket that only this client may use, and one socket for each family to
 * the outside, so that every target sees the client at one address and port, and whoever learns it can answer.
 *
 * It relays and counts; opening, the reply and the end are the business of `udp-associate.ts`.
 */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { DatagramListener, DatagramSocket } from "../ports/datagram-socket.ts";
import type { DropReason, UdpRecord } from "../ports/proxy-events.ts";
import { allowsFamily, familyOf, preferredFamily } from "../protocol/dial/family.ts";
import { measureDatagramHeader } from "../protocol/socks5/datagram.ts";
import type { ProxyContext, UdpSettings } from "./context.ts";
import { dialOptionsFor, type OutgoingWay, wayOf } from "./outgoing.ts";
import { type UdpPeer, UdpPeers } from "./udp-peers.ts";
import { UdpTargets } from "./udp-targets.ts";

const ANY_IPV4 = new Uint8Array(4);
const ANY_IPV6 = new Uint8Array(16);

export interface UdpClient {
  /** Canonical text. */
  readonly address: string;
  readonly isLocal: boolean;
  readonly user: string | undefined;
  /** From where the client has declared to send; 0 where it has not: then its first datagram says it. */
  readonly port: number;
}

export class UdpAssociation {
  readonly #context: ProxyContext;
  readonly #settings: UdpSettings;
  readonly #client: UdpClient;
  readonly #way: OutgoingWay;
  readonly #peers: UdpPeers;
  readonly #targets: UdpTargets;
  #rules: ProxyContext["rules"];
  #clientSocket: DatagramSocket | undefined;
  /** To the outside, opened by the first datagram of their family. */
  #ipv4: DatagramSocket | undefined;
  #ipv6: DatagramSocket | undefined;
  /** 0 until it is known; from then on nobody else may send. */
  #clientPort: number;
  /** The client's address as the system last wrote it. */
  #clientText: string;
  #isClosed = false;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  #datagramsUp = 0;
  #datagramsDown = 0;
  #bytesUp = 0;
  #bytesDown = 0;
  /** When a datagram of the client or for it last came, on the context's clock. */
  lastActiveMs: number;

  constructor(context: ProxyContext, client: UdpClient) {
    this.#context = context;
    this.#settings = context.udp.settings;
    this.#client = client;
    this.#way = wayOf(context.outgoing, client.user);
    this.#clientPort = client.port;
    this.#clientText = client.address;
    this.#rules = context.rules;
    this.lastActiveMs = context.clock.turnMs();
    this.#peers = new UdpPeers(this.#settings.targets, (ip) => this.#rules.allows(ip, client.isLocal));
    this.#targets = new UdpTargets({
      nowMs: () => context.clock.turnMs(),
      targetsMax: this.#settings.targets,
      queueBytesMax: this.#settings.queueBytes,
      lookupsMax: this.#settings.lookups,
      resolve: (name) => context.resolver.resolve(name),
      peerOf: (ip) => {
        this.#followRules();
        return this.#peers.enter(ip);
      },
      choose: (addresses) => this.#choose(addresses),
      isReachable: (ip) => context.udp.routes.sourceFor(ip) !== "unreachable",
      send: (peer, port, payload) => this.#sendTo(peer, port, payload),
      onDropped: (reason, datagrams) => this.#drop(reason, datagrams),
    });
  }

  /**
   * Opens the socket that the client sends to, on the address by which it has reached us.
   *
   * @returns Its port, or the name of the error number.
   */
  open(ip: Uint8Array): number | string {
    const { sockets, ports } = this.#context.udp;
    const { receiveBufferSize } = this.#settings;
    const listener: DatagramListener = {
      onDatagram: (payload, address, port) => this.#handleClientDatagram(payload, address, port),
      onSent: (datagrams, payloadBytes) => {
        this.#datagramsDown += datagrams;
        this.#bytesDown += payloadBytes;
        this.#context.totals.bytes += payloadBytes;
      },
      onLost: (datagrams) => this.#drop("unsent", datagrams),
    };
    const socket = ports.open(this.#settings.ports, (port) => sockets.open({ ip, port, receiveBufferSize }, listener));
    if (typeof socket === "string") return socket;
    this.#clientSocket = socket;
    return socket.port;
  }

  /** Harmless when it is closed already. */
  close(): void {
    if (this.#isClosed) return;
    this.#targets.forgetAll();
    this.#clientSocket?.close();
    this.#ipv4?.close();
    this.#ipv6?.close();
    this.#isClosed = true;
  }

  record(): UdpRecord {
    return {
      datagramsUp: this.#datagramsUp,
      datagramsDown: this.#datagramsDown,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      targets: this.#targets.count,
      dropped: this.#dropped,
    };
  }

  #handleClientDatagram(datagram: Uint8Array, address: string, port: number): void {
    //= rfc1928#7/drop-foreign-source
    if (!this.#isClient(address) || (this.#clientPort !== 0 && port !== this.#clientPort)) {
      this.#drop("stranger", 1);
      return;
    }
    const headerSize = measureDatagramHeader(datagram);
    if (typeof headerSize === "string") {
      this.#drop(headerSize, 1);
      return;
    }
    this.#clientPort = port;
    this.lastActiveMs = this.#context.clock.turnMs();
    this.#followRules();
    const target = this.#targets.find(datagram, headerSize);
    const payload = datagram.subarray(headerSize);
    const peer = this.#targets.peerFor(target, payload, this.lastActiveMs);
    if (peer !== undefined) this.#sendTo(peer, target.dst.port, payload);
  }

  //= rfc1928#7/expected-client
  #isClient(address: string): boolean {
    if (address === this.#clientText) return true;
    // The system may write an IPv6 address in another way than we do.
    const ip = parseIp(address);
    if (ip === undefined || formatIp(ip) !== this.#client.address) return false;
    this.#clientText = address;
    return true;
  }

  #handleAnswer(payload: Uint8Array, address: string, port: number): void {
    this.#followRules();
    const isAnybodyWelcome = this.#settings.answersFrom === "all";
    // Where only hosts that the client knows may answer, nobody else gets a place in the table.
    const peer = isAnybodyWelcome ? this.#peers.findOrEnter(address) : this.#peers.find(address);
    if (peer === undefined || !(isAnybodyWelcome || peer.isContacted)) {
      this.#drop("uninvited", 1);
    } else if (!peer.isAllowed) {
      this.#drop("denied", 1);
    } else {
      this.lastActiveMs = this.#context.clock.turnMs();
      //= rfc1928#7/reply-header
      this.#clientSocket?.send(payload, this.#clientPort, this.#clientText, peer.headerFrom(port));
    }
  }

  /** As CONNECT would try them, without the race: nobody answers to a datagram that only looks for a way. */
  #choose(addresses: readonly string[]): readonly string[] {
    const { policy } = this.#way;
    const allowed = addresses.filter((address) => allowsFamily(policy, familyOf(address)));
    const sorted = this.#context.sort(allowed);
    if (policy !== "prefer-ipv4" && policy !== "prefer-ipv6") return sorted;
    const isPreferred = (address: string): boolean => familyOf(address) === preferredFamily(policy);
    return [...sorted.filter(isPreferred), ...sorted.filter((address) => !isPreferred(address))];
  }

  #sendTo(peer: UdpPeer, port: number, payload: Uint8Array): void {
    const socket = peer.ip.length === 4 ? this.#outside4() : this.#outside6();
    if (socket === undefined) {
      this.#drop("unsent", 1);
      return;
    }
    peer.isContacted = true;
    //= rfc1928#7/relay-silently
    socket.send(payload, port, peer.address);
  }

  #outside4(): DatagramSocket | undefined {
    this.#ipv4 ??= this.#openOutside(ANY_IPV4);
    return this.#ipv4;
  }

  #outside6(): DatagramSocket | undefined {
    this.#ipv6 ??= this.#openOutside(ANY_IPV6);
    return this.#ipv6;
  }

  #openOutside(any: Uint8Array): DatagramSocket | undefined {
    if (this.#isClosed) return undefined;
    const { udp, totals } = this.#context;
    const outgoing = dialOptionsFor(this.#way, any);
    const ip = outgoing.localAddress ?? any;
    const { receiveBufferSize } = this.#settings;
    const socket = udp.sockets.open(
      { ip, port: 0, receiveBufferSize, outgoing },
      {
        onDatagram: (payload, address, port) => this.#handleAnswer(payload, address, port),
        onSent: (datagrams, payloadBytes) => {
          this.#datagramsUp += datagrams;
          this.#bytesUp += payloadBytes;
          totals.bytes += payloadBytes;
        },
        onLost: (datagrams) => this.#drop("unsent", datagrams),
      },
    );
    return typeof socket === "string" ? undefined : socket;
  }

  /** What has been judged by rules that have been replaced since is forgotten. */
  #followRules(): void {
    const { rules } = this.#context;
    if (rules === this.#rules) return;
    this.#rules = rules;
    this.#peers.forgetAll();
    this.#targets.forgetAll();
  }

  #drop(reason: DropReason, datagrams: number): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + datagrams;
  }
}
