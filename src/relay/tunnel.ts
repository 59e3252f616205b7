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

import type { BulkMover, BulkTunnel } from "../ports/bulk.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { BulkPolicy } from "./bulk-policy.ts";
import { type RelaySettings, type RelayTotals, Side, type SideTunnel } from "./side.ts";
import type { TunnelEnd } from "./tunnel-end.ts";

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

export class Tunnel implements SideTunnel {
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
