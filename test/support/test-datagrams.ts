/** A UDP socket for tests whose datagrams are asked for one after the other. */

import type { udp } from "bun";
import { within } from "./deadline.ts";

export interface ReceivedDatagram {
  readonly bytes: Uint8Array;
  readonly address: string;
  readonly port: number;
}

export class TestDatagrams implements Disposable {
  readonly #socket: udp.Socket<"uint8array">;
  // BOUNDED by what the test lets others send.
  readonly #received: ReceivedDatagram[];
  readonly #wake: { call: () => void };

  private constructor(socket: udp.Socket<"uint8array">, received: ReceivedDatagram[], wake: { call: () => void }) {
    this.#socket = socket;
    this.#received = received;
    this.#wake = wake;
  }

  /**
   * Binds to a free port of `host`.
   *
   * @param answer - What to send back to whoever sends something; nothing when absent.
   */
  static async open(host = "127.0.0.1", answer?: (bytes: Uint8Array) => Uint8Array): Promise<TestDatagrams> {
    const received: ReceivedDatagram[] = [];
    const wake = { call: () => undefined };
    const socket = await Bun.udpSocket({
      hostname: host,
      port: 0,
      binaryType: "uint8array",
      socket: {
        data: (own, bytes, port, address) => {
          if (answer !== undefined) own.send(answer(bytes), port, address);
          received.push({ bytes, address, port });
          wake.call();
        },
        // A datagram that nobody received; the tests look at what comes instead.
        error: () => undefined,
      },
    });
    return new TestDatagrams(socket, received, wake);
  }

  get port(): number {
    return this.#socket.port;
  }

  /** How many have come and have not been asked for. */
  get waitingCount(): number {
    return this.#received.length;
  }

  send(bytes: Iterable<number> | string, port: number, host = "127.0.0.1"): void {
    this.#socket.send(typeof bytes === "string" ? bytes : Uint8Array.from(bytes), port, host);
  }

  /** The next datagram. */
  async receive(limitMs = 10_000): Promise<ReceivedDatagram> {
    for (;;) {
      const next = this.#received.shift();
      if (next !== undefined) return next;
      const woken = new Promise<void>((resolve) => {
        this.#wake.call = () => resolve(undefined);
      });
      await within(woken, limitMs, "a datagram");
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** An echo server. */
export function startUdpEcho(host = "127.0.0.1"): Promise<TestDatagrams> {
  return TestDatagrams.open(host, (bytes) => bytes);
}
