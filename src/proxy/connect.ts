/** The way from a destination as the client named it to a connected socket, or to the reason why there is none. */

import { parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Dialer } from "../ports/dialer.ts";
import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { Resolution, ResolutionStep, Resolver } from "../ports/resolver.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import { allowsFamily, familyOf } from "../protocol/dial/family.ts";
import type { LostReason } from "../protocol/dial/happy-eyeballs.ts";
import type { Address } from "../protocol/socks5/address.ts";
import { type FailureRep, Rep } from "../protocol/socks5/constants.ts";
import type { AccessRules } from "./access-rules.ts";
import { DialAttempt, type DialAttemptListener, type DialTerms } from "./dial-attempt.ts";
import { DialRace, type DialRaceListener } from "./dial-race.ts";
import { type Outgoing, wayOf } from "./outgoing.ts";
import { replyForFailures } from "./reply-for.ts";

export interface ConnectPorts {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly resolver: Resolver;
  readonly rules: AccessRules;
  readonly outgoing: Outgoing;
  /** Brings addresses into the order of RFC 6724. */
  readonly sort: (addresses: readonly string[]) => readonly string[];
}

/** Who asks. */
export interface ConnectClient {
  readonly clientIsLocal: boolean;
  readonly user: string | undefined;
}

/** What the outcome is told to: one of the two, once, and neither after `cancel` or `timeOut`. */
export interface ConnectListener {
  /**
   * @param local - The outgoing socket's own endpoint.
   * @param target - The address that was connected, as text.
   */
  onConnected(socket: ConnectedSocket, local: Endpoint, target: string): void;
  onFailed(rep: FailureRep, detail: string | undefined): void;
}

/** Of whoever names an address: one for all of them. Nothing is ever put into it. */
const NO_LOOKUPS: ResolutionStep[] = [];

/**
 * One address, the one that the client has named itself or the only one of its name, is one attempt: most requests by far
 * are such, and need no timer, no order and no choice. More addresses are a race.
 */
export class Connect implements DialAttemptListener, DialRaceListener {
  readonly #ports: ConnectPorts;
  readonly #dst: Address;
  readonly #terms: DialTerms;
  /** One of these two, once an address is there to be tried. */
  #attempt: DialAttempt | undefined;
  #race: DialRace | undefined;
  readonly #policy: Outgoing["way"]["policy"];
  #listener: ConnectListener | undefined;
  /** What the resolver did. BOUNDED by its deadline: a few queries to a few servers. */
  #lookups: ResolutionStep[] = NO_LOOKUPS;
  /** Why there is no address, once the resolver has said all. */
  #lookupDetail: string | undefined;

  constructor(ports: ConnectPorts, client: ConnectClient, dst: Address, listener: ConnectListener) {
    this.#ports = ports;
    this.#dst = dst;
    this.#listener = listener;
    const { clock, dialer, rules, outgoing } = ports;
    const way = wayOf(outgoing, client.user);
    this.#policy = way.policy;
    const { clientIsLocal } = client;
    this.#terms = { clock, beganMs: clock.turnMs(), dialer, way, port: dst.port, rules, clientIsLocal };
  }

  /** Every attempt so far, in the order of their starts. BOUNDED by `outgoing.attempts`. */
  get attempts(): readonly AttemptRecord[] {
    return this.#attempt === undefined ? (this.#race?.attempts ?? []) : [this.#attempt.record];
  }

  get lookups(): readonly ResolutionStep[] {
    return this.#lookups;
  }

  /** Begins, once. The outcome may come before this returns. */
  start(): void {
    const { host, port, isIp } = this.#dst;
    // Nobody can listen on port 0; a kernel that is asked to connect there says refused.
    if (port === 0) {
      this.#fail(Rep.ConnectionRefused, "port 0 cannot be connected to");
      return;
    }
    const ip = isIp ? parseIp(host) : undefined;
    if (ip !== undefined) {
      this.#startSole(host, ip);
      return;
    }
    const watch = {
      onFamily: (family: 4 | 6, addresses: readonly string[]) => {
        if (this.#listener !== undefined) (this.#race ?? this.#newRace()).add([family], addresses);
      },
      onStep: (step: ResolutionStep) => {
        if (this.#lookups === NO_LOOKUPS) this.#lookups = [];
        this.#lookups.push(step);
      },
    };
    const resolution = this.#ports.resolver.resolve(host, watch);
    if (resolution instanceof Promise) {
      resolution.then(
        (known) => this.#resolved(known),
        // A resolver never rejects; one that does has a bug, and the client must not wait for it.
        (fault: unknown) => this.#fail(Rep.GeneralFailure, `the resolver failed: ${String(fault)}`),
      );
    } else this.#resolved(resolution);
  }

  #startSole(address: string, ip: Uint8Array): void {
    if (!allowsFamily(this.#policy, familyOf(address))) {
      this.#fail(Rep.NetworkUnreachable, `outgoing connections are ${this.#policy}`);
      return;
    }
    this.#attempt = new DialAttempt(0, address, this.#terms, this);
    this.#attempt.start(ip);
  }

  onAttemptConnected({ address }: DialAttempt, socket: ConnectedSocket, local: Endpoint): void {
    this.onWon(socket, local, address);
  }

  onAttemptFailed(): void {
    this.onLost("exhausted");
  }

  onWon(socket: ConnectedSocket, local: Endpoint, address: string): void {
    this.#take()?.onConnected(socket, local, address);
  }

  /** Gives everything up; the listener hears nothing more. */
  cancel(): void {
    this.#listener = undefined;
    this.#giveUp("cancelled");
  }

  #giveUp(outcome: "cancelled" | "timeout"): void {
    this.#attempt?.abandon(outcome);
    this.#race?.cancel(outcome);
  }

  /** The time for all attempts together is over. */
  timeOut(): void {
    const isResolving = this.attempts.length === 0;
    this.#giveUp("timeout");
    const rep = isResolving ? Rep.TtlExpired : replyForFailures(this.attempts);
    this.#fail(rep, isResolving ? "the name was not resolved in time" : "the time for connecting is over");
  }

  #newRace(): DialRace {
    const { outgoing, sort } = this.#ports;
    const race = new DialRace({ terms: this.#terms, timing: outgoing.timing, sort }, this);
    this.#race = race;
    return race;
  }

  /** Everything is known about the name; what the race has not heard yet, it hears now. */
  #resolved(resolution: Resolution): void {
    if (this.#listener === undefined) return;
    const addresses = resolution.kind === "addresses" ? resolution.addresses : [];
    this.#lookupDetail =
      resolution.kind === "addresses"
        ? `the name has no address that may be used (${this.#policy})`
        : resolution.detail;
    if (this.#race !== undefined) {
      this.#race.add([4, 6], addresses);
      return;
    }
    const [address] = addresses;
    const ip = addresses.length === 1 ? parseIp(address ?? "") : undefined;
    if (ip !== undefined && address !== undefined && allowsFamily(this.#policy, familyOf(address))) {
      this.#startSole(address, ip);
    } else this.#newRace().start(addresses);
  }

  onLost(reason: LostReason): void {
    //= rfc1928#6/rep-host-unreachable
    if (reason === "no-addresses") this.#fail(Rep.HostUnreachable, this.#lookupDetail);
    else this.#fail(replyForFailures(this.attempts), undefined);
  }

  #fail(rep: FailureRep, detail: string | undefined): void {
    this.#take()?.onFailed(rep, detail);
  }

  /** The listener, who hears only once. */
  #take(): ConnectListener | undefined {
    const listener = this.#listener;
    this.#listener = undefined;
    return listener;
  }
}
