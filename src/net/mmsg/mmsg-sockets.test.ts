import { describe, expect, test } from "bun:test";
import { within } from "../../../test/support/deadline.ts";
import { readyPoller } from "../../../test/support/poller.ts";
import { EAGAIN } from "../errno.ts";
import { type Libc, libc } from "../libc.ts";
import { MmsgSockets } from "./mmsg-sockets.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const HEADER = Buffer.from("H");

/** Sockets whose kernel has no room for anything as long as the test says so. */
async function setUp() {
  const kernel = { hasRoom: true, calls: 0 };
  const real = libc as Libc;
  const c: Libc = {
    ...real,
    sendmmsg: (...call) => {
      kernel.calls++;
      return kernel.hasRoom ? real.sendmmsg(...call) : -1;
    },
    errno: () => (kernel.hasRoom ? real.errno() : EAGAIN),
  };
  const poller = await readyPoller(c);
  const sockets = new MmsgSockets(c, poller);
  const heard: string[] = [];
  const counts = { sent: 0, bytes: 0, lost: 0 };
  const { promise: last, resolve } = Promise.withResolvers<void>();
  const receiver = sockets.open(
    { ip: LOOPBACK, port: 0, receiveBufferSize: 1_000_000 },
    {
      onDatagram: (payload) => {
        const text = Buffer.from(payload).toString();
        heard.push(text);
        if (text.endsWith("last")) resolve();
      },
      onSent: () => undefined,
      onLost: () => undefined,
    },
  );
  const sender = sockets.open(
    { ip: LOOPBACK, port: 0, receiveBufferSize: 1_000_000 },
    {
      onDatagram: () => undefined,
      onSent: (datagrams, payloadBytes) => {
        counts.sent += datagrams;
        counts.bytes += payloadBytes;
      },
      onLost: (datagrams) => {
        counts.lost += datagrams;
      },
    },
  );
  if (typeof receiver === "string" || typeof sender === "string") throw new Error("no sockets");
  const send = (text: string): void => {
    const payload = Buffer.from(text);
    sender.send(payload, receiver.port, "127.0.0.1", HEADER);
    // Whoever keeps it has copied it.
    if (!kernel.hasRoom) payload.fill(0);
  };
  const close = (): void => {
    sender.close();
    receiver.close();
    poller.close();
  };
  return { kernel, sender, heard, counts, last, send, close };
}

describe.skipIf(libc === undefined)("MmsgSockets without room in the kernel", () => {
  test("keeps what is sent, whole and in order, and sends it when there is room", async () => {
    const { kernel, heard, counts, last, send, close } = await setUp();
    send("first");
    kernel.hasRoom = false;
    const wanted = Array.from({ length: 100 }, (_, i) => `kept ${i}`);
    for (const text of wanted) send(text);
    expect(counts).toEqual({ sent: 1, bytes: 5, lost: 0 });
    kernel.hasRoom = true;
    send("last");
    await within(last, 5000, "the last datagram");
    expect(heard).toEqual(["first", ...wanted, "last"].map((text) => `H${text}`));
    expect(counts).toEqual({ sent: 102, bytes: [...wanted, "firstlast"].join("").length, lost: 0 });
    close();
  });

  test("keeps no more than it may, and counts the rest as lost, at the close too", async () => {
    const { kernel, counts, send, close } = await setUp();
    kernel.hasRoom = false;
    for (let i = 0; i < 300; i++) send("x");
    expect(counts).toEqual({ sent: 0, bytes: 0, lost: 44 });
    close();
    expect(counts.lost).toBe(300);
  });

  test("asks the kernel once and then waits for its word", async () => {
    const { kernel, send, close } = await setUp();
    kernel.hasRoom = false;
    for (let i = 0; i < 50; i++) send("x");
    expect(kernel.calls).toBe(1);
    close();
  });
});
