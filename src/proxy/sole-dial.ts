/**
 * Connects to the one address that the client has named itself. Most requests by far are such a one, or end as one from
 * the cache, so there is no race to set up: no timer, no order, nothing to choose.
 */

import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import { DialAttempt, type DialAttemptListener, type DialTerms } from "./dial-attempt.ts";
import type { DialRaceListener } from "./dial-race.ts";

export class SoleDial implements DialAttemptListener {
  readonly #listener: DialRaceListener;
  readonly #beganMs: number;
  readonly #attempt: DialAttempt;

  constructor(address: string, terms: DialTerms, listener: DialRaceListener) {
    this.#listener = listener;
    this.#beganMs = terms.clock.nowMs();
    this.#attempt = new DialAttempt(0, address, terms, this);
  }

  get attempts(): AttemptRecord[] {
    return [this.#attempt.record(this.#beganMs)];
  }

  /** Begins. The outcome may come before this returns. @param ip - The address, 4 or 16 bytes. */
  start(ip: Uint8Array): void {
    this.#attempt.start(ip);
  }

  /** Gives it up. @param outcome - What is said of it. */
  cancel(outcome: "cancelled" | "timeout"): void {
    this.#attempt.abandon(outcome);
  }

  onAttemptConnected({ address }: DialAttempt, socket: ConnectedSocket, local: Endpoint): void {
    this.#listener.onWon(socket, local, address);
  }

  onAttemptFailed(): void {
    this.#listener.onLost("exhausted");
  }
}
