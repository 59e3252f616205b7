/**
 * Drives an {@link SctpEndpoint} over a UDP socket (RFC 6951): packets and time in, packets and news of associations out.
 * Server and client share it.
 */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { AssociationId, CloseReason, Path, SctpEndpoint, SctpEvent } from "../protocol/sctp/api.ts";
import { type Association, type AssociationHandler, MESSAGE_BYTES_MAX, type SctpAddress } from "./sctp-listener.ts";

type Connected = SctpEvent & { readonly kind: "connected" };

export interface UdpDriverOptions {
  readonly endpoint: SctpEndpoint;
  readonly clock: Clock;
  /** Sends one datagram. Must not throw: what cannot be sent is lost, as packets are. */
  readonly send: (packet: Uint8Array, to: Path) => void;
  /** An association is up. `undefined` refuses it. */
  readonly connected: (association: Association, event: Connected) => AssociationHandler | undefined;
  /** An association has ended, one that never came up included. */
  readonly closed?: (id: AssociationId, reason: CloseReason) => void;
  /** A handler threw: a bug of ours, which has ended its association and no other. */
  readonly fault: (error: unknown) => void;
}

export class UdpDriver {
  readonly #options: UdpDriverOptions;
  /** BOUNDED by the endpoint's `associationsMax`. */
  readonly #associations = new Map<AssociationId, UdpAssociation>();
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isPumping = false;
  #isPumpDue = false;

  constructor(options: UdpDriverOptions) {
    this.#options = options;
  }

  /** Associations that are up. */
  get associationCount(): number {
    return this.#associations.size;
  }

  /** Takes a datagram. `packet` is a view that is valid during the call only. */
  receive(packet: Uint8Array, from: Path): void {
    // As what it says it is: the `slice` of a Buffer gives no copy, and the endpoint makes its copies by `slice`.
    const bytes = new Uint8Array(packet.buffer, packet.byteOffset, packet.length);
    this.#options.endpoint.handlePacket(bytes, from, this.#options.clock.nowMs());
    this.pump();
  }

  /** Does what the endpoint has to do. To be called after every call to the endpoint; harmless within its own events. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      const { endpoint } = this.#options;
      for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent()) this.#obey(event);
    } finally {
      this.#isPumping = false;
    }
    this.#setTimer();
  }

  /**
   * Pumps when the current turn is over: a reply and the close behind it then leave together, and the peer, told that no
   * more will come, need not hold its acknowledgement back.
   */
  pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.pump();
    });
  }

  /** Aborts every association and stops the timer. */
  destroy(): void {
    for (const association of [...this.#associations.values()]) association.abort();
    this.pump();
    this.#timer?.cancel();
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  #obey(event: SctpEvent): void {
    switch (event.kind) {
      case "send":
        this.#options.send(event.packet, event.to);
        return;
      case "connected":
        this.#open(event);
        return;
      case "message":
        this.#deliver(this.#associations.get(event.association), event.bytes);
        return;
      case "writable":
        this.#associations.get(event.association)?.handleWritable();
        return;
      case "peer-shutdown":
        // SCTP knows no half-closed association: `closed` follows by itself.
        return;
      case "closed": {
        const association = this.#associations.get(event.association);
        this.#associations.delete(event.association);
        association?.handleClosed();
        this.#options.closed?.(event.association, event.reason);
        return;
      }
      default:
        event satisfies never;
    }
  }

  #deliver(association: UdpAssociation | undefined, bytes: Uint8Array): void {
    try {
      association?.handleMessage(bytes);
    } catch (error) {
      this.#options.fault(error);
      association?.abort();
    }
  }

  #open(event: Connected): void {
    const { endpoint, clock } = this.#options;
    const { address, udpPort } = event.peer;
    // An IPv4 peer of an IPv6 socket is answered by its mapped address, and known by its own.
    const ip = parseIp(address);
    const peer = { address: ip === undefined ? address : formatIp(ip), port: event.remotePort, udpPort };
    const association = new UdpAssociation(event.association, peer, endpoint, clock, this);
    this.#associations.set(event.association, association);
    const handler = this.#options.connected(association, event);
    if (handler === undefined) association.abort();
    else association.attach(handler);
  }

  #setTimer(): void {
    const { endpoint, clock } = this.#options;
    const dueMs = endpoint.pollTimeout();
    if (dueMs === this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      endpoint.handleTimeout(clock.nowMs());
      this.pump();
    });
  }
}

class UdpAssociation implements Association {
  readonly peer: SctpAddress;
  readonly #id: AssociationId;
  readonly #endpoint: SctpEndpoint;
  readonly #clock: Clock;
  readonly #driver: UdpDriver;
  #handler: AssociationHandler | undefined;
  #state: "open" | "closing" | "gone" = "open";
  /** Messages for which the send buffer has no room. BOUNDED by the user: an admin session writes twice. */
  readonly #unsent: Uint8Array[] = [];

  constructor(id: AssociationId, peer: SctpAddress, endpoint: SctpEndpoint, clock: Clock, driver: UdpDriver) {
    this.#id = id;
    this.peer = peer;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#driver = driver;
  }

  attach(handler: AssociationHandler): void {
    this.#handler = handler;
  }

  write(message: Uint8Array): void {
    if (message.length < 1 || message.length > MESSAGE_BYTES_MAX) throw new RangeError(`${message.length} bytes`);
    if (this.#state !== "open") return;
    // Not `slice`, which gives no copy where the message is a Buffer.
    this.#unsent.push(new Uint8Array(message));
    this.#flush();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#flush();
  }

  abort(): void {
    if (this.#state === "gone") return;
    this.#endpoint.abort(this.#id, this.#clock.nowMs());
    this.#driver.pump();
  }

  handleMessage(bytes: Uint8Array): void {
    if (this.#state === "open") this.#handler?.data(bytes);
  }

  handleWritable(): void {
    this.#flush();
  }

  handleClosed(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#handler?.end();
  }

  #flush(): void {
    for (let message = this.#unsent[0]; message !== undefined; message = this.#unsent[0]) {
      const result = this.#endpoint.send(this.#id, message, this.#clock.nowMs());
      if (result === "bad-length") throw new Error(`a message of ${message.length} bytes exceeds the send buffer`);
      if (result === "buffer-full") return;
      // Sent, or the association is closing and the message has nowhere to go.
      this.#unsent.shift();
    }
    if (this.#state === "closing") this.#endpoint.shutdown(this.#id, this.#clock.nowMs());
    this.#driver.pumpSoon();
  }
}
