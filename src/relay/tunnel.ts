/**
 * Two connected sockets and the bytes between them. It moves bytes and never looks at them.
 *
 * Each direction stands alone. What one socket gives is written to the other at once; what the other cannot take is
 * kept, and when that reaches the buffer size the giving socket is no longer read, so that the back-pressure
 * goes on to its sender. FIN is passed on after the last byte, and the other direction lives on; RST is passed on as RST,
 * after the bytes that came before it.
 */

import type { GentleReset, SocketOwner, Stream } from "../ports/socket.ts";

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

export interface TunnelOptions {
  readonly settings: RelaySettings;
  readonly totals: RelayTotals;
  readonly nowMs: () => number;
  readonly reset: GentleReset;
  /** Called when the first side has finished, and the other lives on. */
  readonly onHalfClosed: () => void;
  /** Called once, when both sockets are closed. */
  readonly onEnded: (end: TunnelEnd) => void;
}

/** One socket of a tunnel, and what waits to be written to it. The driver calls `handle…` with the socket's events. */
export class Side implements SocketOwner {
  readonly stream: Stream;
  readonly #tunnel: Tunnel;
  readonly #name: "client" | "target";
  /** Set by the tunnel right after both sides exist. */
  peer!: Side;

  /** What the socket could not take yet: the chunks of the reads, or their ends. BOUNDED by the buffer size and one read. */
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
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

  /** What waits in our memory to be written to this socket, in bytes. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The socket gave bytes, which are ours from now on. */
  handleData(chunk: Uint8Array): void {
    this.#tunnel.touch();
    const { peer } = this;
    // The other socket is gone, or going: nobody is left to take them.
    if (peer.#closed || peer.#resetWhenDrained || peer.#finSent) return;
    let rest = chunk;
    if (peer.#queuedBytes === 0) {
      const taken = peer.#write(chunk);
      if (taken < 0) return;
      peer.#count(taken);
      if (taken === chunk.length) return;
      rest = chunk.subarray(taken);
    }
    peer.#queue.push(rest);
    peer.#queuedBytes += rest.length;
    this.applyBufferSize();
  }

  /** The socket takes bytes again. */
  handleDrain(): void {
    if (this.#queuedBytes > 0) {
      this.#tunnel.touch();
      this.#flush();
      this.peer.applyBufferSize();
    }
    if (this.#queuedBytes === 0) this.#afterDrain();
  }

  /** The socket's peer sent FIN. */
  handleEnd(): void {
    if (this.#finReceived || this.#broken) return;
    this.#finReceived = true;
    this.#tunnel.touch();
    this.#tunnel.handleHalfClosed();
    const { peer } = this;
    if (peer.#queuedBytes === 0) peer.#afterDrain();
  }

  /** The socket is closed, with the error that closed it. */
  handleClose(code: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#callOffReset?.();
    this.#queue = [];
    this.#queuedBytes = 0;
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

  /** Takes the end of a handshake that the socket could not take at once; it goes out before all payload. */
  queueUncounted(bytes: Uint8Array): void {
    this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
    this.#uncountedBytes += bytes.length;
  }

  /** Stops or resumes reading this socket by what its peer holds and the buffer size in force now. */
  applyBufferSize(): void {
    if (this.#closed || this.#broken) return;
    const { bufferSize } = this.#tunnel.settings;
    const held = this.peer.#queuedBytes;
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
    while (this.#queue.length > 0) {
      const head = this.#queue[0] as Uint8Array;
      const taken = this.#write(head);
      if (taken <= 0) return;
      this.#queuedBytes -= taken;
      this.#count(taken);
      if (taken < head.length) {
        this.#queue[0] = head.subarray(taken);
        return;
      }
      this.#queue.shift();
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
      this.stream.shutdown();
    }
  }

  #resetAfterQueue(): void {
    if (this.#closed) return;
    this.#resetWhenDrained = true;
    if (this.#queuedBytes === 0) this.#reset();
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
  readonly #nowMs: () => number;
  readonly #onHalfClosed: () => void;
  readonly #onEnded: (end: TunnelEnd) => void;
  #end: TunnelEnd | undefined;
  #isOver = false;
  /** When a byte last moved, on the clock of `nowMs`. */
  lastActiveMs: number;

  constructor(
    client: Stream,
    target: Stream,
    { settings, totals, nowMs, reset, onHalfClosed, onEnded }: TunnelOptions,
  ) {
    this.settings = settings;
    this.totals = totals;
    this.reset = reset;
    this.#nowMs = nowMs;
    this.#onHalfClosed = onHalfClosed;
    this.#onEnded = onEnded;
    this.lastActiveMs = nowMs();
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
    this.lastActiveMs = this.#nowMs();
  }

  /** Brings a changed buffer size to the open tunnel. */
  applyBufferSize(): void {
    this.client.applyBufferSize();
    this.target.applyBufferSize();
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
    this.#onHalfClosed();
  }

  handleSideClosed(): void {
    // Closing one socket closes the other before the first close has returned here.
    if (this.#isOver) return;
    if (!this.client.isClosed || !this.target.isClosed) {
      this.#onHalfClosed();
      return;
    }
    this.#isOver = true;
    this.#onEnded(this.#end ?? "finished");
  }
}
