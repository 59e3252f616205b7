/** One socket of a tunnel whose bytes the kernel moves, with the pipe in which bytes that were read from it wait. */

import type { BulkEnd, BulkTunnel } from "../../ports/bulk.ts";
import type { Stream } from "../../ports/socket.ts";
import type { Polled } from "../epoll/poller.ts";
import type { Pipe } from "./pipe-pool.ts";

/** See {@link SplicedEnd.watched}. */
export const UNWATCHED = -1;

/** Still those of the socket that it was. */
const AS_BEFORE = -2;

/** Whether there is more to come from a socket. */
export const Reading = {
  On: 0,
  /** FIN was seen, and the side does not know yet. */
  Ended: 1,
  /** FIN was seen at home, or the socket has failed. */
  Off: 2,
} as const;
export type Reading = (typeof Reading)[keyof typeof Reading];

/** What an end asks of the mover that serves it. */
export interface EndKeeper {
  /** Does what the events call for. */
  serve(end: SplicedEnd, events: number): void;
  terminate(end: SplicedEnd): void;
  setKeepAlive(end: SplicedEnd, isOn: boolean, delayMs: number): boolean;
  /** The buffer size has changed. */
  settle(end: SplicedEnd): void;
}

/** The end of the client stands for the whole tunnel, too. */
export class SplicedEnd implements Stream, BulkTunnel, Polled {
  readonly fd: number;
  generation = 0;
  readonly owner: BulkEnd;
  readonly #keeper: EndKeeper;
  /** Set right after both ends exist. */
  other!: SplicedEnd;
  /** What was read from this end and the other one has not taken yet. No pipe without bytes. */
  pipe: Pipe | undefined;
  held = 0;
  reading: Reading;
  /** The error that the socket has failed with. */
  code: string | undefined;
  /** The events that the poller watches for, besides errors; {@link UNWATCHED}: none, not even those. */
  watched: number = AS_BEFORE;
  isClosed = false;
  /** Reads in a row that brought little. */
  smallReads = 0;

  constructor(fd: number, owner: BulkEnd, keeper: EndKeeper) {
    this.fd = fd;
    this.owner = owner;
    this.#keeper = keeper;
    this.reading = owner.finReceived ? Reading.Off : Reading.On;
  }

  handleEvents(events: number): void {
    this.#keeper.serve(this, events);
  }

  /** A bug of ours: it ends the one tunnel. */
  handleFault(): void {
    this.terminate();
    this.other.terminate();
  }

  get client(): Stream {
    return this;
  }

  get target(): Stream {
    return this.other;
  }

  applyBufferSize(): void {
    this.#keeper.settle(this);
  }

  /** Nothing more is to be read. */
  get isDry(): boolean {
    return this.reading !== Reading.On;
  }

  /** The socket is to be read: what it gave before is taken, or the buffer size leaves room. */
  get wantsToRead(): boolean {
    return !this.isDry && this.held < this.owner.bufferSize;
  }

  /** FIN was seen before the sockets were handed over, and nothing waits to be written: only RST can still come. */
  get isQuiet(): boolean {
    return this.reading === Reading.Off && this.code === undefined && this.other.held === 0 && !this.owner.finSent;
  }

  terminate(): void {
    this.#keeper.terminate(this);
  }

  setKeepAlive(isOn: boolean, delayMs: number): boolean {
    return this.#keeper.setKeepAlive(this, isOn, delayMs);
  }

  /** Nothing that a side holds is written here: it hands over with nothing left, and gets nothing from here. */
  write(): number {
    throw new Error("a socket that is being spliced cannot be written to");
  }

  shutdown(): void {
    throw new Error("a socket that is being spliced ends at home");
  }

  close(): void {
    throw new Error("a socket that is being spliced ends at home");
  }

  /** The buffer size steers the reading. */
  pause(): void {
    throw new Error("a socket that is being spliced cannot be paused");
  }

  resume(): void {
    throw new Error("a socket that is being spliced cannot be resumed");
  }
}
