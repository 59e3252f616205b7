import { describe, expect, test } from "bun:test";
import { DatagramOutbox } from "./datagram-outbox.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A kernel that takes what the test lets it take. */
class FakeSender {
  /** Each system call: what it was given. */
  readonly calls: string[][] = [];
  readonly taken: string[] = [];
  room: number = Number.POSITIVE_INFINITY;
  /** Ports to which the kernel refuses to send. */
  readonly forbiddenPorts: Set<number> = new Set<number>();

  /** As Bun's: an error for the first datagram is thrown; a later one ends the batch before it. */
  sendMany(batch: readonly unknown[]): number {
    const call: string[] = [];
    this.calls.push(call);
    let count = 0;
    for (let i = 0; i < batch.length; i += 3) {
      const [bytes, port, address] = batch.slice(i, i + 3) as [Uint8Array, number, string];
      call.push(`${Buffer.from(bytes)}>${address}:${port}`);
      if (this.forbiddenPorts.has(port)) {
        if (count === 0) throw Object.assign(new Error("forbidden"), { code: "EACCES" });
        return count;
      }
      if (this.room === 0) return count;
      this.room--;
      this.taken.push(`${Buffer.from(bytes)}>${address}:${port}`);
      count++;
    }
    return count;
  }
}

function outbox() {
  const sender = new FakeSender();
  const counts = { sent: 0, bytes: 0, lost: 0 };
  const box = new DatagramOutbox(sender, {
    onSent: (datagrams, payloadBytes) => {
      counts.sent += datagrams;
      counts.bytes += payloadBytes;
    },
    onLost: (datagrams) => {
      counts.lost += datagrams;
    },
  });
  const add = (payload: string, port = 1, header?: string) =>
    box.add(Buffer.from(payload), port, "h", header === undefined ? undefined : Buffer.from(header));
  return { sender, counts, box, add };
}

describe("DatagramOutbox", () => {
  test("what one turn of the event loop brings goes out by one call", async () => {
    const { sender, counts, add } = outbox();
    add("a");
    add("bb", 2);
    expect(sender.calls).toEqual([]);
    await turn();
    add("ccc");
    await turn();
    expect(sender.calls).toEqual([["a>h:1", "bb>h:2"], ["ccc>h:1"]]);
    expect(counts).toEqual({ sent: 3, bytes: 6, lost: 0 });
  });

  test("a header is put before its payload, and is no payload; both may change afterwards", async () => {
    const { sender, counts, box } = outbox();
    const header = Buffer.from("H1");
    box.add(Buffer.from("one"), 1, "h", header);
    header.write("H2");
    box.add(Buffer.from("two"), 1, "h", header);
    await turn();
    expect(sender.taken).toEqual(["H1one>h:1", "H2two>h:1"]);
    expect(counts.bytes).toBe(6);
  });

  test("256 datagrams are a batch, and so is a mebibyte", async () => {
    const { sender, add } = outbox();
    for (let i = 0; i < 300; i++) add("x");
    expect(sender.calls.map((call) => call.length)).toEqual([256]);
    await turn();
    expect(sender.calls.map((call) => call.length)).toEqual([256, 44]);
    const big = "y".repeat(65_000);
    for (let i = 0; i < 20; i++) add(big);
    expect(sender.calls.map((call) => call.length)).toEqual([256, 44, 17]);
    await turn();
    expect(sender.taken).toHaveLength(320);
  });

  test("a datagram that the kernel refuses is lost, and costs no other", async () => {
    const { sender, counts, add } = outbox();
    sender.forbiddenPorts.add(9);
    for (const [index, port] of [9, 1, 9, 9, 2, 9].entries()) add(String(index), port);
    await turn();
    expect(sender.taken).toEqual(["1>h:1", "4>h:2"]);
    expect(counts).toEqual({ sent: 2, bytes: 2, lost: 4 });
  });

  test("what the kernel has no room for waits for it, in order, whole, whatever other sockets send meanwhile", async () => {
    const { sender, counts, box, add } = outbox();
    const other = outbox();
    sender.room = 1;
    for (const payload of ["a", "b", "c"]) add(payload, 1, "H");
    await turn();
    expect(sender.taken).toEqual(["Ha>h:1"]);
    for (let i = 0; i < 5; i++) other.add("other", 1, "HHHH");
    await turn();
    add("d", 1, "H");
    await turn();
    expect(sender.taken).toHaveLength(1);
    sender.room = 2;
    box.handleDrain();
    sender.room = 9;
    box.handleDrain();
    expect(sender.taken).toEqual(["Ha>h:1", "Hb>h:1", "Hc>h:1", "Hd>h:1"]);
    expect(counts).toEqual({ sent: 4, bytes: 4, lost: 0 });
    add("e");
    await turn();
    expect(sender.taken.at(-1)).toBe("e>h:1");
  });

  test("behind a kernel without room no more than a batch waits; the rest is lost", async () => {
    const { sender, counts, box, add } = outbox();
    sender.room = 0;
    add("first");
    await turn();
    for (let i = 0; i < 300; i++) add("x");
    await turn();
    expect(counts).toEqual({ sent: 0, bytes: 0, lost: 45 });
    sender.room = Number.POSITIVE_INFINITY;
    box.handleDrain();
    expect(counts).toEqual({ sent: 256, bytes: 260, lost: 45 });
  });

  test("headers of many sockets together fill the shared buffer without harm", async () => {
    const boxes = Array.from({ length: 40 }, outbox);
    const payload = "z".repeat(60_000);
    for (const [index, { add }] of boxes.entries()) add(`${payload}${index}`, 1, "H");
    await turn();
    for (const [index, { sender }] of boxes.entries()) expect(sender.taken).toEqual([`H${payload}${index}>h:1`]);
  });
});
