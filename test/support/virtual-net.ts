/**
 * A network without sockets and without waiting: packets between SCTP endpoints are lost, doubled, delayed, reordered and
 * corrupted by a seed, and time jumps to the next thing that happens.
 */

import { createHmac } from "node:crypto";
import type { EndpointOptions, Path, SctpEndpoint, SctpEvent } from "../../src/protocol/sctp/api.ts";
import { SeededRandom } from "./seeded-random.ts";

/** How badly the network behaves. Probabilities from 0 to 1, each for one packet. */
export interface NetConditions {
  readonly loss: number;
  readonly duplication: number;
  readonly corruption: number;
  /** One way, in milliseconds. Where they differ, packets overtake one another. */
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
}

/** Nothing is lost, and every packet takes ten milliseconds. */
export const CALM: NetConditions = { loss: 0, duplication: 0, corruption: 0, delayMinMs: 10, delayMaxMs: 10 };

/** HMAC-SHA-256, as the program will provide it. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(data).digest();
}

/** What every endpoint of a test is made with. */
export function endpointBasics(random: SeededRandom): Pick<EndpointOptions, "random" | "hmacSha256"> {
  return { random: (count) => random.bytes(count), hmacSha256 };
}

/** An event that is not for the network. */
export type NodeEvent = Exclude<SctpEvent, { kind: "send" }>;

interface Node {
  readonly path: Path;
  endpoint: SctpEndpoint;
  onEvent: (event: NodeEvent) => void;
}

interface Delivery {
  readonly atMs: number;
  /** Breaks ties, so that a seed always plays the same. */
  readonly order: number;
  readonly from: Path;
  readonly to: Path;
  readonly packet: Uint8Array;
}

/** The network, its clock, and the nodes on it. */
export class VirtualNet {
  readonly random: SeededRandom;
  conditions: NetConditions;
  nowMs = 0;
  /** Packets that were put on the wire. */
  sentCount = 0;
  /** Sees every packet as it is sent, before chance decides; false keeps it off the wire. */
  tap: ((packet: Uint8Array, from: Path, to: Path) => boolean) | undefined;
  readonly #nodes: Node[] = [];
  #wire: Delivery[] = [];
  #order = 0;

  constructor(seed: number, conditions: NetConditions) {
    this.random = new SeededRandom(seed);
    this.conditions = conditions;
  }

  /** Puts an endpoint on the network, in place of the one that had the path: a machine that restarts. */
  attach(path: Path, endpoint: SctpEndpoint, onEvent: (event: NodeEvent) => void): void {
    const known = this.#nodes.find((node) => isSamePath(node.path, path));
    if (known === undefined) this.#nodes.push({ path, endpoint, onEvent });
    else Object.assign(known, { endpoint, onEvent });
  }

  /** Puts a packet on the wire, as if `from` had sent it. */
  inject(packet: Uint8Array, from: Path, to: Path): void {
    this.sentCount++;
    const { loss, duplication, corruption, delayMinMs, delayMaxMs } = this.conditions;
    if (this.tap?.(packet, from, to) === false) return;
    const copies = 1 + Number(this.random.chance(duplication));
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.chance(loss)) continue;
      const delivered = packet.slice();
      if (this.random.chance(corruption)) {
        const at = this.random.below(delivered.length);
        delivered[at] = (delivered[at] as number) ^ (1 << this.random.below(8));
      }
      const atMs = this.nowMs + delayMinMs + this.random.below(delayMaxMs - delayMinMs + 1);
      this.#wire.push({ atMs, order: this.#order++, from, to, packet: delivered });
    }
  }

  /** Does what the endpoints ask for, until none asks. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const node of this.#nodes) {
        for (let event = node.endpoint.pollEvent(); event !== undefined; event = node.endpoint.pollEvent()) {
          isBusy = true;
          if (event.kind === "send") this.inject(event.packet, node.path, event.to);
          else node.onEvent(event);
        }
      }
    }
  }

  /** Runs until nothing will ever happen, or until `untilMs`. Answers whether all is quiet. */
  run(untilMs: number): boolean {
    for (;;) {
      this.settle();
      const wireAt = this.#wire.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Number.POSITIVE_INFINITY);
      const timerAt = Math.min(...this.#nodes.map(({ endpoint }) => endpoint.pollTimeout()));
      const nextAt = Math.min(wireAt, timerAt);
      if (nextAt === Number.POSITIVE_INFINITY) return true;
      if (nextAt > untilMs) {
        this.nowMs = untilMs;
        return false;
      }
      this.nowMs = Math.max(this.nowMs, nextAt);
      this.#deliver();
      for (const { endpoint } of this.#nodes) {
        if (endpoint.pollTimeout() <= this.nowMs) endpoint.handleTimeout(this.nowMs);
      }
    }
  }

  #deliver(): void {
    const due = this.#wire.filter(({ atMs }) => atMs <= this.nowMs);
    if (due.length === 0) return;
    this.#wire = this.#wire.filter(({ atMs }) => atMs > this.nowMs);
    due.sort((left, right) => left.atMs - right.atMs || left.order - right.order);
    for (const { packet, from, to } of due) {
      const node = this.#nodes.find(({ path }) => isSamePath(path, to));
      node?.endpoint.handlePacket(packet, from, this.nowMs);
      this.settle();
    }
  }
}

function isSamePath(left: Path, right: Path): boolean {
  return left.address === right.address && left.udpPort === right.udpPort;
}
