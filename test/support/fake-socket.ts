/** A connected socket without a network: the test decides what its kernel takes and what its peer does. */

import { expect } from "bun:test";
import type { ConnectedSocket, GentleReset, SocketOwner } from "../../src/ports/socket.ts";

/**
 * Behaves as Bun's sockets were seen to behave on Linux:
 * - `terminate` calls `close`, without a code, before it returns;
 * - a FIN after our own shows as `close` and not as `end`;
 * - a RST shows as `close` with its code, after all bytes before it, read or paused;
 * - a write that meets the RST first takes the code away with it: it returns -1, and `end` and a `close` without a code
 *   follow, on a paused socket only once it is resumed.
 */
export class FakeSocket implements ConnectedSocket {
  /** Nobody's until somebody takes it: an event before that is a bug, as it is with Bun. */
  data: SocketOwner = undefined as unknown as SocketOwner;
  /** What the kernel still takes. */
  room: number;
  /** Everything that the kernel has taken, in order. */
  readonly written: Uint8Array[] = [];
  writtenBytes = 0;
  /** How many calls of `write` took something. */
  writes = 0;
  isPaused = false;
  finSent = false;
  /** We have reset the connection. */
  isTerminated = false;
  isClosed = false;
  keepAliveMs: number | undefined;
  localAddress = "127.0.0.1";
  #finReceived = false;
  #resetUnnoticed = false;
  #resetWritten = false;
  /** What the peer has sent and we have not read. */
  #inbox: Uint8Array[] = [];

  constructor(room: number = Number.POSITIVE_INFINITY) {
    this.room = room;
  }

  write(bytes: Uint8Array): number {
    if (this.#resetUnnoticed) this.#resetWritten = true;
    if (this.isClosed || this.#resetUnnoticed) return -1;
    expect(this.finSent).toBe(false);
    const taken = Math.min(bytes.length, this.room);
    this.room -= taken;
    if (taken > 0) {
      this.writes++;
      this.written.push(bytes.slice(0, taken));
      this.writtenBytes += taken;
    }
    return taken;
  }

  shutdown(): void {
    if (this.isClosed) return;
    expect(this.finSent).toBe(false);
    this.finSent = true;
  }

  close(): void {
    if (this.isClosed) return;
    // Closed with anything unread, the kernel would send RST.
    expect([this.#finReceived || this.#resetWritten, this.#inbox.length, this.finSent]).toEqual([true, 0, false]);
    this.finSent = true;
    this.#close(undefined);
  }

  terminate(): void {
    if (this.isClosed) return;
    this.isTerminated = true;
    this.#close(undefined);
  }

  pause(): void {
    expect(this.isClosed || !this.isPaused).toBe(true);
    this.isPaused = true;
  }

  resume(): void {
    expect(this.isClosed || this.isPaused).toBe(true);
    this.isPaused = false;
  }

  setKeepAlive(isOn: boolean, delayMs: number): boolean {
    this.keepAliveMs = isOn ? delayMs : undefined;
    return true;
  }

  /** The kernel takes `bytes` more. */
  drain(bytes: number = Number.POSITIVE_INFINITY): void {
    this.room += bytes;
    if (!this.isClosed && bytes > 0) this.data.handleDrain();
  }

  /** The peer sends bytes; they wait while the socket is paused. */
  peerSends(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    if (!this.isPaused) this.readInbox();
  }

  /** The peer sends FIN, noticed once everything before it has been read. */
  peerFinishes(): void {
    this.#finReceived = true;
    if (!this.isPaused) this.readInbox();
  }

  /** The peer resets the connection. */
  peerResets(code = "ECONNRESET"): void {
    this.#deliverInbox(true);
    this.#close(code);
  }

  /** The peer resets the connection, but the next write meets the reset before the event loop does. */
  peerResetsUnnoticed(): void {
    this.#resetUnnoticed = true;
  }

  /** A turn of the event loop for this socket: what waits and may be read is, and what ended is noticed. */
  readInbox(): void {
    if (this.isClosed) return;
    if (this.#resetUnnoticed) {
      if (this.#resetWritten && this.isPaused) return;
      this.#deliverInbox(true);
      if (this.isClosed) return;
      if (this.#resetWritten) this.data.handleEnd();
      this.#close(this.#resetWritten ? undefined : "ECONNRESET");
      return;
    }
    if (this.isPaused) return;
    this.#deliverInbox(false);
    if (this.isPaused || this.isClosed || !this.#finReceived) return;
    if (this.finSent) this.#close(undefined);
    else this.data.handleEnd();
  }

  /** Both sides have sent FIN: Bun closes the socket. */
  closeIfFinished(): void {
    if (!this.isPaused && this.finSent && this.#finReceived && this.#inbox.length === 0) this.#close(undefined);
  }

  /** All that was written, as one array. */
  allWritten(): Uint8Array {
    return Buffer.concat(this.written);
  }

  #deliverInbox(evenWhilePaused: boolean): void {
    while (this.#inbox.length > 0 && !this.isClosed && (evenWhilePaused || !this.isPaused)) {
      const [next] = this.#inbox.splice(0, 1);
      const lent = (next as Uint8Array).slice();
      this.data.handleData(lent);
      // The next socket is read into the same memory.
      lent.fill(0xee);
    }
  }

  #close(code: string | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.data.handleClose(code);
  }
}

/** For tests in which the kernel has always sent everything. */
export const resetAtOnce: GentleReset = (stream) => {
  stream.terminate();
  return () => undefined;
};
