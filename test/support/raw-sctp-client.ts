/** A client that knows SCTP but not the admin protocol: it sends the messages that a test gives it. */

import type { Association } from "../../src/net/sctp-listener.ts";
import { connectSctp } from "../../src/net/sctp-open.ts";
import { systemClock } from "../../src/net/system-clock.ts";
import { within } from "./deadline.ts";

export interface SctpTarget {
  readonly transport?: "kernel" | "udp";
  readonly host?: string;
  /** SCTP port. */
  readonly port: number;
  readonly udpPort: number;
}

export class RawSctpClient implements AsyncDisposable {
  readonly #association: Association;
  readonly #ended: Promise<void>;
  /** What arrived, message by message. UNBOUNDED: a test's output. */
  readonly messages: readonly string[];
  readonly #arrivals: { notify: () => void };

  private constructor(
    association: Association,
    ended: Promise<void>,
    messages: readonly string[],
    arrivals: { notify: () => void },
  ) {
    this.#association = association;
    this.#ended = ended;
    this.messages = messages;
    this.#arrivals = arrivals;
  }

  static async connect({ transport = "udp", host = "127.0.0.1", port, udpPort }: SctpTarget): Promise<RawSctpClient> {
    const messages: string[] = [];
    const arrivals = { notify: (): void => undefined };
    const ended = Promise.withResolvers<void>();
    const target = { transport, address: host, port, udpPort, timeoutMs: 5000, clock: systemClock };
    const association = await connectSctp(target, {
      data: (bytes) => {
        messages.push(Buffer.from(bytes).toString("latin1"));
        arrivals.notify();
      },
      end: () => ended.resolve(),
    });
    return new RawSctpClient(association, ended.promise, messages, arrivals);
  }

  /** Sends one message. */
  send(message: Uint8Array | string): void {
    this.#association.write(Buffer.from(message as string, "latin1"));
  }

  /** Resolves when `count` messages have arrived. */
  async receives(count: number): Promise<readonly string[]> {
    const arrived = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.messages.length >= count) resolve();
      };
      this.#arrivals.notify = look;
      look();
    });
    await within(arrived, 5000, `${count} messages`);
    return this.messages;
  }

  /** Resolves with all messages when the server has closed, within `limitMs`. */
  async ended(limitMs = 5000): Promise<readonly string[]> {
    await within(this.#ended, limitMs, "the server to close");
    return this.messages;
  }

  close(): void {
    this.#association.close();
  }

  abort(): void {
    this.#association.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#association.abort();
    await this.#ended;
  }
}
