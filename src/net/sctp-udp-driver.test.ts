import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { AssociationId, Path, SctpEndpoint, SctpEvent, SendResult } from "../protocol/sctp/api.ts";
import type { Association } from "./sctp-listener.ts";
import { UdpDriver } from "./sctp-udp-driver.ts";

const PEER: Path = { address: "::ffff:192.0.2.1", udpPort: 9899 };
const ID = 1 as AssociationId;
const CONNECTED: SctpEvent = {
  kind: "connected",
  association: ID,
  role: "server",
  peer: PEER,
  localPort: 8080,
  remotePort: 5000,
};

/** A driver of an endpoint that a test plays: it says what is put into `events`, and its calls are written down. */
class Stage {
  readonly clock = new ManualClock();
  readonly events: SctpEvent[] = [];
  readonly calls: string[] = [];
  readonly packets: Uint8Array[] = [];
  readonly faults: unknown[] = [];
  dueMs = Number.POSITIVE_INFINITY;
  sendResult: SendResult = "queued";
  association: Association | undefined;
  isWelcome = true;
  onData: (bytes: Uint8Array) => void = (bytes) => this.calls.push(`data ${Buffer.from(bytes)}`);
  readonly driver: UdpDriver;

  constructor() {
    const endpoint: Partial<SctpEndpoint> = {
      handlePacket: (packet) => void this.packets.push(packet),
      handleTimeout: () => {
        this.calls.push("timeout");
        this.dueMs = Number.POSITIVE_INFINITY;
      },
      pollEvent: () => this.events.shift(),
      pollTimeout: () => this.dueMs,
      send: (_id, bytes) => {
        this.calls.push(`send ${Buffer.from(bytes)}`);
        return this.sendResult;
      },
      shutdown: () => void this.calls.push("shutdown"),
      abort: () => {
        this.calls.push("abort");
        this.events.push({ kind: "closed", association: ID, reason: "aborted", detail: "" });
      },
    };
    this.driver = new UdpDriver({
      endpoint: endpoint as SctpEndpoint,
      clock: this.clock,
      send: (packet, to) => this.calls.push(`packet of ${packet.length} to ${to.address}`),
      connected: (association) => {
        this.association = association;
        return this.isWelcome
          ? { data: (bytes) => this.onData(bytes), end: () => this.calls.push("ended") }
          : undefined;
      },
      fault: (error) => this.faults.push(error),
    });
  }

  happen(...events: SctpEvent[]): this {
    this.events.push(...events);
    this.driver.pump();
    return this;
  }
}

describe("UdpDriver", () => {
  test("hands packets on as plain bytes: the slice of a Buffer would be no copy", () => {
    const stage = new Stage();
    const pool = Buffer.from("...packet...");
    stage.driver.receive(pool.subarray(3, 9), PEER);
    const [packet] = stage.packets;
    expect(Buffer.isBuffer(packet)).toBe(false);
    const copy = packet?.slice();
    pool.fill(0);
    expect(Buffer.from(copy ?? []).toString()).toBe("packet");
  });

  test("knows an IPv4 peer of an IPv6 socket by its own address, and answers to the mapped one", () => {
    const stage = new Stage().happen(CONNECTED, { kind: "send", to: PEER, packet: new Uint8Array(7) });
    expect(stage.association?.peer).toEqual({ address: "192.0.2.1", port: 5000, udpPort: 9899 });
    expect(stage.calls).toEqual(["packet of 7 to ::ffff:192.0.2.1"]);
  });

  test("a message that finds no room waits, and the close behind it", async () => {
    const stage = new Stage().happen(CONNECTED);
    stage.sendResult = "buffer-full";
    const message = Buffer.from("hello");
    stage.association?.write(message);
    message.fill(0);
    stage.association?.close();
    await Promise.resolve();
    expect(stage.calls).toEqual(["send hello", "send hello"]);
    stage.sendResult = "queued";
    stage.happen({ kind: "writable", association: ID });
    expect(stage.calls.slice(2)).toEqual(["send hello", "shutdown"]);
  });

  test("nothing is delivered after the close, and the end is told once", () => {
    const stage = new Stage().happen(CONNECTED);
    const message = (text: string): SctpEvent => {
      return { kind: "message", association: ID, streamId: 0, ppid: 0, bytes: Buffer.from(text) };
    };
    stage.happen(message("one"));
    stage.association?.close();
    const closed: SctpEvent = { kind: "closed", association: ID, reason: "shutdown", detail: "" };
    stage.happen(message("two"), closed);
    stage.association?.abort();
    stage.association?.write(Buffer.from("late"));
    expect(stage.calls).toEqual(["data one", "shutdown", "ended"]);
    expect(stage.driver.associationCount).toBe(0);
  });

  test("who is not welcome is aborted, and so is whose handler throws", () => {
    const refused = new Stage();
    refused.isWelcome = false;
    refused.happen(CONNECTED);
    expect(refused.calls).toEqual(["abort"]);

    const faulty = new Stage().happen(CONNECTED);
    faulty.onData = () => {
      throw new Error("a bug");
    };
    faulty.happen({ kind: "message", association: ID, streamId: 0, ppid: 0, bytes: new Uint8Array(1) });
    expect(faulty.calls).toEqual(["abort", "ended"]);
    expect(faulty.faults).toEqual([new Error("a bug")]);
  });

  test("one timer, for what is due first", () => {
    const stage = new Stage();
    stage.dueMs = stage.clock.nowMs() + 50;
    stage.driver.pump();
    stage.driver.pump();
    expect(stage.clock.pendingCount).toBe(1);
    stage.clock.advance(49);
    expect(stage.calls).toEqual([]);
    stage.clock.advance(1);
    expect(stage.calls).toEqual(["timeout"]);
    expect(stage.clock.pendingCount).toBe(0);
  });
});
