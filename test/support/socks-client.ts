/**
 * A small SOCKS5 client for tests: it writes and reads the bytes of RFC 1928 itself, so that the proxy's own codecs are
 * not judged by themselves.
 */

import type { Socket, SocketHandler } from "bun";
import { libc, SIOCOUTQ } from "../../src/net/libc.ts";
import { ByteSender } from "./byte-sender.ts";
import { within } from "./deadline.ts";

/** How a connection ended: the other side's FIN, or a reset or another error. */
export type End = "fin" | "reset";

/** A TCP connection whose bytes are asked for one after the other. */
export class TestConnection {
  #socket: Socket<TestConnection> | undefined;
  #sender: ByteSender | undefined;
  // BOUNDED by what the test lets the other side send.
  #chunks: Uint8Array[] = [];
  #size = 0;
  #end: End | undefined;
  #wake: () => void = () => undefined;

  /** For whoever makes sockets with a connection as their `data`. */
  static readonly handlers: SocketHandler<TestConnection> = {
    data: ({ data: connection }, bytes) => {
      connection.#chunks.push(bytes);
      connection.#size += bytes.length;
      connection.#wake();
    },
    drain: ({ data: connection }) => connection.#sender?.flush(),
    end: ({ data: connection }) => connection.#finish("fin"),
    // A FIN that comes after our own shows as a close without an error.
    close: ({ data: connection }, error) => connection.#finish(error ? "reset" : "fin"),
  };

  /** Connects to a TCP port. */
  static async open(port: number, host = "127.0.0.1"): Promise<TestConnection> {
    const connection = new TestConnection();
    const target = { hostname: host, port, allowHalfOpen: true };
    connection.adopt(await Bun.connect({ ...target, data: connection, socket: TestConnection.handlers }));
    return connection;
  }

  /** Takes a connected socket for its own. */
  adopt(socket: Socket<TestConnection>): void {
    socket.data = this;
    this.#socket = socket;
    this.#sender = new ByteSender(socket);
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

  /** Stops reading: what is sent to us piles up on the way. */
  pause(): void {
    this.#socket?.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket?.resume();
  }

  /** Bytes that went to the kernel at once; those that do not are not sent at all. -1: closed. */
  sendWhatFits(bytes: Uint8Array): number {
    return this.#socket?.write(bytes) ?? -1;
  }

  /** Whether every byte that was to be sent has gone to the kernel. */
  get isEmpty(): boolean {
    return this.#sender?.isEmpty ?? true;
  }

  /** How the other side has ended, if it has and we have read so far. */
  get ended(): End | undefined {
    return this.#end;
  }

  /** Bytes that the other side's kernel has not acknowledged yet. Linux only. */
  unacknowledged(): number {
    const { fd } = this.#socket as unknown as { fd: number };
    const cell = new Int32Array(1);
    if (libc === undefined || libc.ioctl(fd, SIOCOUTQ, cell) < 0) throw new Error("no such number");
    return cell[0] as number;
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
