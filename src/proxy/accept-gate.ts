/**
 * Whether new clients are accepted. While descriptors are short nobody is: who comes waits in the kernel's queue, and those
 * who are there are served. An accept without a descriptor would not fail but spin: the kernel wakes the program for a
 * client that it cannot take, again and again.
 *
 * Clients are counted; but attempts to connect, look-ups and the administrator take descriptors, too, and how many is not
 * known beforehand. So the descriptors themselves are watched. The kernel gives out the lowest free number: one that is
 * high says that the lower ones are taken.
 */

import type { Clock } from "../ports/clock.ts";
import { Deadline, type TimerWheel } from "../time/timer-wheel.ts";

export interface AcceptGateOptions {
  /**
   * Clients for whom there are descriptors: a client and its target need two. At this number accepting pauses, and who
   * comes waits in the kernel's queue.
   */
  readonly capacity: number;
  /** From this descriptor on they are short. */
  readonly descriptorMax: number;
  /** The lowest free descriptor; `Infinity` when there is none. It costs two system calls. */
  readonly lowestFreeDescriptor: () => number;
  /** Pauses or resumes all listeners. Resuming may throw, when even its few descriptors are not there. */
  readonly setAccepting: (isAccepting: boolean) => void;
}

/** How often the descriptors are looked at while they are short, or half of them are taken, in milliseconds. */
const WATCH_MS = 1000;

export class AcceptGate {
  readonly #options: AcceptGateOptions;
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #places: () => number;
  readonly #onPaused: (isPaused: boolean) => void;
  readonly #watch = new Deadline(() => this.#look());
  #isPaused = false;
  #isStopped = false;

  /**
   * @param places - The places taken now, each good for two descriptors.
   * @param onPaused - Told when accepting pauses, and when it goes on.
   */
  constructor(
    options: AcceptGateOptions,
    { wheel, clock }: { readonly wheel: TimerWheel; readonly clock: Clock },
    places: () => number,
    onPaused: (isPaused: boolean) => void,
  ) {
    this.#options = options;
    this.#wheel = wheel;
    this.#clock = clock;
    this.#places = places;
    this.#onPaused = onPaused;
  }

  /** A client was accepted; `descriptor` is its socket's. */
  entered(descriptor: number): void {
    const { descriptorMax } = this.#options;
    if (this.#isFull || descriptor >= descriptorMax) this.#pause();
    else if (descriptor * 2 >= descriptorMax && !this.#watch.isSet) this.#watchOn();
  }

  /** A client has left. */
  left(): void {
    this.#resume();
  }

  /** Nobody is to be accepted any more; the listeners are somebody else's business. */
  stop(): void {
    this.#isStopped = true;
    this.#wheel.clear(this.#watch);
  }

  get #isFull(): boolean {
    return this.#places() >= this.#options.capacity;
  }

  #watchOn(): void {
    this.#wheel.set(this.#watch, this.#clock.nowMs() + WATCH_MS);
  }

  #look(): void {
    if (this.#isPaused) {
      this.#resume();
      return;
    }
    const { descriptorMax, lowestFreeDescriptor } = this.#options;
    const lowest = lowestFreeDescriptor();
    if (lowest >= descriptorMax) this.#pause();
    else if (lowest * 2 >= descriptorMax) this.#watchOn();
  }

  #pause(): void {
    if (this.#isStopped) return;
    // Said again although it was said: a reload may have opened a listener since.
    this.#options.setAccepting(false);
    // Nobody may be left whose leaving would bring us back.
    this.#watchOn();
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#onPaused(true);
  }

  #resume(): void {
    if (!this.#isPaused || this.#isStopped) return;
    if (this.#isFull || !this.#tryToAccept()) {
      if (!this.#watch.isSet) this.#watchOn();
      return;
    }
    this.#isPaused = false;
    this.#onPaused(false);
    this.#watchOn();
  }

  #tryToAccept(): boolean {
    const { descriptorMax, lowestFreeDescriptor, setAccepting } = this.#options;
    if (lowestFreeDescriptor() >= descriptorMax) return false;
    try {
      setAccepting(true);
      return true;
    } catch {
      // Taken away in between. It is tried again in a while.
      return false;
    }
  }
}
