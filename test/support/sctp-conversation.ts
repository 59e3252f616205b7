/**
 * Two programs that talk over SCTP on a virtual network, and the account of what each sent and received. Every message says
 * which association of which program sent it and as the how-manieth, so that any that is lost, doubled, out of order or in
 * the wrong place is found.
 */

import { expect } from "bun:test";
import type { AssociationId, CloseReason, Path, SctpTiming } from "../../src/protocol/sctp/api.ts";
import { Endpoint } from "../../src/protocol/sctp/endpoint.ts";
import { endpointBasics, type NodeEvent, type VirtualNet } from "./virtual-net.ts";

const HEADER_BYTES = 12;

/** One association as one of the two programs saw it. */
export interface Record {
  readonly program: Program;
  readonly association: AssociationId;
  /** Lengths of the messages that `send` took. */
  readonly sent: number[];
  /** What came, decoded. */
  readonly received: { readonly sender: string; readonly index: number; readonly bytes: number }[];
  /** Messages that are still to be sent. */
  readonly toSend: number[];
  /** Shut down when all has been sent. */
  shutsDown: boolean;
  wasConnected: boolean;
  /** The program died under it. */
  isForgotten: boolean;
  reason: CloseReason | undefined;
  closedAtMs: number | undefined;
}

/** What a program does with an association. */
export interface Plan {
  /** The lengths of its messages, each of 12 bytes or more. */
  readonly messages: readonly number[];
  readonly shutsDown: boolean;
  /** Shut down only after this many messages of the peer have come. */
  readonly awaits: number;
}

/** A program with an endpoint; `restart` is what a crash makes of it. */
export class Program {
  readonly name: string;
  readonly path: Path;
  readonly net: VirtualNet;
  readonly records: Record[] = [];
  readonly plan: () => Plan;
  readonly acceptPort: number | undefined;
  readonly timing: Partial<SctpTiming>;
  endpoint: Endpoint;
  #life = 0;
  #live = new Map<AssociationId, Record>();
  readonly #plans = new Map<AssociationId, Plan>();

  constructor(
    name: string,
    net: VirtualNet,
    path: Path,
    plan: () => Plan,
    acceptPort?: number,
    timing: Partial<SctpTiming> = {},
  ) {
    this.name = name;
    this.net = net;
    this.path = path;
    this.plan = plan;
    this.acceptPort = acceptPort;
    this.timing = timing;
    this.endpoint = this.#newEndpoint();
  }

  #newEndpoint(): Endpoint {
    const endpoint = new Endpoint({
      ...endpointBasics(this.net.random),
      ...(this.acceptPort === undefined ? {} : { acceptPort: this.acceptPort }),
      timing: this.timing,
    });
    this.net.attach(this.path, endpoint, (event) => this.#onEvent(event));
    return endpoint;
  }

  /** Loses all state, as a process that dies and starts again. */
  restart(): void {
    this.#life++;
    for (const record of this.live) record.isForgotten = true;
    this.#live = new Map();
    this.#plans.clear();
    this.endpoint = this.#newEndpoint();
  }

  /** The associations that have not ended, as far as this program knows. */
  get live(): Record[] {
    return [...this.#live.values()];
  }

  connect(to: Path, localPort: number, remotePort: number): void {
    const result = this.endpoint.connect(to, localPort, remotePort, this.net.nowMs);
    if (result.kind === "connecting") this.#begin(result.association);
  }

  #begin(association: AssociationId): Record {
    const plan = this.plan();
    const record: Record = {
      program: this,
      association,
      sent: [],
      received: [],
      toSend: [...plan.messages],
      shutsDown: plan.shutsDown,
      wasConnected: false,
      isForgotten: false,
      reason: undefined,
      closedAtMs: undefined,
    };
    this.records.push(record);
    this.#live.set(association, record);
    this.#plans.set(association, plan);
    return record;
  }

  #onEvent(event: NodeEvent): void {
    const record = this.#live.get(event.association) ?? this.#begin(event.association);
    expect(record.reason).toBeUndefined();
    if (event.kind === "connected") {
      expect(record.wasConnected).toBe(false);
      record.wasConnected = true;
    }
    if (event.kind === "message") this.read(record, event.bytes);
    if (event.kind === "closed") {
      record.reason = event.reason;
      record.closedAtMs = this.net.nowMs;
      this.#live.delete(event.association);
      return;
    }
    this.#work(record);
  }

  /** Takes the account of a message. */
  protected read(record: Record, bytes: Uint8Array): void {
    record.received.push(readMessage(bytes));
  }

  /** Sends as much as the endpoint takes, and ends when the plan says so. */
  #work(record: Record): void {
    const { association, toSend } = record;
    for (let bytes = toSend[0]; bytes !== undefined; bytes = toSend[0]) {
      const message = writeMessage(this.#idOf(record), record.sent.length, bytes);
      if (this.endpoint.send(association, message, this.net.nowMs) !== "queued") return;
      toSend.shift();
      record.sent.push(bytes);
    }
    const plan = this.#plans.get(association);
    if (record.shutsDown && record.received.length >= (plan?.awaits ?? 0)) {
      this.endpoint.shutdown(association, this.net.nowMs);
    }
  }

  #idOf({ association }: Record): string {
    return `${this.name}${String(this.#life).padStart(2, "0")}${String(association).padStart(4, "0")}`;
  }
}

/** The message: 8 bytes of sender, 4 of index, then bytes that follow from both. */
function writeMessage(sender: string, index: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  out.set(new TextEncoder().encode(sender.slice(0, 8).padEnd(8)), 0);
  new DataView(out.buffer).setUint32(8, index);
  for (let at = HEADER_BYTES; at < length; at++) out[at] = (at * 31 + index * 7) & 0xff;
  return out;
}

function readMessage(bytes: Uint8Array): { sender: string; index: number; bytes: number } {
  const sender = new TextDecoder().decode(bytes.subarray(0, 8)).trimEnd();
  const index = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8);
  expect(bytes).toEqual(writeMessage(sender, index, bytes.length));
  return { sender, index, bytes: bytes.length };
}

/** Nothing is lost within, doubled, reordered, or mixed up; and where both sides closed in peace, nothing is missing. */
export function expectFaithful(...programs: readonly Program[]): void {
  const records = programs.flatMap((program) => program.records);
  for (const { received } of records) {
    // All of one association come from one association of the peer, from its first message on.
    expect(new Set(received.map(({ sender }) => sender)).size).toBeLessThanOrEqual(1);
    expect(received.map(({ index }) => index)).toEqual(received.map((_, index) => index));
  }
}

/** Every association has ended, and nothing is left of it. */
export function expectNothingLeft(...programs: readonly Program[]): void {
  for (const { endpoint, records, live } of programs) {
    expect(endpoint.holdings()).toEqual({ associations: 0, sendBytes: 0, receiveBytes: 0 });
    expect(live).toEqual([]);
    expect(records.filter(({ isForgotten, reason }) => !isForgotten && reason === undefined)).toEqual([]);
  }
}

/** A program that takes whatever comes, where others may put in a word. */
export class Talker extends Program {
  messageCount = 0;

  protected override read(): void {
    this.messageCount++;
  }
}

/** Ends what the programs' plans have left open, and plays until nothing happens any more. */
export function endAll(net: VirtualNet, ...programs: readonly Program[]): void {
  net.run(net.nowMs + 10_000);
  for (const { endpoint, live } of programs) {
    for (const { association } of live) endpoint.shutdown(association, net.nowMs);
  }
  expect(net.run(net.nowMs + 3_600_000)).toBe(true);
  expectNothingLeft(...programs);
}
