/** Listening sockets and routes without a network. */

import { formatIp } from "../../src/bytes/ip.ts";
import type { AcceptPeer, PeerListener, PeerListeners } from "../../src/ports/peer-listener.ts";
import type { Routes } from "../../src/ports/routes.ts";
import { FakeSocket } from "./fake-socket.ts";

export class FakePeerListener implements PeerListener {
  readonly address: string;
  readonly port: number;
  isClosed = false;
  readonly #accept: AcceptPeer;

  constructor(address: string, port: number, accept: AcceptPeer) {
    this.address = address;
    this.port = port;
    this.#accept = accept;
  }

  close(): void {
    if (this.isClosed) throw new Error("closed twice");
    this.isClosed = true;
  }

  /** Somebody connects from `ip`; by default from the port 2020. */
  connect(ip: readonly number[] | undefined, port = 2020): FakeSocket {
    const socket = new FakeSocket();
    socket.data = this.#accept(socket, ip === undefined ? undefined : { ip: Uint8Array.from(ip), port });
    return socket;
  }
}

export class FakePeerListeners implements PeerListeners {
  readonly opened: FakePeerListener[] = [];
  /** What `listen` answers instead of a listener, first to last; an empty text is a listener. */
  readonly failures: string[] = [];
  readonly portsAsked: number[] = [];
  #nextPort = 51_000;

  listen(ip: Uint8Array, port: number, accept: AcceptPeer): PeerListener | string {
    this.portsAsked.push(port);
    const failure = this.failures.shift() ?? "";
    if (failure !== "") return failure;
    const listener = new FakePeerListener(formatIp(ip), port || this.#nextPort++, accept);
    this.opened.push(listener);
    return listener;
  }

  /** The listener of that number; throws when there was none. */
  at(index: number): FakePeerListener {
    const listener = this.opened[index];
    if (listener === undefined) throw new Error(`listener ${index} of ${this.opened.length}`);
    return listener;
  }
}

/** Every address is reached from 192.0.2.99 or 2001:db8::99, unless the test says otherwise. */
export class FakeRoutes implements Routes {
  readonly unreachable: Set<string> = new Set<string>();

  sourceFor(ip: Uint8Array): Uint8Array | "unreachable" {
    if (this.unreachable.has(formatIp(ip))) return "unreachable";
    if (ip.length === 4) return Uint8Array.of(192, 0, 2, 99);
    return Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99);
  }
}
