/**
 * A small SOCKS5 client for tests: it writes and reads the bytes of RFC 1928 itself, so that the proxy's own codecs are
 * not judged by themselves.
 */

import type { Socket } from "bun";
import { ByteSender } from "./byte-sender.ts";
import { within } from "./deadline.ts";

/** How a connection ended: the other side's FIN, or a reset or another error. */
export type End = "fin" | "reset";

/** A TCP connection whose bytes are asked for one after the other. */
export class TestConnection {
  #socket: Socket<undefined> | undefined;
  #sender: ByteSender | undefined;
  // BOUNDED by what the test lets the other side send.
  #chunks: Uint8Array[] = [];
  #size = 0;
  #end: End | undefined;
  #wake: () => void = () => undefined;

  /** Connects to a TCP port. */
  static async open(port: number, host = "127.0.0.1"): Promise<TestConnection> {
    const connection = new TestConnection();
    connection.#socket = await Bun.connect<undefined>({
      hostname: host,
      port,
      allowHalfOpen: true,
      data: undefined,
      socket: {
        data: (_, bytes) => {
          connection.#chunks.push(bytes.slice());
          connection.#size += bytes.length;
          connection.#wake();
        },
        drain: () => connection.#sender?.flush(),
        end: () => connection.#finish("fin"),
        // A FIN that comes after our own shows as a close without an error.
        close: (_, error) => connection.#finish(error ? "reset" : "fin"),
      },
    });
    connection.#sender = new ByteSender(connection.#socket);
    return connection;
  }

  /** Queues bytes, which the caller must not change until they are sent. */
  send(bytes: Uint8Array | string): void {
    this.#sender?.send(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /** Sends our FIN; reading goes on. */
  finish(): void {
    this.#sender?.end();
  }

  /** Resets the connection (RST). */
  reset(): void {
    this.#socket?.terminate();
  }

  /** Closes without a word about how. */
  close(): void {
    this.#socket?.end();
  }

  /** Exactly the next `count` bytes; throws when the other side ends before. */
  async read(count: number, limitMs = 10_000): Promise<Uint8Array> {
    await this.#until(() => this.#size >= count, limitMs, `${count} bytes`);
    if (this.#size < count) throw new Error(`${this.#end} after ${this.#size} of ${count} bytes`);
    const all = Buffer.concat(this.#chunks);
    this.#chunks = all.length > count ? [all.subarray(count)] : [];
    this.#size = all.length - count;
    return all.subarray(0, count);
  }

  /** Hands every byte to `use`, in order, until the other side ends; says how it ended. */
  async readToEnd(use: (bytes: Uint8Array) => void = () => undefined, limitMs = 60_000): Promise<End> {
    for (;;) {
      const chunks = this.#chunks;
      this.#chunks = [];
      this.#size = 0;
      for (const chunk of chunks) use(chunk);
      if (this.#end !== undefined && this.#size === 0) return this.#end;
      await this.#until(() => this.#size > 0, limitMs, "the other side's end");
    }
  }

  #finish(end: End): void {
    this.#end ??= end;
    this.#wake();
  }

  async #until(condition: () => boolean, limitMs: number, what: string): Promise<void> {
    while (!condition() && this.#end === undefined) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, limitMs, what);
    }
  }
}

export interface TunnelOptions {
  /** The proxy's SOCKS port on 127.0.0.1. */
  readonly proxyPort: number;
  /** An IPv4 address, or a name of at most 255 bytes. */
  readonly host: string;
  readonly port: number;
  /** Authenticates by RFC 1929 when given. */
  readonly user?: { readonly name: string; readonly password: string };
}

/** The proxy said no. */
export class Refused extends Error {
  /** REP of the reply, or 0xff for "no acceptable method", or the status of RFC 1929. */
  readonly code: number;
  constructor(stage: string, code: number) {
    super(`${stage} refused: ${code}`);
    this.code = code;
  }
}

/**
 * Opens a tunnel by CONNECT.
 *
 * @throws Refused when the proxy refuses the method, the user or the request.
 */
export async function openTunnel(options: TunnelOptions): Promise<TestConnection> {
  const connection = await TestConnection.open(options.proxyPort);
  try {
    await shakeHands(connection, options);
    return connection;
  } catch (error) {
    // The proxy waits some seconds for a refused client to close.
    connection.close();
    throw error;
  }
}

async function shakeHands(connection: TestConnection, options: TunnelOptions): Promise<void> {
  const method = options.user ? 2 : 0;
  connection.send(Uint8Array.of(5, 1, method));
  const chosen = (await connection.read(2))[1] ?? 0xff;
  if (chosen !== method) throw new Refused("method", chosen);
  if (options.user) {
    const name = new TextEncoder().encode(options.user.name);
    const password = new TextEncoder().encode(options.user.password);
    connection.send(Uint8Array.of(1, name.length, ...name, password.length, ...password));
    const status = (await connection.read(2))[1] ?? 0xff;
    if (status !== 0) throw new Refused("user", status);
  }
  connection.send(Uint8Array.of(5, 1, 0, ...encodeHost(options.host), options.port >> 8, options.port & 0xff));
  const head = await connection.read(5);
  const rep = head[1] ?? 0xff;
  // The first byte of BND.ADDR is read already; the port follows the address.
  const addressBytes = { 1: 4, 4: 16 }[head[3] ?? 0];
  if (addressBytes === undefined) throw new Error(`reply with address type ${head[3]}`);
  await connection.read(addressBytes - 1 + 2);
  if (rep !== 0) throw new Refused("request", rep);
}

function encodeHost(host: string): number[] {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return [1, ...host.split(".").map(Number)];
  const name = new TextEncoder().encode(host);
  return [3, name.length, ...name];
}
