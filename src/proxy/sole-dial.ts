/**
 * Connects to one address: the one that the client has named itself, or the only one of its name. Most requests by far
 * are such a one, so there is no race to set up: no timer, no order, nothing to choose.
 */

import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import { DialAttempt, type DialAttemptListener, type DialTerms } from "./dial-attempt.ts";
import type { DialRaceListener } from "./dial-race.ts";

export class SoleDial implements DialAttemptListener {
  readonly #listener: DialRaceListener;
  readonly #attempt: DialAttempt;

  constructor(address: string, terms: DialTerms, listener: DialRaceListener) {
    this.#listener = listener;
    this.#attempt = new DialAttempt(0, address, terms, this);
  }

  get attempts(): AttemptRecord[] {
    return [this.#attempt.record];
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
