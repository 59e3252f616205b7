/**
 * Many coarse deadlines at the price of one timer of the runtime.
 *
 * A proxy sets a deadline for each connection several times and nearly none of them is ever reached. So setting and
 * cancelling must cost next to nothing, and being late must not matter: a deadline fires up to {@link SLOT_MS} late, never
 * early. Deadlines lie in a ring of slots by time; one further away than a lap waits in its slot until its lap comes. One
 * that is put off stays where it is until that slot's time comes, and only then goes to its own: most are put off again and
 * again, and their neighbours, which belong to other connections, need not be touched.
 */

import type { Clock, Timer } from "../ports/clock.ts";

/** How long a slot is, and so how late a deadline may fire, in milliseconds. */
export const SLOT_MS = 64;
const SLOTS = 1024;
/** The slot of a tick is its remainder; by `%` that would be a call, since ticks are too large for small integers. */
const SLOT_MASK: number = SLOTS - 1;

/** One deadline. Its owner keeps it and sets it again and again: nothing is allocated in between. */
export class Deadline {
  readonly #onDue: ((nowMs: number) => void) | undefined;
  /** When it is, or was, due, on the clock's `nowMs`; `Infinity` when it was cleared. */
  dueMs: number = Number.POSITIVE_INFINITY;
  /** Neighbours in the slot's ring; `undefined` while not set. Only the wheel touches them. */
  previous: Deadline | undefined;
  next: Deadline | undefined;

  /** @param onDue - Called when it is due, unless a subclass says itself what is to be done. */
  constructor(onDue?: (nowMs: number) => void) {
    this.#onDue = onDue;
  }

  /** The time has come. */
  handleDue(nowMs: number): void {
    this.#onDue?.(nowMs);
  }

  get isSet(): boolean {
    return this.next !== undefined;
  }
}

export class TimerWheel {
  readonly #clock: Clock;
  /** Each slot is a ring that begins and ends with its own head. BOUNDED by the owners: one entry for each deadline. */
  readonly #slots: readonly Deadline[] = Array.from({ length: SLOTS }, () => ringHead());
  #count = 0;
  /** The slot up to which, exclusively, everything has been fired. Counts on for ever; its slot is the remainder. */
  #tick: number;
  #timer: Timer | undefined;
  #timerTick = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.nowMs() / SLOT_MS);
  }

  /** How many deadlines are set. */
  get count(): number {
    return this.#count;
  }

  /** Sets the deadline, or moves it when it is set; `Infinity` clears it. */
  set(deadline: Deadline, dueMs: number): void {
    const isPutOff = dueMs >= deadline.dueMs;
    deadline.dueMs = dueMs;
    if (deadline.isSet) {
      if (isPutOff && dueMs !== Number.POSITIVE_INFINITY) return;
      this.#unlink(deadline);
    }
    if (dueMs === Number.POSITIVE_INFINITY) return;
    if (this.#count === 0) this.#tick = Math.max(this.#tick, Math.floor(this.#clock.nowMs() / SLOT_MS));
    const tick = Math.max(tickOf(dueMs), this.#tick);
    this.#link(deadline, tick);
    if (tick < this.#timerTick) this.#arm(tick);
  }

  clear(deadline: Deadline): void {
    if (deadline.isSet) this.#unlink(deadline);
    // It may have been collected already by the slot that is firing now.
    deadline.dueMs = Number.POSITIVE_INFINITY;
  }

  /** Forgets every deadline: nothing is left that could keep a program running. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerTick = Number.POSITIVE_INFINITY;
    for (const head of this.#slots) while (head.next !== head) this.clear(head.next as Deadline);
  }

  #link(deadline: Deadline, tick: number): void {
    const head = this.#slots[tick & SLOT_MASK] as Deadline;
    deadline.previous = head.previous;
    deadline.next = head;
    (head.previous as Deadline).next = deadline;
    head.previous = deadline;
    this.#count++;
  }

  #unlink(deadline: Deadline): void {
    (deadline.previous as Deadline).next = deadline.next;
    (deadline.next as Deadline).previous = deadline.previous;
    deadline.previous = undefined;
    deadline.next = undefined;
    this.#count--;
  }

  #arm(tick: number): void {
    this.#timer?.cancel();
    this.#timerTick = tick;
    const delayMs = Math.max(tick * SLOT_MS - this.#clock.nowMs(), 0);
    this.#timer = this.#clock.setTimer(Math.ceil(delayMs), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerTick = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    const nowTick = Math.floor(nowMs / SLOT_MS);
    // After a long sleep of the machine one lap visits every slot.
    const from = Math.max(this.#tick, nowTick - SLOTS + 1);
    for (let tick = from; tick <= nowTick; tick++) {
      // Before it fires: a deadline that is set by another one and due already must not land where we have been.
      this.#tick = tick + 1;
      this.#fireSlot(tick & SLOT_MASK, nowMs);
    }
    this.#tick = nowTick + 1;
    this.#armNext();
  }

  #fireSlot(slot: number, nowMs: number): void {
    const head = this.#slots[slot] as Deadline;
    let deadline = head.next as Deadline;
    while (deadline !== head) {
      const next = deadline.next as Deadline;
      if (deadline.dueMs <= nowMs) {
        // Collected first: it may set or clear any deadline, those of this slot too.
        this.#unlink(deadline);
        this.#due.push(deadline);
      } else if ((tickOf(deadline.dueMs) & SLOT_MASK) !== slot) {
        this.#unlink(deadline);
        // Its slot is still to come: what is due after now is due in a later tick than that of now.
        this.#link(deadline, tickOf(deadline.dueMs));
      }
      deadline = next;
    }
    for (const due of this.#due.splice(0)) {
      if (due.isSet || due.dueMs > nowMs) continue;
      try {
        due.handleDue(nowMs);
      } catch (fault) {
        // A bug of ours, of which the program hears. The others' time has come all the same.
        reportError(fault);
      }
    }
  }

  /** BOUNDED by one slot's deadlines; empty outside of `#fireSlot`. */
  readonly #due: Deadline[] = [];

  /** Sleeps until the next slot that has anything in it, of whatever lap: an idle proxy wakes up seldom. */
  #armNext(): void {
    if (this.#count === 0) return;
    for (let ahead = 0; ahead < SLOTS; ahead++) {
      const tick = this.#tick + ahead;
      const head = this.#slots[tick & SLOT_MASK] as Deadline;
      if (head.next !== head) {
        if (tick < this.#timerTick) this.#arm(tick);
        return;
      }
    }
  }
}

/** The tick at whose beginning the whole of the slot has passed in which `dueMs` lies, so that nothing fires early. */
function tickOf(dueMs: number): number {
  return Math.ceil(dueMs / SLOT_MS);
}

function ringHead(): Deadline {
  const head = new Deadline();
  head.previous = head;
  head.next = head;
  return head;
}
