/**
 * A connected TCP socket by system calls: what Bun's sockets do for the relay, at the price of C.
 *
 * It is watched edge-triggered (epoll(7)): told once what it is watched for, and never again until it must wait to write.
 * So a socket is read until it has no more: fewer bytes than were asked for say so, unless the same event says that the
 * end has come, too, or an urgent byte, at which a read stops. That byte itself is left out, as Bun does. A paused socket
 * remembers that there was an event, and asks for it again when it is resumed.
 *
 * The end of a socket: FIN of both sides closes it; an error closes it when everything that came before has been read.
 */

import { formatIp } from "../../bytes/ip.ts";
import type { ConnectedSocket, SocketOwner } from "../../ports/socket.ts";
import { EAGAIN, EINTR, errnoName } from "../errno.ts";
import { setKeepAlive } from "../keep-alive.ts";
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  IPPROTO_TCP,
  type Libc,
  MSG_NOSIGNAL,
  SHUT_WR,
  TCP_NODELAY,
} from "../libc.ts";
import { localEndpoint } from "../tcp-socket.ts";
import type { Polled, Poller } from "./poller.ts";
import { resetOnClose, takeError } from "./socket-calls.ts";

/** The most that one event reads, in bytes; a socket that has more comes again after the others. */
const READ_BYTES = 262_144;
/** All sockets are read into this; what the owner does not pass on at once, it copies. */
const buffer = new Uint8Array(READ_BYTES);
/** Views of its beginning, by their length: making one is a call into the runtime. */
const views: readonly Uint8Array[] = Array.from({ length: 257 }, (_, length) => buffer.subarray(0, length));

function viewOf(count: number): Uint8Array {
  return views[count] ?? buffer.subarray(0, count);
}

const ENDED = EPOLLRDHUP | EPOLLERR | EPOLLHUP;
const FAILED = EPOLLERR | EPOLLHUP;
const READABLE = EPOLLIN | ENDED;
/** What a socket is watched for from its first moment. */
export const READING: number = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
/** And from the first time on that it could not take bytes. */
export const READING_AND_WRITING: number = READING | EPOLLOUT;

/** How far a socket has come: bits of one number, since there are tens of thousands. */
const CLOSED = 1;
const PAUSED = 2;
/** While it was paused there was an event. */
const SKIPPED = 4;
const FIN_RECEIVED = 8;
const FIN_SENT = 16;
/** It could not take everything: its owner waits to be told when it can. */
const BLOCKED = 32;
/** It is watched for being writable. */
const WATCHED_OUT = 64;
/** It wants TCP_NODELAY, and has not needed it yet. */
const NO_DELAY_DUE = 128;
/** It has been written to. */
const WRITTEN = 256;
/** What every TCP segment may carry, in bytes (RFC 9293 §3.7.1). */
const SEGMENT_BYTES = 536;
const ON = Int32Array.of(1);

export interface PolledSocketState {
  /** What the poller watches the descriptor for includes being writable. */
  readonly isWatchedOut?: boolean;
  readonly finReceived?: boolean;
  readonly finSent?: boolean;
  /** The owner has bytes to write, and waits for `handleDrain`. */
  readonly isBlocked?: boolean;
  /** TCP_NODELAY is wanted, and not set. */
  readonly isNoDelayDue?: boolean;
}

export class PolledSocket implements ConnectedSocket, Polled {
  data: SocketOwner;
  generation = 0;
  readonly #libc: Libc;
  readonly #poller: Poller;
  #fd: number;
  #flags = 0;
  /** The error that a write has met: the end of the data looks like FIN after it, and is none. */
  #code: string | undefined;

  /** @param fd - Connected, and not blocking. The caller gives it to the poller, with {@link READING} or more. */
  constructor(libc: Libc, poller: Poller, fd: number, owner: SocketOwner) {
    this.#libc = libc;
    this.#poller = poller;
    this.#fd = fd;
    this.data = owner;
  }

  /** -1 once it is closed, or has been given away. */
  get fd(): number {
    return this.#fd;
  }

  /** It has met an error that only it remembers: what it has received comes first, and then this is told. */
  get hasFailed(): boolean {
    return this.#code !== undefined;
  }

  get localAddress(): string {
    const local = localEndpoint(this);
    return local === undefined ? "" : formatIp(local.ip);
  }

  #is(flags: number): boolean {
    return (this.#flags & flags) !== 0;
  }

  /** Says what has happened to the descriptor before it came here. */
  continueFrom({ isWatchedOut, finReceived, finSent, isBlocked, isNoDelayDue }: PolledSocketState): void {
    this.#flags |=
      (isWatchedOut ? WATCHED_OUT : 0) |
      (finReceived ? FIN_RECEIVED : 0) |
      (finSent ? FIN_SENT : 0) |
      (isBlocked ? BLOCKED : 0) |
      (isNoDelayDue ? NO_DELAY_DUE : 0);
  }

  /** It failed when it was connected already: what it has received comes first. */
  failAfterReading(code: string): void {
    this.#code = code;
  }

  handleEvents(events: number): void {
    if (this.#is(BLOCKED) && (events & (EPOLLOUT | FAILED)) !== 0) {
      this.#flags &= ~BLOCKED;
      this.data.handleDrain();
    }
    if ((events & READABLE) === 0 || this.#is(CLOSED)) return;
    if (!this.#is(FIN_RECEIVED)) {
      if (this.#is(PAUSED)) this.#flags |= SKIPPED;
      else this.#read(events);
    }
    // With FIN read nothing can come before an error, which no read would tell: the kernel would say FIN again.
    if ((events & FAILED) === 0 || this.#is(CLOSED) || !this.#is(FIN_RECEIVED)) return;
    this.#closeWith(this.#code ?? takeError(this.#libc, this.#fd));
  }

  handleFault(): void {
    this.terminate();
  }

  /** Reads what there is. @param events - Those that say that there is something. */
  #read(events: number): void {
    for (;;) {
      const count = this.#libc.recv(this.#fd, buffer, READ_BYTES, 0);
      if (count > 0) {
        this.data.handleData(viewOf(count));
        if (this.#is(CLOSED)) return;
        if (this.#is(PAUSED)) {
          // There may be more.
          this.#flags |= SKIPPED;
          return;
        }
        if (count === READ_BYTES || (events & EPOLLPRI) !== 0) {
          this.#askAgain();
          return;
        }
        if ((events & ENDED) !== 0) continue;
        return;
      }
      if (count === 0) {
        this.#handleFin();
        return;
      }
      const errno = this.#libc.errno();
      if (errno === EINTR) continue;
      if (errno !== EAGAIN) this.#closeWith(this.#code ?? errnoName(errno));
      return;
    }
  }

  #handleFin(): void {
    if (this.#code !== undefined) {
      this.#closeWith(this.#code);
      return;
    }
    this.#flags |= FIN_RECEIVED;
    this.data.handleEnd();
    if (this.#is(FIN_SENT) && !this.#is(CLOSED)) this.#closeWith(undefined);
  }

  /** Has the poller report anew what is ready. */
  #askAgain(): void {
    this.#poller.change(this.#fd, this.#is(WATCHED_OUT) ? READING_AND_WRITING : READING, this);
  }

  write(bytes: Uint8Array): number {
    if (this.#is(CLOSED)) return -1;
    if (this.#is(NO_DELAY_DUE)) this.#setNoDelay(bytes.length);
    for (;;) {
      const count = this.#libc.send(this.#fd, bytes, bytes.length, MSG_NOSIGNAL);
      if (count === bytes.length) return count;
      if (count >= 0) {
        this.#waitToWrite();
        return count;
      }
      const errno = this.#libc.errno();
      if (errno === EINTR) continue;
      if (errno === EAGAIN) {
        this.#waitToWrite();
        return 0;
      }
      this.#code ??= errnoName(errno);
      // Whatever was reported before: the owner is to hear of the end by an event, and of all bytes before it.
      this.#askAgain();
      return -1;
    }
  }

  /** Where nothing has been sent, one segment goes out at once anyway (RFC 9293 §3.7.4): many sockets send no more. */
  #setNoDelay(bytes: number): void {
    if (!this.#is(WRITTEN) && bytes <= SEGMENT_BYTES) {
      this.#flags |= WRITTEN;
      return;
    }
    this.#flags &= ~NO_DELAY_DUE;
    this.#libc.setsockopt(this.#fd, IPPROTO_TCP, TCP_NODELAY, ON, 4);
  }

  #waitToWrite(): void {
    this.#flags |= BLOCKED;
    if (this.#is(WATCHED_OUT)) return;
    this.#flags |= WATCHED_OUT;
    this.#askAgain();
  }

  shutdown(): void {
    if (this.#is(CLOSED | FIN_SENT)) return;
    this.#flags |= FIN_SENT;
    if (this.#is(FIN_RECEIVED)) this.#closeWith(undefined);
    else this.#libc.shutdown(this.#fd, SHUT_WR);
  }

  close(): void {
    if (!this.#is(CLOSED)) this.#closeWith(undefined);
  }

  terminate(): void {
    if (this.#is(CLOSED)) return;
    resetOnClose(this.#libc, this.#fd);
    this.#closeWith(undefined);
  }

  pause(): void {
    this.#flags |= PAUSED;
  }

  resume(): void {
    if (!this.#is(PAUSED)) return;
    this.#flags &= ~PAUSED;
    if (!this.#is(SKIPPED) || this.#is(CLOSED)) return;
    this.#flags &= ~SKIPPED;
    this.#askAgain();
  }

  setKeepAlive(isOn: boolean, delayMs: number): boolean {
    return !this.#is(CLOSED) && setKeepAlive(this.#libc, this.#fd, isOn, delayMs);
  }

  /** Gives the descriptor away, as it is, with its place in the poller. Nobody hears anything from here any more. */
  detach(): number {
    const fd = this.#fd;
    if (this.#is(NO_DELAY_DUE)) this.#libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, 4);
    this.#flags |= CLOSED;
    this.#fd = -1;
    return fd;
  }

  #closeWith(code: string | undefined): void {
    const fd = this.#fd;
    this.#flags |= CLOSED;
    this.#fd = -1;
    this.#poller.forget(fd);
    this.#libc.close(fd);
    this.data.handleClose(code);
  }
}
