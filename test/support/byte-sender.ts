/** Writes a long run of bytes to a socket of Bun as fast as it takes them. */

import type { Socket } from "bun";

/**
 * What is still to be written to one socket. Bytes are written at once where the socket takes them; call {@link flush}
 * from the socket's `drain`.
 */
export class ByteSender {
  readonly #socket: Socket<unknown>;
  // BOUNDED by what the caller queues: senders below queue one piece at a time.
  readonly #queue: Uint8Array[] = [];
  #ending = false;
  #ended = false;

  constructor(socket: Socket<unknown>) {
    this.#socket = socket;
  }

  /** True when every byte has gone to the kernel. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Queues `bytes`, which the caller must not change before they are written. */
  send(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#queue.push(bytes);
    this.flush();
  }

  /** Sends our FIN after the last queued byte. */
  end(): void {
    this.#ending = true;
    this.flush();
  }

  /** Writes as much as the socket takes. */
  flush(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const written = this.#socket.write(head);
      if (written < 0) {
        this.#queue.length = 0;
        return;
      }
      if (written < head.length) {
        this.#queue[0] = head.subarray(written);
        return;
      }
      this.#queue.shift();
    }
    if (this.#ending && !this.#ended) {
      this.#ended = true;
      this.#socket.shutdown();
    }
  }
}
