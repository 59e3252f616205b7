/**
 * Connects to the first address of a name that lets it: the race of RFC 8305, with real attempts and real time.
 *
 * Nearly every first attempt connects before there is anything to decide. So where all addresses are known at once, the
 * machine that decides is not made before the first attempt fails or has had its time. It is a function of what it is
 * told, and when: told late, with the times of then, it says the same.
 */

import { parseIp } from "../bytes/ip.ts";
import type { Timer } from "../ports/clock.ts";
import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { IpFamily } from "../protocol/dial/family.ts";
import { firstAddress, HappyEyeballs, type LostReason } from "../protocol/dial/happy-eyeballs.ts";
import { DialAttempt, type DialAttemptListener, type DialTerms } from "./dial-attempt.ts";
import type { AttemptTiming } from "./outgoing.ts";

export interface DialRaceOptions {
  readonly terms: DialTerms;
  readonly timing: AttemptTiming;
  /** Addresses in the order of RFC 6724. */
  readonly sort: (addresses: readonly string[]) => readonly string[];
}

/** One of the two, once, and neither after `cancel`. May be called before `start` or `add` returns. */
export interface DialRaceListener {
  onWon(socket: ConnectedSocket, local: Endpoint, address: string): void;
  onLost(reason: LostReason): void;
}

const NO_ADDRESSES: readonly string[] = [];

export class DialRace implements DialAttemptListener {
  readonly #options: DialRaceOptions;
  readonly #listener: DialRaceListener;
  /** Made when there is something to decide. */
  #race: HappyEyeballs | undefined;
  /** What `start` was given, in order. BOUNDED by what the resolver gives. */
  #sorted: readonly string[] = NO_ADDRESSES;
  /** When the first of them was tried. */
  #startedMs = Number.NaN;
  /** By number. BOUNDED by attemptsMax. */
  readonly #attempts: DialAttempt[] = [];
  #won: { readonly socket: ConnectedSocket; readonly local: Endpoint } | undefined;
  #timer: Timer | undefined;
  #isPumping = false;
  /** The attempt whose start has not returned. */
  #starting: number | undefined;
  #isOver = false;

  constructor(options: DialRaceOptions, listener: DialRaceListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Every attempt so far, in the order of their starts. */
  get attempts(): AttemptRecord[] {
    return this.#attempts.map((attempt) => attempt.record);
  }

  /** Takes the answers for all families at once: all addresses that there are, or none. Instead of `add`. */
  start(addresses: readonly string[]): void {
    const { terms, timing, sort } = this.#options;
    const sorted = sort(addresses);
    const first = firstAddress(sorted, terms.way.policy);
    if (first === undefined) {
      this.add([4, 6], addresses);
      return;
    }
    this.#sorted = sorted;
    // To the moment, and not to the turn: the next attempt keeps its distance from it.
    this.#startedMs = terms.clock.nowMs();
    this.#isPumping = true;
    this.#dial(0, first);
    this.#isPumping = false;
    if (this.#race !== undefined) this.#pump();
    else if (!this.#isOver && sorted.length > 1) {
      const dueMs = this.#startedMs + timing.attemptDelayMs;
      this.#timer = terms.clock.setTimer(timing.attemptDelayMs, () => this.#handleDue(dueMs));
    }
  }

  /** Takes the answer for these families: all their addresses, or none. */
  add(families: readonly IpFamily[], addresses: readonly string[]): void {
    this.#race ??= this.#newRace(this.#options.sort);
    this.#race.handleAddresses(families, addresses, this.#options.terms.clock.nowMs());
    this.#pump();
  }

  /** Gives everything up. @param outcome - What is said of the attempts under way. */
  cancel(outcome: "cancelled" | "timeout"): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const attempt of this.#attempts) attempt.abandon(outcome);
  }

  /** The machine; after `start` it is made here, and told what has happened since. */
  get #decider(): HappyEyeballs {
    this.#race ??= this.#raceUnderWay();
    return this.#race;
  }

  #raceUnderWay(): HappyEyeballs {
    const sorted = this.#sorted;
    // The order of then: the routing table, which has led to it, may say something else by now.
    const race = this.#newRace((some) => sorted.filter((address) => some.includes(address)));
    race.handleAddresses([4, 6], sorted, this.#startedMs);
    // To start the first attempt, which has been done.
    race.pollEvent();
    return race;
  }

  #newRace(sort: DialRaceOptions["sort"]): HappyEyeballs {
    const { terms, timing } = this.#options;
    // The time for everything together is the caller's: it counts for look-ups without any race, too.
    const deadlineMs = Number.POSITIVE_INFINITY;
    return new HappyEyeballs({ ...timing, policy: terms.way.policy, deadlineMs, sort }, terms.beganMs);
  }

  /** Does what the race says, until it says nothing more; then waits for its next time. */
  #pump(): void {
    // An attempt may fail before `dial` returns, and that news comes back here.
    if (this.#isPumping) return;
    const race = this.#decider;
    this.#isPumping = true;
    for (let event = race.pollEvent(); event !== undefined && !this.#isOver; event = race.pollEvent()) {
      if (event.kind === "connect") this.#dial(event.attempt, event.address);
      else if (event.kind === "abandon") this.#attempts[event.attempt]?.abandon("cancelled");
      else this.#end(event);
    }
    this.#isPumping = false;
    if (!this.#isOver) this.#setTimer(race);
  }

  #setTimer(race: HappyEyeballs): void {
    this.#timer?.cancel();
    const { clock } = this.#options.terms;
    const dueMs = race.pollTimeout();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => this.#handleDue(dueMs));
  }

  #handleDue(dueMs: number): void {
    // Timers may fire a moment early; the race's own time is what it asked for.
    this.#decider.handleTimeout(Math.max(dueMs, this.#options.terms.clock.nowMs()));
    this.#pump();
  }

  #dial(number: number, address: string): void {
    const ip = parseIp(address);
    if (ip === undefined) throw new Error(`a resolver gave ${JSON.stringify(address)} for an address`);
    const attempt = new DialAttempt(number, address, this.#options.terms, this);
    this.#attempts[number] = attempt;
    this.#starting = number;
    attempt.start(ip);
    this.#starting = undefined;
  }

  onAttemptConnected({ number, address }: DialAttempt, socket: ConnectedSocket, local: Endpoint): void {
    if (this.#race === undefined) {
      this.#isOver = true;
      this.#timer?.cancel();
      this.#listener.onWon(socket, local, address);
      return;
    }
    this.#won = { socket, local };
    this.#race.handleConnected(number, this.#options.terms.clock.nowMs());
    this.#pump();
  }

  onAttemptFailed({ number }: DialAttempt): void {
    // What fails before its start returns was denied, or has no route: nothing left the machine.
    this.#decider.handleFailed(number, this.#options.terms.clock.nowMs(), number !== this.#starting);
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
