/**
 * One tunnel between two real connections, in this process: everything about it can be asked and steered, and both peers
 * are in the test's hands.
 */

import { createHash, type Hash } from "node:crypto";
import type { Socket } from "bun";
import { NOBODY } from "../../src/net/epoll/nobody.ts";
import type { Poller } from "../../src/net/epoll/poller.ts";
import { gentleReset } from "../../src/net/gentle-reset.ts";
import { systemClock } from "../../src/net/system-clock.ts";
import { TcpListener } from "../../src/net/tcp-listener.ts";
import type { ConnectedSocket, SocketOwner } from "../../src/ports/socket.ts";
import { type BulkOptions, Tunnel } from "../../src/relay/tunnel.ts";
import type { TunnelEnd } from "../../src/relay/tunnel-end.ts";
import { ByteSender } from "./byte-sender.ts";
import { within } from "./deadline.ts";
import { LISTEN_OPTIONS } from "./listen-options.ts";

const LIMIT_MS = 30_000;

/** The other end of one of the tunnel's sockets. It reads all that comes, unless it is told not to. */
export class Peer {
  readonly #socket: Socket<undefined>;
  readonly #sender: ByteSender;
  readonly #hash: Hash = createHash("sha256");
  /** Settles with the next change. */
  #changed: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  received = 0;
  /** How the tunnel's side ended towards us. */
  end: "fin" | "reset" | undefined;
  isClosed = false;

  private constructor(socket: Socket<undefined>) {
    this.#socket = socket;
    this.#sender = new ByteSender(socket);
  }

  static async open(port: number): Promise<Peer> {
    let peer: Peer | undefined;
    const socket = await Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      data: undefined,
      socket: {
        data: (_, bytes) => peer?.handleData(bytes),
        drain: () => peer?.handleDrain(),
        end: () => peer?.handleEnd("fin"),
        close: (_, fault) => peer?.handleClose(fault !== undefined && fault !== null),
        error: () => undefined,
      },
    });
    peer = new Peer(socket);
    return peer;
  }

  get fd(): number {
    // Missing in Bun's types.
    return (this.#socket as unknown as { readonly fd: number }).fd;
  }

  /** Everything given to `send` has gone to the kernel. */
  get isSent(): boolean {
    return this.#sender.isEmpty;
  }

  send(bytes: Uint8Array): void {
    this.#sender.send(bytes);
  }

  finish(): void {
    this.#sender.end();
  }

  reset(): void {
    this.#socket.terminate();
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** SHA-256 of all that was received, in hexadecimal; only once. */
  sha256(): string {
    return this.#hash.digest("hex");
  }

  /** Waits until `condition` holds, looking whenever something happened at this peer. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) await within(this.#changed.promise, LIMIT_MS, what);
  }

  /** Waits for the other side's end, and says which it was. */
  async ended(): Promise<"fin" | "reset"> {
    await this.until(() => this.end !== undefined, "the end of a connection");
    return this.end ?? "fin";
  }

  handleData(bytes: Uint8Array): void {
    this.received += bytes.length;
    this.#hash.update(bytes);
    this.#change();
  }

  handleDrain(): void {
    this.#sender.flush();
    this.#change();
  }

  handleEnd(end: "fin" | "reset"): void {
    this.end ??= end;
    this.#change();
  }

  handleClose(isError: boolean): void {
    this.isClosed = true;
    // FIN before a RST: the last word counts.
    if (isError) this.end = "reset";
    this.handleEnd("fin");
  }

  #change(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}

export interface TunnelRig extends Disposable {
  readonly tunnel: Tunnel;
  readonly client: Peer;
  readonly target: Peer;
  readonly settings: { bufferSize: number };
  readonly totals: { bytes: number };
  /** Each end that the tunnel has reported. */
  readonly ends: readonly TunnelEnd[];
  /** Resolves when the tunnel reports its end. */
  readonly over: Promise<TunnelEnd>;
}

export interface RigOptions {
  readonly bulk: BulkOptions | undefined;
  /** Ready; the tunnel's sockets are ours then. Absent: Bun's. */
  readonly poller: Poller | undefined;
  /** 65,536 when absent. */
  readonly bufferSize?: number;
  /** Sees the tunnel's two sockets before there is a tunnel. */
  readonly onSocket?: (socket: { readonly fd: number }) => void;
}

/** Connects two peers and opens a tunnel between them. */
export async function openTunnelRig(options: RigOptions): Promise<TunnelRig> {
  const accepted: ConnectedSocket[] = [];
  let arrived = Promise.withResolvers<void>();
  const accept = (socket: ConnectedSocket): SocketOwner => {
    accepted.push(socket);
    // `fd` is missing in the types of both kinds of sockets.
    options.onSocket?.(socket as unknown as { readonly fd: number });
    arrived.resolve();
    return NOBODY;
  };
  const listener = new TcpListener(LISTEN_OPTIONS, accept, options.poller);
  const client = await Peer.open(listener.port);
  await arrived.promise;
  arrived = Promise.withResolvers<void>();
  const target = await Peer.open(listener.port);
  await arrived.promise;

  const settings = { bufferSize: options.bufferSize ?? 65_536 };
  const totals = { bytes: 0 };
  const ends: TunnelEnd[] = [];
  const { promise: over, resolve } = Promise.withResolvers<TunnelEnd>();
  const [clientSocket, targetSocket] = accepted as [ConnectedSocket, ConnectedSocket];
  const tunnel = new Tunnel(clientSocket, targetSocket, {
    settings,
    totals,
    bulk: options.bulk,
    nowMs: () => systemClock.nowMs(),
    reset: gentleReset(systemClock),
    onHalfClosed: () => undefined,
    onHome: () => undefined,
    onEnded: (end) => {
      ends.push(end);
      resolve(end);
    },
  });
  clientSocket.data = tunnel.client;
  targetSocket.data = tunnel.target;
  tunnel.start();
  return {
    tunnel,
    client,
    target,
    settings,
    totals,
    ends,
    over: within(over, LIMIT_MS, "the end of the tunnel"),
    [Symbol.dispose]: () => {
      tunnel.kill("killed");
      client.reset();
      target.reset();
      listener.close();
    },
  };
}
