/**
 * One side of a tunnel: a socket, what waits to be written to it, and how far its end has come. The tunnel's head comment
 * has the rules that both sides follow together.
 */

import { ByteQueue } from "../bytes/byte-queue.ts";
import type { BulkEnd } from "../ports/bulk.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";

/** What all tunnels share and an administrator may change while they run. */
export interface RelaySettings {
  /** The most that one direction holds in memory before it stops reading, in bytes. One read may overshoot it. */
  bufferSize: number;
}

/** Payload bytes of all tunnels since the start. */
export interface RelayTotals {
  bytes: number;
}

/** The tunnel, as its sides know it. */
export interface SideTunnel {
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  readonly reset: GentleReset;
  /** Something has happened: the tunnel is not silent. */
  touch(): void;
  /** The last that a side does with an event: `bytes` went to a socket. */
  handlePassed(bytes: number): void;
  /** A side has seen its FIN. */
  handleHalfClosed(): void;
  /** A mover gives back a side's socket. */
  handleHome(): void;
  /** A side's socket is gone without both FINs; `code` is the error that closed it. */
  handleLost(side: Side, code: string | undefined): void;
  /** A side's socket is closed. */
  handleSideClosed(): void;
  /** The side across. */
  peerOf(side: Side): Side;
}

/** How far a side has come. Bits of one number, since a proxy holds tens of thousands of sides, and mostly they do nothing. */
const PAUSED = 1;
const FIN_RECEIVED = 2;
const FIN_SENT = 4;
const CLOSED = 8;
/** A RST was sent, or met by a write. What the socket says from then on may look like a regular end, and is none. */
const BROKEN = 16;
/** The other side was reset: so will this one be, when it has taken everything. */
const RESET_WHEN_DRAINED = 32;

/** The driver calls `handle…` with the socket's events. */
export class Side implements BulkEnd {
  /** The runtime's socket, or what stands for it while a mover has it. */
  stream: Stream;
  readonly #tunnel: SideTunnel;
  /** What the socket could not take yet; most never have any. BOUNDED by the buffer size and one read. */
  #queue: ByteQueue | undefined;
  #flags = 0;
  /** Calls off the reset that waits for the kernel to send what it has. */
  #callOffReset: (() => void) | undefined;
  /** Payload bytes that the socket has taken; below 0 by the end of the handshake that it has not taken yet. */
  #written = 0;

  constructor(tunnel: SideTunnel, stream: Stream) {
    this.#tunnel = tunnel;
    this.stream = stream;
  }

  get peer(): Side {
    return this.#tunnel.peerOf(this);
  }

  get isClosed(): boolean {
    return this.#is(CLOSED);
  }

  get finReceived(): boolean {
    return this.#is(FIN_RECEIVED);
  }

  get finSent(): boolean {
    return this.#is(FIN_SENT);
  }

  /** Nothing waits, nothing stands still, and the socket lives: it can change hands. */
  get isSettled(): boolean {
    return !this.#is(CLOSED | BROKEN | PAUSED | RESET_WHEN_DRAINED) && this.queuedBytes === 0;
  }

  /** What waits in our memory to be written to this socket, in bytes. */
  get queuedBytes(): number {
    return this.#queue?.size ?? 0;
  }

  /** Payload bytes that the socket has taken. */
  get bytesWritten(): number {
    return Math.max(0, this.#written);
  }

  /** The most that a direction may hold now before it is read no more, in bytes. */
  get bufferSize(): number {
    return this.#tunnel.settings.bufferSize;
  }

  /** Whether any of these flags is set. */
  #is(flags: number): boolean {
    return (this.#flags & flags) !== 0;
  }

  /** The socket gave bytes, lent until this returns. */
  handleData(chunk: Uint8Array): void {
    this.#tunnel.touch();
    const { peer } = this;
    // Nobody is left to take them.
    if (peer.#is(CLOSED)) return;
    let taken = 0;
    if (peer.queuedBytes === 0) {
      taken = peer.#write(chunk);
      if (taken < 0) return;
      peer.#count(taken);
    }
    if (taken < chunk.length) {
      peer.#keep(chunk.slice(taken));
      this.applyBufferSize();
    }
    this.#tunnel.handlePassed(taken);
  }

  /** The socket takes bytes again. */
  handleDrain(): void {
    if (this.queuedBytes === 0) return;
    this.#tunnel.touch();
    const before = this.bytesWritten;
    this.#flush();
    this.peer.applyBufferSize();
    if (this.queuedBytes === 0) this.#afterDrain();
    this.#tunnel.handlePassed(this.bytesWritten - before);
  }

  /** The socket's peer sent FIN. */
  handleEnd(): void {
    if (this.#is(FIN_RECEIVED | BROKEN)) return;
    this.#flags |= FIN_RECEIVED;
    this.#tunnel.touch();
    this.#tunnel.handleHalfClosed();
    const { peer } = this;
    if (peer.queuedBytes === 0) peer.#afterDrain();
  }

  /** The socket is closed, with the error that closed it. */
  handleClose(code: string | undefined): void {
    if (this.#is(CLOSED)) return;
    this.#flags |= CLOSED;
    this.#callOffReset?.();
    this.#queue = undefined;
    const { peer } = this;
    if (code === undefined && !this.#is(BROKEN) && this.#is(FIN_RECEIVED | FIN_SENT)) {
      // FIN both ways: with ours sent before, theirs comes as the close itself.
      this.handleEnd();
    } else {
      this.#tunnel.handleLost(this, code);
      peer.#resetAfterQueue();
    }
    this.#tunnel.handleSideClosed();
  }

  handleMoved(count: number): void {
    this.#tunnel.touch();
    this.#count(count);
  }

  handleHome(stream: Stream, held: Uint8Array | undefined): void {
    this.stream = stream;
    if (held !== undefined) this.#keep(held);
    this.#tunnel.handleHome();
  }

  /** Takes the end of a handshake that the socket could not take at once; it goes out before all payload. */
  queueUncounted(bytes: Uint8Array): void {
    if (this.queuedBytes > 0) throw new Error("payload before the end of the handshake");
    this.#keep(bytes);
    this.#written -= bytes.length;
  }

  #keep(bytes: Uint8Array): void {
    this.#queue ??= new ByteQueue();
    this.#queue.push(bytes);
  }

  /** Stops or resumes reading this socket by what its peer holds and the buffer size in force now. */
  applyBufferSize(): void {
    if (this.#is(CLOSED | BROKEN)) return;
    const { bufferSize } = this;
    const held = this.peer.queuedBytes;
    if (!this.#is(PAUSED) && held >= bufferSize) {
      this.#flags |= PAUSED;
      this.stream.pause();
    } else if (this.#is(PAUSED) && held * 2 <= bufferSize) {
      // Not at the first free byte: each resumed read costs a turn of the event loop.
      this.#resume();
    }
  }

  #resume(): void {
    if (!this.#is(PAUSED)) return;
    this.#flags &= ~PAUSED;
    this.stream.resume();
  }

  /** Ends the socket at once, with RST. */
  terminate(): void {
    if (this.#is(CLOSED)) return;
    this.#flags |= BROKEN;
    this.stream.terminate();
  }

  #flush(): void {
    const queue = this.#queue;
    for (let head = queue?.head; queue !== undefined && head !== undefined; head = queue.head) {
      const taken = this.#write(head);
      if (taken <= 0) return;
      queue.consume(taken);
      this.#count(taken);
      if (taken < head.length) return;
    }
  }

  /** Returns what the socket took, or -1 when it is gone: its `close` is on the way. */
  #write(bytes: Uint8Array): number {
    const taken = this.stream.write(bytes);
    if (taken < 0) {
      this.#flags |= BROKEN;
      // A paused socket would not notice its own end.
      this.#resume();
    }
    return taken;
  }

  #count(taken: number): void {
    this.#written += taken;
    if (this.#written > 0) this.#tunnel.totals.bytes += Math.min(taken, this.#written);
  }

  /** Nothing waits for this socket: passes on how the other one ended, if it has. */
  #afterDrain(): void {
    if (this.#is(CLOSED | FIN_SENT)) return;
    if (this.#is(RESET_WHEN_DRAINED)) {
      this.#reset();
    } else if (this.peer.#is(FIN_RECEIVED) && !this.#is(BROKEN)) {
      this.#flags |= FIN_SENT;
      // The peer's FIN is there already: one system call and a turn of the event loop less than waiting for the end.
      if (this.#is(FIN_RECEIVED)) this.stream.close();
      else this.stream.shutdown();
    }
  }

  #resetAfterQueue(): void {
    if (this.#is(CLOSED)) return;
    this.#flags |= RESET_WHEN_DRAINED;
    if (this.queuedBytes === 0) this.#reset();
  }

  #reset(): void {
    if (this.#callOffReset !== undefined) return;
    this.#flags |= BROKEN;
    this.#callOffReset = this.#tunnel.reset(this.stream);
  }
}
