/**
 * The way of a tunnel's bytes past the program: the relay hands both sockets over, gets told how much has moved, and gets
 * the sockets back for their end. What the two peers see is the same on both ways.
 */

import type { SocketOwner, Stream } from "./socket.ts";

/** One side of a tunnel, as a mover sees it. */
export interface BulkEnd extends SocketOwner {
  /** What the side reads from and writes to at the moment. */
  readonly stream: Stream;
  /** The peer's FIN has been seen: nothing more is to be read. */
  readonly finReceived: boolean;
  /** Our FIN was sent: nothing more is to be written. */
  readonly finSent: boolean;
  /** The most that a direction may hold, in bytes; it may change at any time. Beyond it, its socket is not read. */
  readonly bufferSize: number;
  /** This side's socket took `count` bytes that came from the other one. */
  handleMoved(count: number): void;
  /** The socket is back in the runtime. `held` was read for it and must be written to it before anything else; a copy. */
  handleHome(stream: Stream, held: Uint8Array | undefined): void;
}

/** A tunnel whose bytes a mover moves. Its streams only end it: `terminate()` sends RST and reports the close. */
export interface BulkTunnel {
  readonly client: Stream;
  readonly target: Stream;
  /** Brings a changed buffer size to the tunnel. */
  applyBufferSize(): void;
}

export interface BulkMover {
  /**
   * Takes both sockets out of the runtime and moves bytes between them until one of them ends, or until it cannot go on;
   * then both sides get `handleHome`, or `handleClose` when the socket has failed.
   *
   * @returns `undefined` when this is not possible now; then nothing has changed.
   */
  take(client: BulkEnd, target: BulkEnd): BulkTunnel | undefined;
}
