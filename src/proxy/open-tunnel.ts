/**
 * A client whose request stands: its tunnel, the limits on the tunnel's silence, and what the access log will say.
 *
 * It takes the place of the `Connection` that has brought it about, which is forgotten with the whole conversation: a proxy
 * holds thousands of these, and mostly they do nothing. For the same reason it is its own deadline, and what the tunnel
 * asks for, instead of having an object and closures for each.
 */

import type { RequestRecord } from "../ports/proxy-events.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import type { RelaySettings, RelayTotals } from "../relay/side.ts";
import { type BulkOptions, Tunnel, type TunnelOptions } from "../relay/tunnel.ts";
import type { TunnelEnd } from "../relay/tunnel-end.ts";
import { Deadline } from "../time/timer-wheel.ts";
import type { AddressEntry } from "./client-table.ts";
import type { ClientHost, ServedClient } from "./served-client.ts";
import { NO_PLACE } from "./served-clients.ts";

/** What the access log will say. It is made when the tunnel opens; what is known only at its end is put in then. */
export type TunnelStory = { -readonly [Key in keyof RequestRecord]: RequestRecord[Key] };

export class OpenTunnel extends Deadline implements ServedClient, TunnelOptions {
  readonly tunnel: Tunnel;
  place: number = NO_PLACE;
  readonly #host: ClientHost;
  readonly #entry: AddressEntry;
  readonly #story: TunnelStory;
  /** Whether keep-alive is to be switched on when the tunnel falls silent; not any more once it has been. */
  #wantsKeepAlive: boolean;
  #isOver = false;

  constructor(host: ClientHost, entry: AddressEntry, story: TunnelStory, client: Stream, target: Stream) {
    super();
    this.#host = host;
    this.#entry = entry;
    this.#story = story;
    this.#wantsKeepAlive = host.context.timeouts.keepAliveMs > 0;
    this.tunnel = new Tunnel(client, target, this);
  }

  /** Both sockets are closed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get settings(): RelaySettings {
    return this.#host.context.settings;
  }

  get totals(): RelayTotals {
    return this.#host.context.totals;
  }

  get bulk(): BulkOptions | undefined {
    return this.#host.context.bulk;
  }

  get reset(): GentleReset {
    return this.#host.context.reset;
  }

  nowMs(): number {
    return this.#host.context.clock.turnMs();
  }

  onHalfClosed(): void {
    this.watchSilence();
  }

  onHome(): void {
    this.watchSilence();
  }

  onEnded(end: TunnelEnd): void {
    this.#isOver = true;
    const { wheel, clients, events, clock } = this.#host.context;
    wheel.clear(this);
    clients.leave(this.#entry);
    this.#host.forget(this);
    const story = this.#story;
    story.endedWallMs = clock.wallMs();
    story.bytesUp = this.tunnel.target.bytesWritten;
    story.bytesDown = this.tunnel.client.bytesWritten;
    story.end = end;
    events.onRequestFinished(story);
  }

  kill(end: TunnelEnd): void {
    this.tunnel.kill(end);
  }

  applyBufferSize(): void {
    this.tunnel.applyBufferSize();
  }

  /** Sets the deadline to the next moment at which a silent tunnel needs us. */
  watchSilence(): void {
    if (this.#isOver) return;
    const { wheel, timeouts } = this.#host.context;
    const limitMs = this.#silenceLimitMs;
    const waitMs = this.#wantsKeepAlive ? Math.min(limitMs, timeouts.keepAliveMs) : limitMs;
    wheel.set(this, this.tunnel.lastActiveMs + waitMs);
  }

  /** How long the tunnel may be silent. */
  get #silenceLimitMs(): number {
    const { idleMs, halfClosedMs } = this.#host.context.timeouts;
    return (this.tunnel.isHalfClosed ? halfClosedMs : idleMs) || Number.POSITIVE_INFINITY;
  }

  /** Bytes that move do not touch the deadline: a tunnel that was not silent after all gets a new one. */
  override handleDue(nowMs: number): void {
    const { tunnel } = this;
    const { counters, timeouts } = this.#host.context;
    const silentMs = nowMs - tunnel.lastActiveMs;
    if (silentMs >= this.#silenceLimitMs) {
      counters.idleTimeouts++;
      tunnel.kill(tunnel.isHalfClosed ? "half-closed-timeout" : "idle-timeout");
      return;
    }
    if (this.#wantsKeepAlive && silentMs >= timeouts.keepAliveMs) {
      // Only now: most tunnels never fall silent, and would pay four system calls a socket for nothing.
      tunnel.keepAlive(timeouts.keepAliveMs);
      this.#wantsKeepAlive = false;
    }
    this.watchSilence();
  }
}
