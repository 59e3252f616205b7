/** All clients of the proxy: who is let in, who is there, and what reaches all of them at once. */

import { formatIp } from "../bytes/ip.ts";
import type { Control } from "../ports/control.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import type { TunnelEnd } from "../relay/tunnel-end.ts";
import { AcceptGate, type AcceptGateOptions } from "./accept-gate.ts";
import { Connection } from "./connection.ts";
import type { ProxyContext } from "./context.ts";
import type { ClientHost, ServedClient } from "./served-client.ts";
import { ServedClients } from "./served-clients.ts";

export interface ProxyServerOptions extends AcceptGateOptions {
  /** The descriptor of an accepted socket. */
  readonly descriptorOf: (socket: ConnectedSocket) => number;
}

/** A client that is turned away at a limit is reset at once: a flood must not cost us descriptors that linger. */
const TURNED_AWAY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};

export class ProxyServer implements Control, ClientHost {
  readonly context: ProxyContext;
  readonly #options: ProxyServerOptions;
  /** BOUNDED by `capacity` and by the limits of the configuration. */
  readonly #connections = new ServedClients<ServedClient>();
  readonly #gate: AcceptGate;
  #onEmpty: (() => void) | undefined;

  constructor(context: ProxyContext, options: ProxyServerOptions) {
    this.context = context;
    this.#options = options;
    this.#gate = new AcceptGate(
      options,
      context,
      () => this.#places,
      (isPaused) => context.events.onAcceptPaused(isPaused, this.#connections.size),
    );
  }

  /**
   * Takes a socket that was just accepted; returns who its events go to.
   *
   * @param client - The socket's remote endpoint; `undefined` when the client is gone already.
   * @param advertisedIp - The address by which clients reach the listener from outside, 4 or 16 bytes, where that is
   *   another than the one it is bound to.
   */
  accept(socket: ConnectedSocket, client: Endpoint | undefined, advertisedIp?: Uint8Array): SocketOwner {
    const context = this.context;
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
    const connection = new Connection(this, socket, entry, client, advertisedIp);
    this.#connections.add(connection);
    this.#gate.entered(this.#options.descriptorOf(socket));
    return connection;
  }

  historical(): number {
    return this.context.counters.accepted;
  }

  concurrent(): number {
    return this.#connections.size;
  }

  bytes(): number {
    return this.context.totals.bytes;
  }

  bufferSize(): number {
    return this.context.settings.bufferSize;
  }

  setBufferSize(size: number): void {
    this.context.settings.bufferSize = size;
    for (const connection of this.#connections) connection.applyBufferSize();
  }

  /** Ends every connection at once. */
  killAll(end: TunnelEnd): void {
    for (const connection of this.#connections) connection.kill(end);
  }

  /** Resolves when no client is left. The caller has stopped the listeners. */
  drained(): Promise<void> {
    this.#gate.stop();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** An association, or a host that is waited for, may take as many descriptors more as a client with its target. */
  get #places(): number {
    const { udp, bind } = this.context;
    return this.#connections.size + udp.quota.total + bind.quota.total;
  }

  replace(client: ServedClient, later: ServedClient): void {
    this.#connections.replace(client, later);
  }

  forget(client: ServedClient): void {
    this.#connections.remove(client);
    this.context.tidier?.left();
    if (this.#connections.size === 0) this.#onEmpty?.();
    this.#gate.left();
  }
}
