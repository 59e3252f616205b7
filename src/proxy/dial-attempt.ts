/** One attempt to connect to one address, from its start to its outcome, as the access log tells it. */

import type { Clock } from "../ports/clock.ts";
import type { Dial, Dialer, DialListener } from "../ports/dialer.ts";
import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { AccessRules } from "./access-rules.ts";
import { dialOptionsFor, type OutgoingWay } from "./outgoing.ts";

/** What every attempt for one client has in common. */
export interface DialTerms {
  readonly clock: Clock;
  /** When the request was taken up, on the clock. */
  readonly beganMs: number;
  readonly dialer: Dialer;
  readonly way: OutgoingWay;
  readonly port: number;
  readonly rules: Pick<AccessRules, "allows">;
  readonly clientIsLocal: boolean;
}

/** Hears the end of an attempt: one of the two, once, and neither after `abandon`. May hear it before `start` returns. */
export interface DialAttemptListener {
  onAttemptConnected(attempt: DialAttempt, socket: ConnectedSocket, local: Endpoint): void;
  onAttemptFailed(attempt: DialAttempt): void;
}

const PENDING = "pending";

export class DialAttempt implements DialListener {
  readonly number: number;
  readonly address: string;
  /** On the clock: the turn in which it began. */
  readonly #startedMs: number;
  readonly #terms: DialTerms;
  readonly #listener: DialAttemptListener;
  #outcome = PENDING;
  #ms = 0;
  #dial: Dial | undefined;

  /** @param number - Its place among the attempts of its client. */
  constructor(number: number, address: string, terms: DialTerms, listener: DialAttemptListener) {
    this.number = number;
    this.address = address;
    this.#terms = terms;
    this.#listener = listener;
    this.#startedMs = terms.clock.turnMs();
  }

  /** Judges the address and starts to connect to it. @param ip - The address, 4 or 16 bytes. */
  start(ip: Uint8Array): void {
    const { dialer, way, port, rules, clientIsLocal } = this.#terms;
    //= rfc1928#4/evaluate
    //= rfc1928#6/connect-evaluate
    if (!rules.allows(ip, clientIsLocal)) {
      this.onFailed("denied");
      return;
    }
    this.#dial = dialer.dial(ip, port, dialOptionsFor(way, ip), this);
  }

  onConnected(socket: ConnectedSocket, local: Endpoint): void {
    this.#note("connected");
    this.#listener.onAttemptConnected(this, socket, local);
  }

  onFailed(code: string): void {
    this.#note(code);
    this.#listener.onAttemptFailed(this);
  }

  /** Gives it up, if it is still under way. @param outcome - What is said of it. */
  abandon(outcome: "cancelled" | "timeout"): void {
    if (this.#outcome !== PENDING) return;
    this.#note(outcome);
    this.#dial?.cancel();
  }

  get record(): AttemptRecord {
    const startMs = rounded(this.#startedMs - this.#terms.beganMs);
    return { address: this.address, startMs, outcome: this.#outcome, ms: this.#ms };
  }

  #note(outcome: string): void {
    this.#outcome = outcome;
    this.#ms = rounded(this.#terms.clock.turnMs() - this.#startedMs);
  }
}

/** Microseconds are enough for a log. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
