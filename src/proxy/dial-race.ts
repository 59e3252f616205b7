/** Connects to the first address of a name that lets it: the race of RFC 8305, with real attempts and real time. */

import { parseIp } from "../bytes/ip.ts";
import type { Timer } from "../ports/clock.ts";
import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { IpFamily } from "../protocol/dial/family.ts";
import { HappyEyeballs, type LostReason } from "../protocol/dial/happy-eyeballs.ts";
import { DialAttempt, type DialAttemptListener, type DialTerms } from "./dial-attempt.ts";
import type { AttemptTiming } from "./outgoing.ts";

export interface DialRaceOptions {
  readonly terms: DialTerms;
  readonly timing: AttemptTiming;
  /** Addresses in the order of RFC 6724. */
  readonly sort: (addresses: readonly string[]) => readonly string[];
}

/** One of the two, once, and neither after `cancel`. May be called before `add` returns. */
export interface DialRaceListener {
  onWon(socket: ConnectedSocket, local: Endpoint, address: string): void;
  onLost(reason: LostReason): void;
}

export class DialRace implements DialAttemptListener {
  readonly #options: DialRaceOptions;
  readonly #listener: DialRaceListener;
  readonly #race: HappyEyeballs;
  /** By number. BOUNDED by attemptsMax. */
  readonly #attempts: DialAttempt[] = [];
  #won: { readonly socket: ConnectedSocket; readonly local: Endpoint } | undefined;
  #timer: Timer | undefined;
  #isPumping = false;
  /** The attempt whose start has not returned. */
  #starting: number | undefined;
  #isOver = false;

  constructor(options: DialRaceOptions, listener: DialRaceListener) {
    const { terms, timing, sort } = options;
    this.#options = options;
    this.#listener = listener;
    // The time for everything together is the caller's: it counts for look-ups without any race, too.
    const race = {
      policy: terms.way.policy,
      resolutionDelayMs: timing.resolutionDelayMs,
      attemptDelayMs: timing.attemptDelayMs,
      attemptsMax: timing.attemptsMax,
      deadlineMs: Number.POSITIVE_INFINITY,
      sort,
    };
    this.#race = new HappyEyeballs(race, terms.beganMs);
  }

  /** Every attempt so far, in the order of their starts. */
  get attempts(): AttemptRecord[] {
    return this.#attempts.map((attempt) => attempt.record);
  }

  /** Takes the answer for these families: all their addresses, or none. */
  add(families: readonly IpFamily[], addresses: readonly string[]): void {
    this.#race.handleAddresses(families, addresses, this.#options.terms.clock.nowMs());
    this.#pump();
  }

  /** Gives everything up. @param outcome - What is said of the attempts under way. */
  cancel(outcome: "cancelled" | "timeout"): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const attempt of this.#attempts) attempt.abandon(outcome);
  }

  /** Does what the race says, until it says nothing more; then waits for its next time. */
  #pump(): void {
    // An attempt may fail before `dial` returns, and that news comes back here.
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let event = this.#race.pollEvent(); event !== undefined && !this.#isOver; event = this.#race.pollEvent()) {
      if (event.kind === "connect") this.#start(event.attempt, event.address);
      else if (event.kind === "abandon") this.#attempts[event.attempt]?.abandon("cancelled");
      else this.#end(event);
    }
    this.#isPumping = false;
    if (!this.#isOver) this.#setTimer();
  }

  #setTimer(): void {
    this.#timer?.cancel();
    const { clock } = this.#options.terms;
    const dueMs = this.#race.pollTimeout();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => {
      // Timers may fire a moment early; the race's own time is what it asked for.
      this.#race.handleTimeout(Math.max(dueMs, clock.nowMs()));
      this.#pump();
    });
  }

  #start(number: number, address: string): void {
    const ip = parseIp(address);
    if (ip === undefined) throw new Error(`a resolver gave ${JSON.stringify(address)} for an address`);
    const attempt = new DialAttempt(number, address, this.#options.terms, this);
    this.#attempts[number] = attempt;
    this.#starting = number;
    attempt.start(ip);
    this.#starting = undefined;
  }

  onAttemptConnected({ number }: DialAttempt, socket: ConnectedSocket, local: Endpoint): void {
    this.#won = { socket, local };
    this.#race.handleConnected(number, this.#options.terms.clock.nowMs());
    this.#pump();
  }

  onAttemptFailed({ number }: DialAttempt): void {
    // What fails before its start returns was denied, or has no route: nothing left the machine.
    this.#race.handleFailed(number, this.#options.terms.clock.nowMs(), number !== this.#starting);
    this.#pump();
  }

  #end(event: { kind: "won"; address: string } | { kind: "lost"; reason: LostReason }): void {
    this.#isOver = true;
    this.#timer?.cancel();
    if (event.kind === "lost") {
      this.#listener.onLost(event.reason);
      return;
    }
    if (this.#won === undefined) throw new Error("a race was won without a connection");
    this.#listener.onWon(this.#won.socket, this.#won.local, event.address);
  }
}
