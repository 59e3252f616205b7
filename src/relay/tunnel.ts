/**
 * Two connected sockets and the bytes between them. It moves bytes and never looks at them.
 *
 * Each direction stands alone. What one socket gives is written to the other at once; what the other cannot take is
 * kept, and when that reaches the buffer size the giving socket is no longer read, so that the back-pressure
 * goes on to its sender. FIN is passed on after the last byte, and the other direction lives on; RST is passed on as RST,
 * after the bytes that came before it.
 *
 * A tunnel that moves much can leave: a mover takes both sockets, and brings them back for their end.
 */

import type { BulkMover, BulkTunnel } from "../ports/bulk.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { BULK_PIECE_BYTES_MIN, BulkPolicy } from "./bulk-policy.ts";
import { type RelaySettings, type RelayTotals, Side, type SideTunnel } from "./side.ts";
import { endOfClose, type TunnelEnd } from "./tunnel-end.ts";

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
  readonly #options: TunnelOptions;
  #end: TunnelEnd | undefined;
  #isOver = false;
  /** When a byte last moved, on the clock of `nowMs`. */
  lastActiveMs: number;
  /** Absent until bytes have passed, and while a mover has the sockets. */
  #policy: BulkPolicy | undefined;
  /** Before, whoever opens the tunnel may still have news for its sides. */
  #isStarted = false;
  /** While a mover has the sockets. */
  #away: BulkTunnel | undefined;

  constructor(client: Stream, target: Stream, options: TunnelOptions) {
    this.#options = options;
    this.lastActiveMs = options.nowMs();
    this.client = new Side(this, client);
    this.target = new Side(this, target);
  }

  get settings(): RelaySettings {
    return this.#options.settings;
  }

  get totals(): RelayTotals {
    return this.#options.totals;
  }

  get reset(): GentleReset {
    return this.#options.reset;
  }

  peerOf(side: Side): Side {
    return side === this.client ? this.target : this.client;
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
    const { bulk } = this.#options;
    if (bulk?.when === "always") this.#handOver(bulk);
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

  /** Has the kernel ask whether the peers are still there, first after `delayMs` of silence. */
  keepAlive(delayMs: number): void {
    for (const side of [this.client, this.target]) if (!side.isClosed) side.stream.setKeepAlive(true, delayMs);
  }

  /** Ends both sockets at once, with RST: the peers learn that it was no regular end. */
  kill(end: TunnelEnd): void {
    this.#end ??= end;
    this.client.terminate();
    this.target.terminate();
  }

  handleLost(side: Side, code: string | undefined): void {
    // The first reason counts: what follows from it says nothing new.
    this.#end ??= endOfClose(side === this.client ? "client" : "target", code);
  }

  handleHalfClosed(): void {
    this.#options.onHalfClosed();
  }

  handlePassed(bytes: number): void {
    const { bulk } = this.#options;
    if (bulk === undefined) return;
    // A tunnel that only ever converses has no policy.
    if (bulk.when !== "always" && this.#policy === undefined && bytes < BULK_PIECE_BYTES_MIN) return;
    if (bulk.when === "always" || this.#ownPolicy.moved(bytes, this.lastActiveMs)) this.#handOver(bulk);
  }

  get #ownPolicy(): BulkPolicy {
    this.#policy ??= new BulkPolicy();
    return this.#policy;
  }

  handleHome(): void {
    if (this.#away === undefined) return;
    // The sockets come one after the other.
    this.#away = undefined;
    this.#ownPolicy.cameHome(this.#options.nowMs());
    this.#options.onHome();
  }

  #handOver({ mover }: BulkOptions): void {
    const { client, target } = this;
    if (!this.#isStarted || this.isAway) return;
    // With FIN of both seen there is nothing left to move.
    if (!client.isSettled || !target.isSettled || (client.finReceived && target.finReceived)) return;
    const away = mover.take(client, target);
    if (away === undefined) {
      this.#ownPolicy.cameHome(this.#options.nowMs());
      return;
    }
    this.#away = away;
    this.#policy = undefined;
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
