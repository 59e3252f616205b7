/**
 * Moves the bytes of tunnels by splice(2): from a socket into a pipe and from the pipe into the other socket, so that they
 * never enter the process's memory. It runs in Bun's event loop, on an epoll instance of its own.
 *
 * It does the one thing, and leaves every end to the relay: at FIN, at an error, or when it cannot go on, the tunnel goes
 * home. An error is reported when everything that came before it has been moved.
 */

import type { BulkEnd, BulkMover, BulkTunnel } from "../../ports/bulk.ts";
import { EAGAIN, EINTR, errnoName } from "../errno.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  type Libc,
  libc,
  SO_ERROR,
  SOL_SOCKET,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from "../libc.ts";
import { Epoll } from "./epoll.ts";
import { adopt, closeWithReset, duplicate, release, setKeepAlive } from "./handover.ts";
import { LoopWake, PROBE_ID } from "./loop-wake.ts";
import { PIPE_BYTES, PipePool } from "./pipe-pool.ts";
import { type EndKeeper, Reading, SplicedEnd, UNWATCHED } from "./spliced-end.ts";

/** What an end is called in the epoll instance: this and its descriptor. */
const FIRST_ID = PROBE_ID + 1;
const FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
/** A read below this many bytes is cheaper by copying. */
const SMALL_BYTES = 4096;
/** After so many small reads in a row, a tunnel is a conversation and goes home. */
const SMALL_READS_MAX = 256;

export interface SplicerOptions {
  /** The most pipes at once; a tunnel needs one for each direction in which bytes are on the way. */
  readonly pipes: number;
  /** Whether a tunnel that has become a conversation stays. */
  readonly keepsSmall: boolean;
}

export class Splicer implements BulkMover, EndKeeper {
  readonly #libc: Libc;
  readonly #epoll: Epoll;
  readonly #wake: LoopWake;
  readonly #pipes: PipePool;
  readonly #smallReadsMax: number;
  /** By descriptor. BOUNDED by the descriptors of the process. */
  readonly #ends: (SplicedEnd | undefined)[] = [];
  #endCount = 0;
  #generation = 0;
  /** Settles when the way into the event loop is proven, or cannot be. For tests: nobody else needs to wait. */
  readonly ready: Promise<void>;

  private constructor(c: Libc, epoll: Epoll, { pipes, keepsSmall }: SplicerOptions) {
    this.#libc = c;
    this.#epoll = epoll;
    this.#pipes = new PipePool(c, pipes);
    this.#smallReadsMax = keepsSmall ? Number.POSITIVE_INFINITY : SMALL_READS_MAX;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#wake = new LoopWake(c, epoll, () => epoll.poll(this.#handleEvent), resolve);
  }

  /** A splicer, where the system has what it needs. It takes tunnels some turns of the event loop later. */
  static open(options: SplicerOptions, c: Libc | undefined = libc): Splicer | undefined {
    const epoll = c === undefined ? undefined : Epoll.open(c);
    return c === undefined || epoll === undefined ? undefined : new Splicer(c, epoll, options);
  }

  /** Whether it takes tunnels. */
  get isReady(): boolean {
    return this.#wake.isReady;
  }

  /** Tunnels being moved. */
  get tunnels(): number {
    return this.#endCount / 2;
  }

  /** Pipes that exist, and those that bytes are in. */
  get pipes(): { readonly open: number; readonly taken: number } {
    return { open: this.#pipes.open, taken: this.#pipes.taken };
  }

  take(client: BulkEnd, target: BulkEnd): BulkTunnel | undefined {
    if (!this.#wake.isReady || !this.#pipes.hasRoom) return undefined;
    const clientFd = duplicate(this.#libc, client.stream);
    if (clientFd < 0) return undefined;
    const targetFd = duplicate(this.#libc, target.stream);
    if (targetFd < 0) {
      this.#libc.close(clientFd);
      return undefined;
    }
    release(this.#libc, client.stream, clientFd);
    release(this.#libc, target.stream, targetFd);
    const clientEnd = this.#newEnd(clientFd, client);
    const targetEnd = this.#newEnd(targetFd, target);
    clientEnd.other = targetEnd;
    targetEnd.other = clientEnd;
    this.#watch(clientEnd);
    this.#watch(targetEnd);
    return clientEnd;
  }

  /** Ends one socket with RST, and reports it closed. What was on the way from or to it is lost. */
  terminate(end: SplicedEnd): void {
    if (end.isClosed) return;
    this.#forget(end);
    this.#dropPipe(end);
    this.#dropPipe(end.other);
    closeWithReset(this.#libc, end.fd);
    end.owner.handleClose(undefined);
  }

  setKeepAlive(end: SplicedEnd, isOn: boolean, delayMs: number): boolean {
    return !end.isClosed && setKeepAlive(this.#libc, end.fd, isOn, delayMs);
  }

  /** Frees everything. No tunnel may be left. */
  close(): void {
    this.#wake.close();
    this.#pipes.close();
    this.#epoll.close();
  }

  #newEnd(fd: number, owner: BulkEnd): SplicedEnd {
    this.#generation = (this.#generation + 1) >>> 0;
    const end = new SplicedEnd(fd, this.#generation, owner, this);
    this.#ends[fd] = end;
    this.#endCount++;
    this.#wake.keepsAlive = true;
    return end;
  }

  readonly #handleEvent = (events: number, id: number, generation: number): void => {
    const end = this.#ends[id - FIRST_ID];
    // Gone home by an earlier event of the same look, and perhaps another socket has its descriptor now.
    if (end === undefined || end.generation !== generation) return;
    try {
      this.#serve(end, events);
    } catch (fault) {
      // A bug of ours: it ends the one tunnel, and the program hears of it.
      this.terminate(end);
      this.terminate(end.other);
      reportError(fault);
    }
  };

  #serve(end: SplicedEnd, events: number): void {
    if (end.other.held > 0 && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#deliver(end.other);
    if (end.wantsToRead && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) !== 0 && !this.#fetch(end)) {
      this.#goHome(end);
      return;
    }
    // Nothing is read from it and nothing is written to it, so only this tells.
    if (end.isQuiet && (events & (EPOLLERR | EPOLLHUP)) !== 0) this.#fail(end, this.#takeError(end));
    this.settle(end);
  }

  /** Reads what there is from `end`, and passes it on. Returns false when only the relay can go on. */
  #fetch(end: SplicedEnd): boolean {
    end.pipe ??= this.#pipes.take();
    const { pipe } = end;
    if (pipe === undefined) return false;
    const count = this.#splice(end.fd, pipe.writeFd, PIPE_BYTES);
    if (count > 0) {
      end.held += count;
      this.#deliver(end);
      end.smallReads = count < SMALL_BYTES ? end.smallReads + 1 : 0;
      return end.smallReads < this.#smallReadsMax;
    }
    // The socket has bytes and the pipe takes none: it is full before the buffer size is reached.
    if (count === -EAGAIN && end.held > 0) return false;
    if (end.held === 0) this.#dropPipe(end);
    if (count === 0) {
      // After a write has met a RST, the end of the data looks like FIN.
      end.reading = end.code === undefined ? Reading.Ended : Reading.Off;
    } else if (count !== -EAGAIN) {
      this.#fail(end, errnoName(-count));
      end.reading = Reading.Off;
    }
    return true;
  }

  /** Writes what was read from `end` to the other one. */
  #deliver(end: SplicedEnd): void {
    const { pipe, other } = end;
    if (pipe === undefined) return;
    while (end.held > 0) {
      const count = this.#splice(pipe.readFd, other.fd, end.held);
      if (count === -EAGAIN) return;
      if (count <= 0) {
        this.#fail(other, errnoName(-count));
        this.#dropPipe(end);
        if (end.reading === Reading.On) end.reading = Reading.Off;
        return;
      }
      end.held -= count;
      other.owner.handleMoved(count);
    }
    this.#dropPipe(end);
  }

  /** Returns how many bytes were moved, or the negative error number. */
  #splice(from: number, to: number, size: number): number {
    for (;;) {
      const count = this.#libc.splice(from, null, to, null, size, FLAGS);
      if (count >= 0) return count;
      const errno = this.#libc.errno();
      // A signal came first, such as the engine's own to its threads.
      if (errno !== EINTR) return -errno;
    }
  }

  #fail(end: SplicedEnd, code: string): void {
    end.code ??= code;
  }

  /** After something has happened to either end: home, when one has ended and gave everything; else on watch. */
  settle(end: SplicedEnd): void {
    const { other } = end;
    if (end.isClosed || other.isClosed) return;
    if (this.#isOver(end) || this.#isOver(other)) {
      this.#goHome(end);
      return;
    }
    this.#watch(end);
    this.#watch(other);
  }

  #isOver(end: SplicedEnd): boolean {
    return end.held === 0 && end.isDry && (end.reading === Reading.Ended || end.code !== undefined);
  }

  #watch(end: SplicedEnd): void {
    const events = (end.wantsToRead ? EPOLLIN : 0) | (end.other.held > 0 ? EPOLLOUT : 0);
    // A RST is reported whatever is asked for. Where it has to wait for the bytes before it, it is not looked for.
    const watched = events === 0 && !end.isQuiet ? UNWATCHED : events;
    if (watched === end.watched) return;
    if (watched === UNWATCHED) this.#epoll.remove(end.fd);
    else if (end.watched === UNWATCHED) this.#epoll.add(end.fd, events, end.fd + FIRST_ID, end.generation);
    else this.#epoll.change(end.fd, events, end.fd + FIRST_ID, end.generation);
    end.watched = watched;
  }

  #takeError(end: SplicedEnd): string {
    const value = new Int32Array(1);
    this.#libc.getsockopt(end.fd, SOL_SOCKET, SO_ERROR, value, Uint32Array.of(4));
    return value[0] === 0 ? "ECONNRESET" : errnoName(value[0] as number);
  }

  #goHome(end: SplicedEnd): void {
    const { other } = end;
    const heldForOther = this.#readPipe(end);
    const heldForEnd = this.#readPipe(other);
    this.#forget(end);
    this.#forget(other);
    this.#settleAtHome(end, heldForEnd);
    this.#settleAtHome(other, heldForOther);
    for (const each of [end, other]) {
      if (each.code === undefined) continue;
      closeWithReset(this.#libc, each.fd);
      each.owner.handleClose(each.code);
    }
  }

  #settleAtHome(end: SplicedEnd, held: Uint8Array | undefined): void {
    if (end.code !== undefined) return;
    end.owner.handleHome(adopt(end.fd, end.owner, end.owner.finSent), held);
  }

  /** What was read from `end`, taken out of its pipe. BOUNDED by the pipe. */
  #readPipe(end: SplicedEnd): Uint8Array | undefined {
    const { pipe, held } = end;
    if (pipe === undefined || held === 0) return undefined;
    const bytes = new Uint8Array(held);
    let filled = 0;
    while (filled < held) {
      const count = this.#libc.read(pipe.readFd, filled === 0 ? bytes : bytes.subarray(filled), held - filled);
      if (count <= 0) throw new Error(`a pipe lost ${held - filled} of ${held} bytes`);
      filled += count;
    }
    end.held = 0;
    this.#dropPipe(end);
    return bytes;
  }

  #forget(end: SplicedEnd): void {
    end.isClosed = true;
    if (end.watched !== UNWATCHED) this.#epoll.remove(end.fd);
    end.watched = UNWATCHED;
    this.#ends[end.fd] = undefined;
    this.#endCount--;
    if (this.#endCount === 0) this.#wake.keepsAlive = false;
    if (end.pipe !== undefined && end.held === 0) this.#dropPipe(end);
  }

  #dropPipe(end: SplicedEnd): void {
    const { pipe } = end;
    if (pipe === undefined) return;
    end.pipe = undefined;
    this.#pipes.giveBack(pipe, end.held === 0);
    end.held = 0;
  }
}
