/** UDP sockets without a network: the test is everybody else. */

import { formatIp } from "../../src/bytes/ip.ts";
import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../../src/ports/datagram-socket.ts";

/** A datagram that the program has sent: "address:port" and all bytes, header and payload. */
export interface SentDatagram {
  readonly to: string;
  readonly bytes: readonly number[];
}

export class FakeDatagramSocket implements DatagramSocket {
  readonly options: DatagramSocketOptions;
  readonly port: number;
  readonly sent: SentDatagram[] = [];
  isClosed = false;
  readonly #listener: DatagramListener;

  constructor(options: DatagramSocketOptions, port: number, listener: DatagramListener) {
    this.options = options;
    this.port = port;
    this.#listener = listener;
  }

  /** Where it is bound. */
  get address(): string {
    return formatIp(this.options.ip);
  }

  send(payload: Uint8Array, port: number, address: string, header: Uint8Array = new Uint8Array(0)): void {
    if (this.isClosed) throw new Error("sent on a closed socket");
    this.sent.push({ to: `${address}:${port}`, bytes: [...header, ...payload] });
    this.#listener.onSent(1, payload.length);
  }

  close(): void {
    if (this.isClosed) throw new Error("closed twice");
    this.isClosed = true;
  }

  /** A datagram arrives from `address` and `port`. */
  receive(bytes: Iterable<number>, address: string, port: number): void {
    this.#listener.onDatagram(Uint8Array.from(bytes), address, port);
  }

  /** The kernel refuses datagrams. */
  lose(datagrams: number): void {
    this.#listener.onLost(datagrams);
  }
}

export class FakeDatagramSockets implements DatagramSockets {
  /** All that were opened, in that order. */
  readonly opened: FakeDatagramSocket[] = [];
  /** What `open` answers instead of a socket, first to last; an empty text is a socket. */
  readonly failures: string[] = [];
  /** The ports that were asked for. */
  readonly portsAsked: number[] = [];
  #nextPort = 50_000;

  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    this.portsAsked.push(options.port);
    const failure = this.failures.shift() ?? "";
    if (failure !== "") return failure;
    const socket = new FakeDatagramSocket(options, options.port || this.#nextPort++, listener);
    this.opened.push(socket);
    return socket;
  }

  /** The socket of that number; throws when there was none. */
  at(index: number): FakeDatagramSocket {
    const socket = this.opened[index];
    if (socket === undefined) throw new Error(`socket ${index} of ${this.opened.length}`);
    return socket;
  }
}
