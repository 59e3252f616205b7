/**
 * One side of a tunnel: a socket, what waits to be written to it, and how far its end has come. The tunnel's head comment
 * has the rules that both sides follow together.
 */

import { ByteQueue } from "../bytes/byte-queue.ts";
import type { BulkEnd } from "../ports/bulk.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { endOfClose, type TunnelEnd } from "./tunnel-end.ts";

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
  /** The first reason counts: what follows from it says nothing new. */
  end(end: TunnelEnd): void;
  /** A side's socket is closed. */
  handleSideClosed(): void;
}

/** The driver calls `handle…` with the socket's events. */
export class Side implements BulkEnd {
  /** The runtime's socket, or what stands for it while a mover has it. */
  stream: Stream;
  readonly #tunnel: SideTunnel;
  readonly #name: "client" | "target";
  /** Set by the tunnel right after both sides exist. */
  peer!: Side;

  /** What the socket could not take yet. BOUNDED by the buffer size and one read. */
  readonly #queue = new ByteQueue();
  /** The first bytes of the queue that are the end of a handshake and count as no payload. */
  #uncountedBytes = 0;
  #paused = false;
  #finReceived = false;
  #finSent = false;
  #closed = false;
  /** A RST was sent, or met by a write. What the socket says from then on may look like a regular end, and is none. */
  #broken = false;
  #resetWhenDrained = false;
  /** Calls off the reset that waits for the kernel to send what it has. */
  #callOffReset: (() => void) | undefined;
  /** Payload bytes that the socket has taken. */
  bytesWritten = 0;

  constructor(tunnel: SideTunnel, name: "client" | "target", stream: Stream) {
    this.#tunnel = tunnel;
    this.#name = name;
    this.stream = stream;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get finReceived(): boolean {
    return this.#finReceived;
  }

  get finSent(): boolean {
    return this.#finSent;
  }

  /** Nothing waits, nothing stands still, and the socket lives: it can change hands. */
  get isSettled(): boolean {
    return !this.#closed && !this.#broken && !this.#paused && !this.#resetWhenDrained && this.#queue.size === 0;
  }

  /** What waits in our memory to be written to this socket, in bytes. */
  get queuedBytes(): number {
    return this.#queue.size;
  }

  /** The socket gave bytes, which are ours from now on. */
  handleData(chunk: Uint8Array): void {
    this.#tunnel.touch();
    const { peer } = this;
    // Nobody is left to take them.
    if (peer.#closed) return;
    let taken = 0;
    if (peer.#queue.size === 0) {
      taken = peer.#write(chunk);
      if (taken < 0) return;
      peer.#count(taken);
    }
    if (taken < chunk.length) {
      const rest = taken === 0 ? chunk : chunk.subarray(taken);
      peer.#queue.push(rest);
      this.applyBufferSize();
    }
    this.#tunnel.handlePassed(taken);
  }

  /** The socket takes bytes again. */
  handleDrain(): void {
    if (this.#queue.size === 0) return;
    this.#tunnel.touch();
    const before = this.bytesWritten;
    this.#flush();
    this.peer.applyBufferSize();
    if (this.#queue.size === 0) this.#afterDrain();
    this.#tunnel.handlePassed(this.bytesWritten - before);
  }

  /** The socket's peer sent FIN. */
  handleEnd(): void {
    if (this.#finReceived || this.#broken) return;
    this.#finReceived = true;
    this.#tunnel.touch();
    this.#tunnel.handleHalfClosed();
    const { peer } = this;
    if (peer.#queue.size === 0) peer.#afterDrain();
  }

  /** The socket is closed, with the error that closed it. */
  handleClose(code: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#callOffReset?.();
    this.#queue.clear();
    const { peer } = this;
    if (code === undefined && !this.#broken && (this.#finReceived || this.#finSent)) {
      // FIN both ways: with ours sent before, theirs comes as the close itself.
      this.handleEnd();
    } else {
      this.#tunnel.end(endOfClose(this.#name, code));
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
    if (held !== undefined) this.#queue.push(held);
    this.#tunnel.handleHome();
  }

  /** Takes the end of a handshake that the socket could not take at once; it goes out before all payload. */
  queueUncounted(bytes: Uint8Array): void {
    if (this.#queue.size > 0) throw new Error("payload before the end of the handshake");
    this.#queue.push(bytes);
    this.#uncountedBytes += bytes.length;
  }

  /** Stops or resumes reading this socket by what its peer holds and the buffer size in force now. */
  applyBufferSize(): void {
    if (this.#closed || this.#broken) return;
    const { bufferSize } = this.#tunnel.settings;
    const held = this.peer.#queue.size;
    if (!this.#paused && held >= bufferSize) {
      this.#paused = true;
      this.stream.pause();
    } else if (this.#paused && held * 2 <= bufferSize) {
      // Not at the first free byte: each resumed read costs a turn of the event loop.
      this.#resume();
    }
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.stream.resume();
  }

  /** Ends the socket at once, with RST. */
  terminate(): void {
    if (this.#closed) return;
    this.#broken = true;
    this.stream.terminate();
  }

  #flush(): void {
    for (let head = this.#queue.head; head !== undefined; head = this.#queue.head) {
      const taken = this.#write(head);
      if (taken <= 0) return;
      this.#queue.consume(taken);
      this.#count(taken);
      if (taken < head.length) return;
    }
  }

  /** Returns what the socket took, or -1 when it is gone: its `close` is on the way. */
  #write(bytes: Uint8Array): number {
    const taken = this.stream.write(bytes);
    if (taken < 0) {
      this.#broken = true;
      // A paused socket would not notice its own end.
      this.#resume();
    }
    return taken;
  }

  #count(taken: number): void {
    let payload = taken;
    if (this.#uncountedBytes > 0) {
      const handshake = Math.min(taken, this.#uncountedBytes);
      this.#uncountedBytes -= handshake;
      payload -= handshake;
    }
    this.bytesWritten += payload;
    this.#tunnel.totals.bytes += payload;
  }

  /** Nothing waits for this socket: passes on how the other one ended, if it has. */
  #afterDrain(): void {
    if (this.#closed || this.#finSent) return;
    if (this.#resetWhenDrained) {
      this.#reset();
    } else if (this.peer.#finReceived && !this.#broken) {
      this.#finSent = true;
      // The peer's FIN is there already: one system call and a turn of the event loop less than waiting for the end.
      if (this.#finReceived) this.stream.close();
      else this.stream.shutdown();
    }
  }

  #resetAfterQueue(): void {
    if (this.#closed) return;
    this.#resetWhenDrained = true;
    if (this.#queue.size === 0) this.#reset();
  }

  #reset(): void {
    if (this.#callOffReset !== undefined) return;
    this.#broken = true;
    this.#callOffReset = this.#tunnel.reset(this.stream);
  }
}
