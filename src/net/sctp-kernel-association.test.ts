import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { Libc } from "./libc.ts";
import { KernelAssociation } from "./sctp-kernel-association.ts";

/** What the kernel says when an association is over: type 0x8001, length 20, state 3, in host order. */
const SHUTDOWN_COMPLETE = Uint8Array.of(0x01, 0x80, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0);

/** An association on a socket of which every call is written down. */
class Stage {
  readonly calls: string[] = [];
  readonly clock = new ManualClock();
  readonly association: KernelAssociation;
  /** Messages that the kernel has room for. */
  room = Number.POSITIVE_INFINITY;

  constructor(canNotify = true) {
    const socket = {
      fd: 9,
      write: (bytes: Uint8Array): number => {
        if (this.room <= 0) return 0;
        this.room--;
        this.calls.push(`write ${Buffer.from(bytes)}`);
        return bytes.length;
      },
      shutdown: () => this.calls.push("shutdown"),
      end: () => this.calls.push("end"),
      terminate: () => this.calls.push("terminate"),
    } as unknown as Socket<KernelAssociation>;
    const library = {
      setsockopt: (fd: number, level: number, name: number) => {
        this.calls.push(`setsockopt ${fd} ${level} ${name}`);
        return canNotify ? 0 : -1;
      },
    } as unknown as Libc;
    this.association = new KernelAssociation(socket, { address: "192.0.2.1", port: 5 }, library, this.clock);
    this.association.attach({
      data: (bytes) => this.calls.push(`data ${Buffer.from(bytes)}`),
      end: () => this.calls.push("ended"),
    });
  }
}

const ascii = (text: string): Uint8Array => Buffer.from(text);
const CLOSING = ["setsockopt 9 132 11", "shutdown"];

describe("KernelAssociation", () => {
  test("a reply, a graceful close, and the descriptor given back when the kernel says that it is over", () => {
    const { association, calls, clock } = new Stage();
    association.handleData(ascii("question"));
    association.write(ascii("answer"));
    association.close();
    association.handleData(ascii("more than was asked"));
    expect(calls).toEqual(["data question", "write answer", ...CLOSING]);
    association.handleData(SHUTDOWN_COMPLETE);
    association.handleClose();
    association.handleClose();
    expect(calls.slice(4)).toEqual(["end", "ended"]);
    expect(clock.pendingCount).toBe(0);
  });

  test("the notification is seen behind data that came with it, and not before the close", () => {
    const { association, calls } = new Stage();
    association.handleData(SHUTDOWN_COMPLETE);
    expect(calls[0]).toStartWith("data ");
    association.close();
    association.handleData(Buffer.concat([ascii("late"), SHUTDOWN_COMPLETE]));
    expect(calls.slice(1)).toEqual([...CLOSING, "end"]);
  });

  test("what the kernel has no room for waits, and the close behind it", () => {
    const stage = new Stage();
    stage.room = 1;
    const bytes = ascii("two");
    stage.association.write(ascii("one"));
    stage.association.write(bytes);
    bytes.fill(0);
    stage.association.close();
    expect(stage.calls).toEqual(["write one"]);
    stage.room = 5;
    stage.association.handleDrain();
    expect(stage.calls).toEqual(["write one", "write two", ...CLOSING]);
  });

  test("a peer that does not finish the close is aborted at the limit", () => {
    const { association, calls, clock } = new Stage();
    association.close();
    clock.advance(19_999);
    expect(calls).toEqual(CLOSING);
    clock.advance(1);
    expect(calls).toEqual([...CLOSING, "terminate", "ended"]);
  });

  test("a kernel that cannot notify: closed at once, gracefully as far as it goes", () => {
    const { association, calls } = new Stage(false);
    association.close();
    expect(calls).toEqual([...CLOSING, "end"]);
  });

  test("a peer that closes, and one that aborts", () => {
    const closing = new Stage();
    closing.association.handleEnd();
    closing.association.handleClose();
    expect(closing.calls).toEqual(["end", "ended"]);
    const aborting = new Stage();
    aborting.association.handleClose();
    expect(aborting.calls).toEqual(["ended"]);
  });

  test("after the end nothing is written or ended again", () => {
    const { association, calls } = new Stage();
    association.abort();
    association.abort();
    association.write(ascii("late"));
    association.close();
    expect(calls).toEqual(["terminate", "ended"]);
  });

  test("a message that cannot be sent is a mistake of the caller", () => {
    const { association } = new Stage();
    expect(() => association.write(new Uint8Array(0))).toThrow(RangeError);
    expect(() => association.write(new Uint8Array(65_537))).toThrow(RangeError);
  });
});
