import { formatIp } from "../bytes/ip.ts";
import type { AcceptPeer, PeerListener, PeerListeners } from "../ports/peer-listener.ts";
import type { Poller } from "./epoll/poller.ts";
import { ListenError, TcpListener } from "./tcp-listener.ts";
import type { TcpTuning } from "./tcp-socket.ts";

/** One peer is expected; a few wrong ones may come before. */
const BACKLOG = 8;

/** Implements {@link PeerListeners}. */
export class TcpPeerListeners implements PeerListeners {
  readonly #tuning: TcpTuning;
  readonly #poller: Poller | undefined;

  constructor(tuning: TcpTuning, poller?: Poller) {
    this.#tuning = tuning;
    this.#poller = poller;
  }

  listen(ip: Uint8Array, port: number, accept: AcceptPeer): PeerListener | string {
    const options = {
      ...this.#tuning,
      address: formatIp(ip),
      port,
      backlog: BACKLOG,
      ipv6Only: true,
      reusePort: false,
    };
    try {
      return new TcpListener(options, accept, this.#poller);
    } catch (fault) {
      if (fault instanceof ListenError) return fault.code;
      throw fault;
    }
  }
}
