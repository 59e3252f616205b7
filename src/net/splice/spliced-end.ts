/** One socket of a tunnel whose bytes the kernel moves, with the pipe in which bytes that were read from it wait. */

import type { BulkEnd } from "../../ports/bulk.ts";
import type { Stream } from "../../ports/socket.ts";
import type { Pipe } from "./pipe-pool.ts";

/** See {@link SplicedEnd.watched}. */
export const UNWATCHED = -1;

/** What an end asks of the mover that serves it. */
export interface EndKeeper {
  terminate(end: SplicedEnd): void;
  setKeepAlive(end: SplicedEnd, isOn: boolean, delayMs: number): boolean;
}

export class SplicedEnd implements Stream {
  readonly fd: number;
  /** Names the end in the epoll instance. Never used twice while events of an earlier one may be on the way. */
  readonly id: number;
  readonly owner: BulkEnd;
  readonly settings: { readonly bufferSize: number };
  readonly #keeper: EndKeeper;
  /** Set right after both ends exist. */
  other!: SplicedEnd;
  /** What was read from this end and the other one has not taken yet. No pipe without bytes. */
  pipe: Pipe | undefined;
  held = 0;
  /** Nothing more is to be read: FIN has been seen, or the socket has failed. */
  isDry = false;
  /** FIN was seen here, and the side does not know yet. */
  hasEnded = false;
  /** The error that the socket has failed with. */
  code: string | undefined;
  /** The events that the epoll instance watches for, besides errors; {@link UNWATCHED}: the end is not in it. */
  watched: number = UNWATCHED;
  isClosed = false;
  /** Reads in a row that brought little. */
  smallReads = 0;

  constructor(fd: number, id: number, owner: BulkEnd, settings: { readonly bufferSize: number }, keeper: EndKeeper) {
    this.fd = fd;
    this.id = id;
    this.owner = owner;
    this.settings = settings;
    this.#keeper = keeper;
    this.isDry = owner.finReceived;
  }

  /** The socket is to be read: what it gave before is taken, or the buffer size leaves room. */
  get wantsToRead(): boolean {
    return !this.isDry && this.held < this.settings.bufferSize;
  }

  /** FIN was seen before the sockets were handed over, and nothing waits to be written: only RST can still come. */
  get isQuiet(): boolean {
    return this.isDry && !this.hasEnded && this.code === undefined && this.other.held === 0 && !this.owner.finSent;
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
