import { describe, expect, test } from "bun:test";
import { within } from "../../test/support/deadline.ts";
import { readyPoller } from "../../test/support/poller.ts";
import type { DatagramSocket, DatagramSocketOptions, DatagramSockets } from "../ports/datagram-socket.ts";
import { libc } from "./libc.ts";
import { MmsgSockets } from "./mmsg/mmsg-sockets.ts";
import { RouteTable } from "./route-table.ts";
import { UdpSockets } from "./udp-socket.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ANY6 = new Uint8Array(16);

const HEADER = Buffer.from("header+");

interface Heard {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** A socket whose datagrams can be waited for. */
class TestSocket implements Disposable {
  readonly socket: DatagramSocket;
  readonly heard: Heard[] = [];
  onPayload: (payload: Uint8Array) => void = () => undefined;
  sent = 0;
  sentBytes = 0;
  lost = 0;
  #wake: () => void = () => undefined;

  constructor(sockets: DatagramSockets, options: Partial<DatagramSocketOptions> = {}) {
    const opened = sockets.open(
      { ip: LOOPBACK, port: 0, receiveBufferSize: 1_000_000, ...options },
      {
        onDatagram: (payload, address, port) => {
          this.onPayload(payload);
          this.heard.push({ text: Buffer.from(payload).toString(), address, port });
          this.#wake();
        },
        onSent: (datagrams, payloadBytes) => {
          this.sent += datagrams;
          this.sentBytes += payloadBytes;
          this.#wake();
        },
        onLost: (datagrams) => {
          this.lost += datagrams;
          this.#wake();
        },
      },
    );
    if (typeof opened === "string") throw new Error(opened);
    this.socket = opened;
  }

  send(text: string, port: number, address = "127.0.0.1", header?: string): void {
    const bytes = header === undefined ? undefined : Buffer.from(header);
    this.socket.send(Buffer.from(text), port, address, bytes);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, 5000, "a datagram to come or go");
    }
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

const ours = libc === undefined ? undefined : new MmsgSockets(libc, await readyPoller());

const KINDS: readonly (readonly [name: string, sockets: DatagramSockets])[] = [
  ["Bun's sockets", new UdpSockets()],
  ...(ours === undefined ? [] : [["recvmmsg and sendmmsg", ours] as const]),
];

describe.each([...KINDS])("%s", (_, sockets) => {
  test("sends payloads, with headers or without, empty ones too; each says who sent it", async () => {
    using a = new TestSocket(sockets);
    using b = new TestSocket(sockets);
    a.send("plain", b.socket.port);
    a.send("", b.socket.port);
    a.send("payload", b.socket.port, "127.0.0.1", "header+");
    await b.until(() => b.heard.length === 3);
    const from = { address: "127.0.0.1", port: a.socket.port };
    expect(b.heard).toEqual([
      { text: "plain", ...from },
      { text: "", ...from },
      { text: "header+payload", ...from },
    ]);
    expect([a.sent, a.sentBytes, a.lost]).toEqual([3, 12, 0]);
  });

  test("a burst arrives whole and in order, and so does what is sent on from within it", async () => {
    using a = new TestSocket(sockets);
    using b = new TestSocket(sockets);
    using relay = new TestSocket(sockets);
    relay.onPayload = (payload) => relay.socket.send(payload.subarray(1), b.socket.port, "127.0.0.1", HEADER);
    for (let i = 0; i < 200; i++) a.send(`-datagram ${i}`, relay.socket.port);
    await b.until(() => b.heard.length === 200);
    expect(b.heard.map(({ text }) => text)).toEqual(Array.from({ length: 200 }, (_, i) => `header+datagram ${i}`));
    expect([relay.sent, relay.sentBytes, relay.lost]).toEqual([200, 2290, 0]);
  });

  test("carries 65,507 bytes and loses one more, which costs nobody else", async () => {
    using a = new TestSocket(sockets);
    using b = new TestSocket(sockets);
    a.send("x".repeat(65_508), b.socket.port);
    a.send("y".repeat(65_507), b.socket.port);
    await b.until(() => b.heard.length === 1);
    expect(b.heard[0]?.text.length).toBe(65_507);
    expect([a.sent, a.lost]).toEqual([1, 1]);
  });

  test("a port that nobody has costs no datagram to anybody else", async () => {
    const closed = new TestSocket(sockets);
    const nobody = closed.socket.port;
    closed.socket.close();
    using a = new TestSocket(sockets);
    using b = new TestSocket(sockets);
    for (let i = 1; i <= 20; i++) {
      a.send("nobody", nobody);
      a.send("somebody", b.socket.port);
      await b.until(() => b.heard.length === i);
    }
    expect([a.sent, a.lost]).toEqual([40, 0]);
  });

  test("what cannot be sent is lost: a broadcast, another family", async () => {
    using a = new TestSocket(sockets);
    a.send("broadcast", 9, "255.255.255.255");
    a.send("family", 9, "::1");
    await a.until(() => a.lost === 2);
    expect(a.sent).toBe(0);
  });

  test("what cannot be sent costs nothing that is sent with it", async () => {
    using a = new TestSocket(sockets);
    using b = new TestSocket(sockets);
    using relay = new TestSocket(sockets);
    relay.onPayload = (payload) => {
      relay.socket.send(payload, 9, "255.255.255.255");
      relay.socket.send(payload, b.socket.port, "127.0.0.1");
      relay.socket.send(payload, 9, "255.255.255.255");
    };
    for (let i = 0; i < 50; i++) a.send(`${i}`, relay.socket.port);
    await b.until(() => b.heard.length === 50);
    await relay.until(() => relay.lost === 100);
    expect(b.heard.map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
    expect(relay.sent).toBe(50);
  });

  test("what was sent before the close still goes out, and nothing is heard after it", async () => {
    using b = new TestSocket(sockets);
    const a = new TestSocket(sockets);
    b.send("too late", a.socket.port);
    a.send("last words", b.socket.port);
    a.socket.close();
    a.socket.close();
    a.send("after", b.socket.port);
    await b.until(() => b.heard.length === 1);
    expect(b.heard[0]?.text).toBe("last words");
    expect(a.heard).toEqual([]);
  });

  test("an IPv6 wildcard takes no IPv4, so that both families can have the same port", async () => {
    using six = new TestSocket(sockets, { ip: ANY6 });
    using four = new TestSocket(sockets, { port: six.socket.port });
    using a = new TestSocket(sockets, { ip: LOOPBACK6 });
    using b = new TestSocket(sockets);
    a.send("six", six.socket.port, "::1");
    b.send("four", four.socket.port);
    await six.until(() => six.heard.length === 1);
    await four.until(() => four.heard.length === 1);
    expect(six.heard).toEqual([{ text: "six", address: "::1", port: a.socket.port }]);
    expect(four.heard).toEqual([{ text: "four", address: "127.0.0.1", port: b.socket.port }]);
  });

  test("says by name why a socket cannot be had", () => {
    using a = new TestSocket(sockets);
    const open = (ip: Uint8Array, port: number) =>
      sockets.open(
        { ip, port, receiveBufferSize: 4096 },
        { onDatagram: () => undefined, onSent: () => undefined, onLost: () => undefined },
      );
    expect(open(LOOPBACK, a.socket.port)).toBe("EADDRINUSE");
    expect(open(Uint8Array.of(203, 0, 113, 1), 0)).toBe("EADDRNOTAVAIL");
  });
});

test("RouteTable: loopback speaks to loopback, and an address of no network is unreachable", () => {
  const routes = new RouteTable();
  expect(routes.sourceFor(Uint8Array.of(127, 0, 0, 9))).toEqual(LOOPBACK);
  expect(routes.sourceFor(LOOPBACK6)).toEqual(LOOPBACK6);
  expect(routes.sourceFor(Uint8Array.of(255, 255, 255, 255))).toBe("unreachable");
});
