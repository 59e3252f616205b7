/**
 * Moves the bytes of tunnels by splice(2): from a socket into a pipe and from the pipe into the other socket, so that they
 * never enter the process's memory. It takes over the descriptors of our own sockets, with their places in the poller.
 *
 * It does the one thing, and leaves every end to the relay: at FIN, at an error, or when it cannot go on, the tunnel goes
 * home. An error is reported when everything that came before it has been moved.
 */

import type { BulkEnd, BulkMover, BulkTunnel } from "../../ports/bulk.ts";
import { PolledSocket, READING_AND_WRITING } from "../epoll/polled-socket.ts";
import type { Poller } from "../epoll/poller.ts";
import { resetOnClose, takeError } from "../epoll/socket-calls.ts";
import { EAGAIN, EINTR, errnoName } from "../errno.ts";
import { setKeepAlive } from "../keep-alive.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, type Libc, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from "../libc.ts";
import { PIPE_BYTES, PipePool } from "./pipe-pool.ts";
import { type EndKeeper, Reading, SplicedEnd, UNWATCHED } from "./spliced-end.ts";

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
  readonly #poller: Poller;
  readonly #pipes: PipePool;
  readonly #smallReadsMax: number;
  #endCount = 0;

  /** @param poller - Which the sockets of tunnels are in. */
  constructor(libc: Libc, poller: Poller, { pipes, keepsSmall }: SplicerOptions) {
    this.#libc = libc;
    this.#poller = poller;
    this.#pipes = new PipePool(libc, pipes);
    this.#smallReadsMax = keepsSmall ? Number.POSITIVE_INFINITY : SMALL_READS_MAX;
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
    const { stream: clientSocket } = client;
    const { stream: targetSocket } = target;
    // Bun's sockets cannot be taken from it.
    if (!(clientSocket instanceof PolledSocket && targetSocket instanceof PolledSocket)) return undefined;
    // The kernel has told the error, and would say FIN to anybody else.
    if (clientSocket.hasFailed || targetSocket.hasFailed) return undefined;
    if (clientSocket.fd < 0 || targetSocket.fd < 0 || !this.#pipes.hasRoom) return undefined;
    const clientEnd = this.#newEnd(clientSocket, client);
    const targetEnd = this.#newEnd(targetSocket, target);
    clientEnd.other = targetEnd;
    targetEnd.other = clientEnd;
    this.#watch(clientEnd);
    this.#watch(targetEnd);
    return clientEnd;
  }

  /** Ends one socket with RST, and reports it closed. What was on the way from or to it is lost. */
  terminate(end: SplicedEnd): void {
    if (end.isClosed) return;
    this.#leave(end);
    this.#dropPipe(end);
    this.#dropPipe(end.other);
    this.#closeWithReset(end);
    end.owner.handleClose(undefined);
  }

  setKeepAlive(end: SplicedEnd, isOn: boolean, delayMs: number): boolean {
    return !end.isClosed && setKeepAlive(this.#libc, end.fd, isOn, delayMs);
  }

  /** Frees the pipes. No tunnel may be left. */
  close(): void {
    this.#pipes.close();
  }

  #newEnd(socket: PolledSocket, owner: BulkEnd): SplicedEnd {
    const end = new SplicedEnd(socket.detach(), owner, this);
    this.#poller.pass(end.fd, end);
    this.#endCount++;
    return end;
  }

  serve(end: SplicedEnd, events: number): void {
    if (end.other.held > 0 && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#deliver(end.other);
    if (end.wantsToRead && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) !== 0 && !this.#fetch(end)) {
      this.#goHome(end);
      return;
    }
    // Nothing is read from it and nothing is written to it, so only this tells.
    if (end.isQuiet && (events & (EPOLLERR | EPOLLHUP)) !== 0) this.#fail(end, takeError(this.#libc, end.fd));
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
    // The socket has bytes and none can be moved: the pipe is full before the buffer size is reached, or an urgent byte
    // comes next, which splice(2) never passes.
    if (count === -EAGAIN) return false;
    if (end.held === 0) this.#dropPipe(end);
    if (count === 0) {
      // After a write has met a RST, the end of the data looks like FIN.
      end.reading = end.code === undefined ? Reading.Ended : Reading.Off;
    } else {
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
    const before = end.watched;
    end.watched = watched;
    if (watched === UNWATCHED) this.#poller.silence(end.fd);
    else if (before !== UNWATCHED) this.#poller.change(end.fd, events, end);
    else if (!this.#poller.watchAgain(end.fd, events, end)) {
      // The kernel has no memory for it: nobody would hear of this socket again.
      this.terminate(end);
      this.terminate(end.other);
    }
  }

  #goHome(end: SplicedEnd): void {
    const { other } = end;
    const heldForOther = this.#readPipe(end);
    const heldForEnd = this.#readPipe(other);
    this.#leave(end);
    this.#leave(other);
    this.#settleAtHome(end, heldForEnd);
    this.#settleAtHome(other, heldForOther);
    for (const each of [end, other]) {
      if (each.code === undefined) continue;
      this.#closeWithReset(each);
      each.owner.handleClose(each.code);
    }
  }

  #closeWithReset(end: SplicedEnd): void {
    this.#poller.forget(end.fd);
    resetOnClose(this.#libc, end.fd);
    this.#libc.close(end.fd);
  }

  #settleAtHome(end: SplicedEnd, held: Uint8Array | undefined): void {
    if (end.code !== undefined) return;
    const { fd, owner } = end;
    const { finReceived, finSent } = owner;
    const socket = new PolledSocket(this.#libc, this.#poller, fd, owner);
    // Told at once that it can write, and so with what is held.
    socket.continueFrom({ isWatchedOut: true, isBlocked: true, finReceived, finSent });
    this.#poller.pass(fd, socket);
    const isWatched =
      end.watched === UNWATCHED
        ? this.#poller.watchAgain(fd, READING_AND_WRITING, socket)
        : this.#poller.change(fd, READING_AND_WRITING, socket);
    owner.handleHome(socket, held);
    if (!isWatched) socket.terminate();
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

  /** The end is served no more; its descriptor is somebody else's business. */
  #leave(end: SplicedEnd): void {
    end.isClosed = true;
    this.#endCount--;
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
