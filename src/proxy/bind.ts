import { formatIp, parseIp } from "../bytes/ip.ts";
import type { PeerListener } from "../ports/peer-listener.ts";
import type { AttemptRecord, LimitName } from "../ports/proxy-events.ts";
import type { Resolution } from "../ports/resolver.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import type { Address } from "../protocol/socks5/address.ts";
import { Rep } from "../protocol/socks5/constants.ts";
import type { Command, CommandHost } from "./command.ts";
import { advertised, refusalByAccess } from "./command-access.ts";
import { dialOptionsFor, wayOf } from "./outgoing.ts";
import type { QuotaLimit } from "./quota.ts";
import { replyForFailure } from "./reply-for.ts";

const LIMIT_NAMES: Readonly<Record<QuotaLimit, LimitName>> = {
  total: "bind.listeners",
  perAddress: "bind.listeners_per_address",
  perUser: "bind.listeners_per_user",
};

/** Ports below are the system's: no client chooses one of them. */
const CLIENT_PORT_MIN = 1024;

/** Somebody who connected and is not wanted. */
const TURNED_AWAY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};

/** BIND: a listening socket for the one host that the client expects, then a tunnel with it (RFC 1928 §6). */
export class Bind implements Command {
  /** None: nobody is connected to. */
  readonly attempts: readonly AttemptRecord[] = [];
  readonly #host: CommandHost;
  #listener: PeerListener | undefined;
  #leave: (() => void) | undefined;
  /** The addresses that may connect, as text; `undefined`: any. BOUNDED by the addresses of a name. */
  #expected: ReadonlySet<string> | undefined;
  #isOver = false;

  constructor(host: CommandHost) {
    this.#host = host;
  }

  start(dst: Address): void {
    const host = this.#host;
    const { bind, counters, events } = host.context;
    const refusal = refusalByAccess(bind.settings.access, host.user);
    if (refusal !== undefined) {
      this.#refuse(refusal, undefined);
      return;
    }
    const place = bind.quota.enter(host.clientAddress, host.user, bind.settings.limits);
    if (typeof place === "string") {
      counters.limitReached++;
      events.onLimitReached(LIMIT_NAMES[place], host.clientAddress);
      this.#refuse(Rep.GeneralFailure, `the limit ${LIMIT_NAMES[place]} is reached`);
      return;
    }
    this.#leave = place;
    host.setDeadlineIn(bind.settings.waitMs);
    if (dst.isIp) this.#expect(dst, [dst.host]);
    else this.#resolve(dst);
  }

  timeOut(): void {
    this.#refuse(
      Rep.TtlExpired,
      this.#listener === undefined ? "the name was not resolved in time" : "nobody connected",
    );
  }

  handleClientEnd(): void {
    this.#refuse(Rep.GeneralFailure, "the client ended its side");
  }

  close(): void {
    this.#end();
  }

  #resolve(dst: Address): void {
    const resolution = this.#host.context.resolver.resolve(dst.host);
    if (resolution instanceof Promise) {
      resolution.then(
        (known) => this.#resolved(dst, known),
        // A resolver never rejects; one that does has a bug, and the client must not wait for it.
        (fault: unknown) => this.#refuse(Rep.GeneralFailure, `the resolver failed: ${String(fault)}`),
      );
    } else this.#resolved(dst, resolution);
  }

  #resolved(dst: Address, resolution: Resolution): void {
    if (this.#isOver) return;
    if (resolution.kind === "addresses") this.#expect(dst, resolution.addresses);
    else this.#refuse(Rep.HostUnreachable, resolution.detail);
  }

  //= rfc1928#6/bind-evaluate
  #expect(dst: Address, addresses: readonly string[]): void {
    const host = this.#host;
    const ips = addresses.map(parseIp).filter((ip) => ip !== undefined);
    const [first] = ips;
    if (host.localIp === undefined || first === undefined) {
      this.#refuse(Rep.GeneralFailure, "the client's connection has no address");
      return;
    }
    if (first.every((byte) => byte === 0)) {
      // The client does not know who will come. A port that it names is the one it would like to have: that of an
      // earlier BIND, perhaps.
      this.#listen(host.localIp, dst.port);
      return;
    }
    const allowed = ips.filter((ip) => this.#isAllowed(ip));
    const [nearest] = allowed;
    if (nearest === undefined) {
      this.#refuse(Rep.NotAllowed, undefined);
      return;
    }
    this.#expected = new Set(allowed.map((ip) => formatIp(ip)));
    const source = this.#sourceFor(nearest);
    if (source === "unreachable") this.#refuse(Rep.NetworkUnreachable, undefined);
    else this.#listen(source ?? host.localIp, 0);
  }

  /** The address at which `ip` can reach us. */
  #sourceFor(ip: Uint8Array): Uint8Array | "unreachable" | undefined {
    const { bind, outgoing } = this.#host.context;
    const { localAddress } = dialOptionsFor(wayOf(outgoing, this.#host.user), ip);
    return localAddress ?? bind.routes.sourceFor(ip);
  }

  #listen(ip: Uint8Array, wantedPort: number): void {
    const host = this.#host;
    const { listeners, ports, settings } = host.context.bind;
    const accept = (socket: ConnectedSocket, peer: Endpoint | undefined) => this.#accept(socket, peer);
    const range = settings.ports;
    const isOffered =
      wantedPort >= CLIENT_PORT_MIN && (range === undefined || (wantedPort >= range.first && wantedPort <= range.last));
    let listener: PeerListener | string = isOffered ? listeners.listen(ip, wantedPort, accept) : "EADDRINUSE";
    if (listener === "EADDRINUSE") listener = ports.open(range, (port) => listeners.listen(ip, port, accept));
    if (typeof listener === "string") {
      this.#refuse(replyForFailure(listener), `no socket to listen on: ${listener}`);
      return;
    }
    this.#listener = listener;
    //= rfc1928#6/bind-first-reply
    host.bound(advertised(host.advertisedIp, ip), listener.port);
  }

  #accept(socket: ConnectedSocket, peer: Endpoint | undefined): SocketOwner {
    const address = peer === undefined ? "" : formatIp(peer.ip);
    if (this.#isOver || peer === undefined || !this.#isWelcome(peer.ip, address)) {
      // Its close comes before this returns, and must find an owner.
      socket.data = TURNED_AWAY;
      socket.terminate();
      return TURNED_AWAY;
    }
    this.#end();
    //= rfc1928#6/bind-second-reply
    this.#host.openTunnel(socket, peer, address);
    return socket.data;
  }

  #isWelcome(ip: Uint8Array, address: string): boolean {
    return this.#expected === undefined ? this.#isAllowed(ip) : this.#expected.has(address);
  }

  #isAllowed(ip: Uint8Array): boolean {
    return this.#host.context.rules.allows(ip, this.#host.clientIsLocal);
  }

  #refuse(rep: Parameters<CommandHost["refuse"]>[0], detail: string | undefined): void {
    if (this.#isOver) return;
    this.#end();
    this.#host.refuse(rep, detail);
  }

  #end(): void {
    this.#isOver = true;
    this.#listener?.close();
    this.#listener = undefined;
    this.#leave?.();
    this.#leave = undefined;
  }
}
