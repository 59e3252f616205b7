/** The way from a destination as the client named it to a connected socket, or to the reason why there is none. */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Dial, Dialer, DialOptions } from "../ports/dialer.ts";
import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { Resolution, Resolver } from "../ports/resolver.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { Address } from "../protocol/socks5/address.ts";
import { type FailureRep, Rep } from "../protocol/socks5/constants.ts";
import type { AccessRules } from "./access-rules.ts";
import { replyForFailures } from "./reply-for.ts";

export interface ConnectPorts {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly resolver: Resolver;
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

export class Connect {
  readonly #ports: ConnectPorts;
  readonly #rules: AccessRules;
  readonly #clientIsLocal: boolean;
  readonly #options: DialOptions;
  readonly #port: number;
  #listener: ConnectListener | undefined;
  #addresses: readonly Uint8Array[] = [];
  #next = 0;
  #dial: Dial | undefined;
  #current = "";
  #startedMs = 0;
  /** Every attempt so far. BOUNDED by the addresses of a name. */
  readonly attempts: AttemptRecord[] = [];

  constructor(
    ports: ConnectPorts,
    rules: AccessRules,
    clientIsLocal: boolean,
    options: DialOptions,
    port: number,
    listener: ConnectListener,
  ) {
    this.#ports = ports;
    this.#rules = rules;
    this.#clientIsLocal = clientIsLocal;
    this.#options = options;
    this.#port = port;
    this.#listener = listener;
  }

  /** Begins, once. The outcome may come before this returns. */
  start(dst: Address): void {
    // Nobody can listen on port 0; a kernel that is asked to connect there says refused.
    if (dst.port === 0) {
      this.#fail(Rep.ConnectionRefused, "port 0 cannot be connected to");
      return;
    }
    if (dst.isIp) {
      this.#tryAll([dst.host]);
      return;
    }
    this.#ports.resolver.resolve(dst.host).then(
      (resolution) => this.#resolved(resolution),
      // A resolver never rejects; one that does has a bug, and the client must not wait for it.
      (fault: unknown) => this.#fail(Rep.GeneralFailure, `the resolver failed: ${String(fault)}`),
    );
  }

  /** Gives everything up; the listener hears nothing more. */
  cancel(): void {
    this.#endAttempt("cancelled");
    this.#listener = undefined;
    this.#dial?.cancel();
  }

  /** The time for all attempts together is over. */
  timeOut(): void {
    const isResolving = this.attempts.length === 0 && this.#dial === undefined;
    this.#endAttempt("timeout");
    this.#dial?.cancel();
    this.#fail(Rep.TtlExpired, isResolving ? "the name was not resolved in time" : "the time for connecting is over");
  }

  #resolved(resolution: Resolution): void {
    if (this.#listener === undefined) return;
    switch (resolution.kind) {
      case "addresses":
        this.#tryAll(resolution.addresses);
        return;
      case "not-found":
      case "failed":
        //= rfc1928#6/rep-host-unreachable
        this.#fail(Rep.HostUnreachable, resolution.detail);
        return;
      default:
        resolution satisfies never;
    }
  }

  #tryAll(addresses: readonly string[]): void {
    const parsed: Uint8Array[] = [];
    for (const address of addresses) {
      const ip = parseIp(address);
      if (ip !== undefined) parsed.push(ip);
    }
    this.#addresses = parsed;
    this.#tryNext();
  }

  #tryNext(): void {
    for (;;) {
      const ip = this.#addresses[this.#next++];
      if (ip === undefined) {
        this.#fail(replyForFailures(this.attempts.map((attempt) => attempt.outcome)), undefined);
        return;
      }
      this.#current = formatIp(ip);
      this.#startedMs = this.#ports.clock.nowMs();
      //= rfc1928#4/evaluate
      //= rfc1928#6/connect-evaluate
      if (!this.#rules.allows(ip, this.#clientIsLocal)) {
        this.#endAttempt("denied");
        continue;
      }
      const attempt = this.#next;
      const dial = this.#ports.dialer.dial(ip, this.#port, this.#options, {
        onConnected: (socket, local) => {
          const target = this.#current;
          this.#endAttempt("connected");
          const listener = this.#listener;
          this.#listener = undefined;
          listener?.onConnected(socket, local, target);
        },
        onFailed: (code) => {
          this.#endAttempt(code);
          this.#tryNext();
        },
      });
      // A failure that was known at once has started the next attempt already.
      if (attempt === this.#next) this.#dial = dial;
      return;
    }
  }

  #endAttempt(outcome: string): void {
    if (this.#current === "") return;
    const ms = Math.round((this.#ports.clock.nowMs() - this.#startedMs) * 1000) / 1000;
    this.attempts.push({ address: this.#current, outcome, ms });
    this.#current = "";
  }

  #fail(rep: FailureRep, detail: string | undefined): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onFailed(rep, detail);
  }
}
