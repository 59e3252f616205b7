/** An epoll instance of our own, for descriptors that Bun's event loop does not know. */

import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, type Libc, SOCK_CLOEXEC } from "../libc.ts";

/** `struct epoll_event` is packed on x64: 4 bytes of events, 8 of data. Elsewhere 4 bytes of padding stand between. */
const DATA_WORD = process.arch === "x64" ? 1 : 2;
const EVENT_WORDS = DATA_WORD + 2;

/** The most events that one look reports. More wait for the next look. */
const EVENTS_MAX = 64;

export class Epoll {
  readonly fd: number;
  readonly #libc: Libc;
  readonly #ready: Uint32Array = new Uint32Array(EVENT_WORDS * EVENTS_MAX);
  readonly #event: Uint32Array = new Uint32Array(EVENT_WORDS);

  private constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.fd = fd;
  }

  /** A new instance; `undefined` when there are no descriptors left. */
  static open(libc: Libc): Epoll | undefined {
    // EPOLL_CLOEXEC is the same number.
    const fd = libc.epoll_create1(SOCK_CLOEXEC);
    return fd < 0 ? undefined : new Epoll(libc, fd);
  }

  /** Watches `fd` for `events`; `id` and `generation` (32 bits each) come back with each. Returns whether the kernel agreed. */
  add(fd: number, events: number, id: number, generation = 0): boolean {
    return this.#control(EPOLL_CTL_ADD, fd, events, id, generation);
  }

  change(fd: number, events: number, id: number, generation = 0): boolean {
    return this.#control(EPOLL_CTL_MOD, fd, events, id, generation);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0, 0);
  }

  /** Calls `handle` with what is ready now; does not wait. Returns how many that were. */
  poll(handle: (events: number, id: number, generation: number) => void): number {
    const ready = this.#ready;
    const count = this.#libc.epoll_wait(this.fd, ready, EVENTS_MAX, 0);
    for (let at = 0; at < count * EVENT_WORDS; at += EVENT_WORDS) {
      handle(ready[at] as number, ready[at + DATA_WORD] as number, ready[at + DATA_WORD + 1] as number);
    }
    return count;
  }

  close(): void {
    this.#libc.close(this.fd);
  }

  #control(operation: number, fd: number, events: number, id: number, generation: number): boolean {
    const event = this.#event;
    event[0] = events;
    event[DATA_WORD] = id;
    event[DATA_WORD + 1] = generation;
    return this.#libc.epoll_ctl(this.fd, operation, fd, event) === 0;
  }
}

/** Watches `fd` for `events` in the epoll instance `epoll`, whoever's that is, with all 64 bits of `data`. */
export function addWithData(libc: Libc, epoll: number, fd: number, events: number, data: bigint): boolean {
  const event = new Uint32Array(EVENT_WORDS);
  event[0] = events;
  event[DATA_WORD] = Number(data & 0xffff_ffffn);
  event[DATA_WORD + 1] = Number(data >> 32n);
  return libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event) === 0;
}

/** Takes `fd` out of the epoll instance `epoll`. */
export function removeFrom(libc: Libc, epoll: number, fd: number): boolean {
  return libc.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, new Uint32Array(EVENT_WORDS)) === 0;
}
