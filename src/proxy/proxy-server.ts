/** All clients of the proxy: who is let in, who is there, and what reaches all of them at once. */

import { formatIp } from "../bytes/ip.ts";
import type { Control } from "../ports/control.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import type { TunnelEnd } from "../relay/tunnel.ts";
import { Deadline } from "../time/timer-wheel.ts";
import { Connection } from "./connection.ts";
import type { ProxyContext } from "./context.ts";

export interface ProxyServerOptions {
  /**
   * Clients for whom there are descriptors: a client and its target need two. At this number accepting pauses, and who
   * comes waits in the kernel's queue.
   */
  readonly capacity: number;
  /** Pauses or resumes all listeners. Resuming may throw, when even its few descriptors are not there. */
  readonly setAccepting: (isAccepting: boolean) => void;
}

/** How soon accepting is tried again where it could not go on, in milliseconds. */
const RESUME_RETRY_MS = 1000;

/** A client that is turned away at a limit is reset at once: a flood must not cost us descriptors that linger. */
const TURNED_AWAY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};

export class ProxyServer implements Control {
  readonly #context: ProxyContext;
  readonly #options: ProxyServerOptions;
  /** BOUNDED by `capacity` and by the limits of the configuration. */
  readonly #connections = new Set<Connection>();
  #isPaused = false;
  readonly #retry = new Deadline(() => this.#resume());
  #isStopping = false;
  #onEmpty: (() => void) | undefined;

  constructor(context: ProxyContext, options: ProxyServerOptions) {
    this.#context = context;
    this.#options = options;
  }

  /**
   * Takes a socket that was just accepted; returns who its events go to.
   *
   * @param client - The socket's remote endpoint; `undefined` when the client is gone already.
   * @param advertisedIp - The address by which clients reach the listener from outside, 4 or 16 bytes, where that is
   *   another than the one it is bound to.
   */
  accept(socket: ConnectedSocket, client: Endpoint | undefined, advertisedIp?: Uint8Array): SocketOwner {
    const context = this.#context;
    context.counters.accepted++;
    // A client that is gone already has no address any more; its close event is on the way.
    if (client === undefined) return TURNED_AWAY;
    const address = formatIp(client.ip);
    const entry = context.clients.enter(address, context.limits);
    if (typeof entry === "string") {
      context.counters.limitReached++;
      context.events.onLimitReached(entry, address);
      // The socket closes, and asks its owner, before `terminate` returns.
      socket.data = TURNED_AWAY;
      socket.terminate();
      return TURNED_AWAY;
    }
    const connection = new Connection(context, socket, entry, client, advertisedIp, (gone) => this.#forget(gone));
    this.#connections.add(connection);
    if (this.#isFull) this.#pause();
    return connection;
  }

  /** Clients that can be there at once before accepting pauses. */
  get capacity(): number {
    return this.#options.capacity;
  }

  historical(): number {
    return this.#context.counters.accepted;
  }

  concurrent(): number {
    return this.#connections.size;
  }

  bytes(): number {
    return this.#context.totals.bytes;
  }

  bufferSize(): number {
    return this.#context.settings.bufferSize;
  }

  setBufferSize(size: number): void {
    this.#context.settings.bufferSize = size;
    for (const connection of this.#connections) connection.tunnel?.applyBufferSize();
  }

  /** Ends every connection at once. */
  killAll(end: TunnelEnd): void {
    for (const connection of this.#connections) connection.kill(end);
  }

  /** Resolves when no client is left. The caller has stopped the listeners. */
  drained(): Promise<void> {
    this.#isStopping = true;
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** An association, or a host that is waited for, may take as many descriptors more as a client with its target. */
  get #isFull(): boolean {
    const { udp, bind } = this.#context;
    return this.#connections.size + udp.quota.total + bind.quota.total >= this.#options.capacity;
  }

  #pause(): void {
    if (this.#isStopping) return;
    // Said again although it was said: a reload may have opened a listener since.
    this.#options.setAccepting(false);
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#context.events.onAcceptPaused(true, this.#connections.size);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
    this.#resume();
  }

  #resume(): void {
    if (!this.#isPaused || this.#isStopping || this.#connections.size >= this.#options.capacity) return;
    const { wheel, clock, events } = this.#context;
    try {
      this.#options.setAccepting(true);
    } catch {
      // Something else has the descriptors. Nobody may be left whose leaving would bring us back here.
      wheel.set(this.#retry, clock.nowMs() + RESUME_RETRY_MS);
      return;
    }
    wheel.clear(this.#retry);
    this.#isPaused = false;
    events.onAcceptPaused(false, this.#connections.size);
  }
}
