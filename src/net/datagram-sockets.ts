import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../ports/datagram-socket.ts";
import type { Poller } from "./epoll/poller.ts";
import { libc } from "./libc.ts";
import { MmsgSockets } from "./mmsg/mmsg-sockets.ts";
import { UdpSockets } from "./udp-socket.ts";

/** The best UDP sockets that there are: ours where the poller is ready; otherwise Bun's. */
export class BestDatagramSockets implements DatagramSockets {
  readonly #poller: Poller | undefined;
  readonly #ours: MmsgSockets | undefined;
  readonly #buns: UdpSockets = new UdpSockets();

  constructor(poller: Poller | undefined) {
    this.#poller = poller;
    this.#ours = libc === undefined || poller === undefined ? undefined : new MmsgSockets(libc, poller);
  }

  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    const sockets = this.#poller?.isReady === true ? (this.#ours ?? this.#buns) : this.#buns;
    return sockets.open(options, listener);
  }
}
