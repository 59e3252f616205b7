/**
 * Descriptors of our own in Bun's event loop: an epoll instance of ours that Bun's loop waits for, and the table of who
 * gets the events of which descriptor.
 *
 * Why Bun's own sockets are not enough, and what these cost beside them: docs/adr/0033-own-sockets.md.
 */

import { type Libc, libc } from "../libc.ts";
import { inTurn, systemClock } from "../system-clock.ts";
import { Epoll } from "./epoll.ts";
import { LoopWake, PROBE_ID } from "./loop-wake.ts";

/** What a descriptor is called in the epoll instance: this and its number. */
const FIRST_ID = PROBE_ID + 1;

/** A look that finds so many events, or whose events take so long, in milliseconds, is followed by another one … */
const MANY_EVENTS = 4;
const LONG_LOOK_MS = 0.1;
/** … until so much time has passed, in milliseconds: then the rest of the program gets its turn, whatever is ready. */
const LOOKS_MS = 3;

/** Whoever a descriptor's events go to. */
export interface Polled {
  /** The poller's: tells it from earlier owners of the same descriptor, whose events may still be on the way. */
  generation: number;
  /** @param events - Bits as epoll_ctl(2) names them. */
  handleEvents(events: number): void;
  /** `handleEvents` has thrown, which is a bug of ours: ends whatever this is. The program hears of it. */
  handleFault(): void;
}

export class Poller {
  readonly #epoll: Epoll;
  readonly #nowMs: () => number;
  readonly #wake: LoopWake;
  /** By descriptor. BOUNDED by the descriptors of the process. */
  readonly #polled: (Polled | undefined)[] = [];
  #count = 0;
  #generation = 0;
  #isSettled = false;
  #isClosed = false;
  #waiting: (() => void)[] = [];

  private constructor(c: Libc, epoll: Epoll, nowMs: () => number) {
    this.#epoll = epoll;
    this.#nowMs = nowMs;
    const settled = (): void => {
      this.#isSettled = true;
      for (const tell of this.#waiting.splice(0)) reportingFaults(tell);
    };
    this.#wake = new LoopWake(c, epoll, () => this.#handleReady(), settled);
  }

  /**
   * A poller, where the system has what it needs. Some turns of the event loop later it is ready, or cannot be.
   *
   * @param nowMs - Monotonic milliseconds, for how long the rest of the program may have to wait.
   */
  static open(c: Libc | undefined = libc, nowMs: () => number = systemClock.nowMs): Poller | undefined {
    const epoll = c === undefined ? undefined : Epoll.open(c);
    return c === undefined || epoll === undefined ? undefined : new Poller(c, epoll, nowMs);
  }

  /** Whether events are proven to arrive. Nothing may be added before. */
  get isReady(): boolean {
    return this.#wake.isReady;
  }

  /** Whether {@link isReady} has its final value, but for the end. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Calls `tell` when {@link isSettled}: now or later, once. */
  whenSettled(tell: () => void): void {
    if (this.#isSettled) tell();
    else this.#waiting.push(tell);
  }

  /** Watches a descriptor. Returns whether the kernel agreed. */
  add(fd: number, events: number, polled: Polled): boolean {
    this.#take(fd, polled);
    if (this.#epoll.add(fd, events, fd + FIRST_ID, polled.generation)) return true;
    this.forget(fd);
    return false;
  }

  /**
   * Watches a descriptor for other events, or for the same, which reports anew what is ready now. Returns whether the kernel
   * agreed, as it does where the descriptor is watched.
   */
  change(fd: number, events: number, polled: Polled): boolean {
    return this.#epoll.change(fd, events, fd + FIRST_ID, polled.generation);
  }

  /** Gives a descriptor that is watched to somebody else, with the events it is watched for. */
  pass(fd: number, to: Polled): void {
    const from = this.#polled[fd];
    if (from === undefined) throw new Error(`descriptor ${fd} is nobody's`);
    to.generation = from.generation;
    this.#polled[fd] = to;
  }

  /** Takes a descriptor out of the epoll instance, and keeps its place. */
  silence(fd: number): void {
    this.#epoll.remove(fd);
  }

  /** Puts back a descriptor that was silenced. Returns whether the kernel agreed: it may be short of memory. */
  watchAgain(fd: number, events: number, polled: Polled): boolean {
    return this.#epoll.add(fd, events, fd + FIRST_ID, polled.generation);
  }

  /** Forgets a descriptor that is closed next: the kernel takes it out of the epoll instance. */
  forget(fd: number): void {
    if (this.#polled[fd] === undefined) return;
    this.#polled[fd] = undefined;
    this.#count--;
    if (this.#count === 0) this.#wake.keepsAlive = false;
  }

  /** Frees what it has. What is still watched hears nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#wake.close();
    this.#epoll.close();
    this.#polled.length = 0;
  }

  #take(fd: number, polled: Polled): void {
    this.#generation = (this.#generation + 1) >>> 0;
    polled.generation = this.#generation;
    this.#polled[fd] = polled;
    this.#count++;
    if (this.#count === 1) this.#wake.keepsAlive = true;
  }

  /**
   * Handles what is ready, and what probably becomes ready meanwhile: to be woken by Bun's loop for it would cost four system
   * calls instead of one, and the loop's own work. Returns how many events that were.
   */
  #handleReady(): number {
    const beganMs = this.#nowMs();
    let nowMs = beganMs;
    let sum = 0;
    for (;;) {
      const lookedMs = nowMs;
      const count = inTurn(this.#look);
      sum += count;
      if (count <= 0 || this.#isClosed) return sum;
      nowMs = this.#nowMs();
      const isMoreLikely = count >= MANY_EVENTS || nowMs - lookedMs >= LONG_LOOK_MS;
      if (!isMoreLikely || nowMs - beganMs >= LOOKS_MS) return sum;
    }
  }

  readonly #look = (): number => this.#epoll.poll(this.#handleEvent);

  readonly #handleEvent = (events: number, id: number, generation: number): void => {
    const polled = this.#polled[id - FIRST_ID];
    // Closed by an earlier event of the same look, and perhaps another one has its descriptor now.
    if (polled === undefined || polled.generation !== generation) return;
    try {
      polled.handleEvents(events);
    } catch (fault) {
      // Ending it may meet the same bug; the others' events of this look come only once.
      reportingFaults(() => polled.handleFault());
      reportError(fault);
    }
  };
}

/** Runs `act` for one of many: what it throws is a bug, of which the program hears, and is no matter of the others. */
function reportingFaults(act: () => void): void {
  try {
    act();
  } catch (fault) {
    reportError(fault);
  }
}
