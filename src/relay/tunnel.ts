/**
 * Two connected sockets and the bytes between them. It moves bytes and never looks at them.
 *
 * Each direction stands alone. What one socket gives is written to the other at once; what the other cannot take is
 * kept, and when that reaches the buffer size the giving socket is no longer read, so that the back-pressure
 * goes on to its sender. FIN is passed on after the last byte, and the other direction lives on; RST is passed on as RST,
 * after the bytes that came before it.
 *
 * A tunnel that moves much, or nothing for long, can leave: a mover takes both sockets, and brings them back for their end.
 */

import { ByteQueue } from "../bytes/byte-queue.ts";
import type { BulkEnd, BulkMover, BulkTunnel } from "../ports/bulk.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { BulkPolicy } from "./bulk-policy.ts";

/** What all tunnels share and an administrator may change while they run. */
export interface RelaySettings {
  /** The most that one direction holds in memory before it stops reading, in bytes. One read may overshoot it. */
  bufferSize: number;
}

/** Payload bytes of all tunnels since the start. */
export interface RelayTotals {
  bytes: number;
}

/** Why a tunnel ended, as the access log says it. */
export type TunnelEnd =
  /** Both sides sent FIN and everything was delivered. */
  | "finished"
  | "client-reset"
  | "target-reset"
  /** The kernel gave the peer up: no answer to keep-alives or to retransmissions. */
  | "client-lost"
  | "target-lost"
  /** The proxy ended it: a time limit, the end of the program, an administrator. */
  | "idle-timeout"
  | "half-closed-timeout"
  | "shutdown"
  | "killed";

/** How tunnels leave the program. */
export interface BulkOptions {
  readonly mover: BulkMover;
  /** "auto": those that prove to move much. "always": all, from their first byte. */
  readonly when: "auto" | "always";
}

export interface TunnelOptions {
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  /** Absent: the tunnel stays. */
  readonly bulk?: BulkOptions | undefined;
  nowMs(): number;
  readonly reset: GentleReset;
  /** Called when the first side has finished, and the other lives on. */
  onHalfClosed(): void;
  /** Called when a mover has given back the sockets. */
  onHome(): void;
  /** Called once, when both sockets are closed. */
  onEnded(end: TunnelEnd): void;
}

/** One socket of a tunnel, and what waits to be written to it. The driver calls `handle…` with the socket's events. */
export class Side implements BulkEnd {
  /** The runtime's socket, or what stands for it while a mover has it. */
  stream: Stream;
  readonly #tunnel: Tunnel;
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

  constructor(tunnel: Tunnel, name: "client" | "target", stream: Stream) {
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

/** How a connection ended that was closed without a FIN, by the error that closed it. */
export function endOfClose(side: "client" | "target", code: string | undefined): TunnelEnd {
  return `${side}-${code === undefined || isReset(code) ? "reset" : "lost"}`;
}

function isReset(code: string): boolean {
  return code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED";
}

export class Tunnel {
  readonly client: Side;
  readonly target: Side;
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  readonly reset: GentleReset;
  readonly #options: TunnelOptions;
  #end: TunnelEnd | undefined;
  #isOver = false;
  /** When a byte last moved, on the clock of `nowMs`. */
  lastActiveMs: number;
  readonly #bulk: BulkOptions | undefined;
  readonly #policy: BulkPolicy | undefined;
  /** Before, whoever opens the tunnel may still have news for its sides. */
  #isStarted = false;
  /** While a mover has the sockets. */
  #away: BulkTunnel | undefined;

  constructor(client: Stream, target: Stream, options: TunnelOptions) {
    const { settings, totals, bulk, reset } = options;
    this.settings = settings;
    this.totals = totals;
    this.reset = reset;
    this.#bulk = bulk;
    this.#policy = bulk?.when === "auto" ? new BulkPolicy() : undefined;
    this.#options = options;
    this.lastActiveMs = options.nowMs();
    this.client = new Side(this, "client", client);
    this.target = new Side(this, "target", target);
    this.client.peer = this.target;
    this.target.peer = this.client;
  }

  /** Whether one side has finished and the other lives on. */
  get isHalfClosed(): boolean {
    return this.client.finReceived || this.target.finReceived || this.client.isClosed || this.target.isClosed;
  }

  touch(): void {
    this.lastActiveMs = this.#options.nowMs();
  }

  /** Whether a mover has the sockets. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** The sockets' events go to the sides from now on, and what came before has been given to them. */
  start(): void {
    this.#isStarted = true;
    if (this.#bulk?.when === "always") this.#handOver(this.#bulk);
  }

  /** Brings a changed buffer size to the open tunnel. */
  applyBufferSize(): void {
    if (this.#away !== undefined) {
      this.#away.applyBufferSize();
      return;
    }
    this.client.applyBufferSize();
    this.target.applyBufferSize();
  }

  /** Hands the sockets to the mover although nothing is to be moved: with it they cost less memory. */
  park(): void {
    if (this.#bulk !== undefined) this.#handOver(this.#bulk);
  }

  /** Has the kernel ask whether the peers are still there, first after `delayMs` of silence. */
  keepAlive(delayMs: number): void {
    for (const side of [this.client, this.target]) if (!side.isClosed) side.stream.setKeepAlive(true, delayMs);
  }

  /** Ends both sockets at once, with RST: the peers learn that it was no regular end. */
  kill(end: TunnelEnd): void {
    this.end(end);
    this.client.terminate();
    this.target.terminate();
  }

  /** The first reason counts: what follows from it says nothing new. */
  end(end: TunnelEnd): void {
    this.#end ??= end;
  }

  handleHalfClosed(): void {
    this.#options.onHalfClosed();
  }

  /** The last that a side does with an event: `bytes` went to a socket. */
  handlePassed(bytes: number): void {
    if (this.#bulk === undefined) return;
    if (this.#policy === undefined || this.#policy.moved(bytes, this.lastActiveMs)) this.#handOver(this.#bulk);
  }

  /** The mover gives back the sockets, one after the other. */
  handleHome(): void {
    if (this.#away === undefined) return;
    this.#away = undefined;
    this.#policy?.cameHome(this.#options.nowMs());
    this.#options.onHome();
  }

  #handOver({ mover }: BulkOptions): void {
    const { client, target } = this;
    if (!this.#isStarted || this.isAway) return;
    // With FIN of both seen there is nothing left to move.
    if (!client.isSettled || !target.isSettled || (client.finReceived && target.finReceived)) return;
    const away = mover.take(client, target, this.settings);
    if (away === undefined) {
      this.#policy?.cameHome(this.#options.nowMs());
      return;
    }
    this.#away = away;
    client.stream = away.client;
    target.stream = away.target;
  }

  handleSideClosed(): void {
    // Closing one socket closes the other before the first close has returned here.
    if (this.#isOver) return;
    if (!this.client.isClosed || !this.target.isClosed) {
      this.#options.onHalfClosed();
      return;
    }
    this.#isOver = true;
    this.#options.onEnded(this.#end ?? "finished");
  }
}
