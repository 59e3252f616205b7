/** The SOCKS listeners that a configuration names: opened together, changed together, paused together. */

import { formatEndpoint, parseIp } from "../bytes/ip.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import type { Poller } from "../net/epoll/poller.ts";
import { TcpListener } from "../net/tcp-listener.ts";
import type { Log } from "../ports/log.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import { changePlan, keyOf, openPlan, type Place, wantsIpv6Only } from "./listen-plan.ts";

/**
 * Makes the owner of a socket that was just accepted.
 *
 * @param client - `undefined` when the client is gone already.
 * @param advertisedIp - The listener's `advertise`, as it is configured now.
 */
export type AcceptClient = (
  socket: ConnectedSocket,
  client: Endpoint | undefined,
  advertisedIp: Uint8Array | undefined,
) => SocketOwner;

class OpenListener implements Place {
  readonly key: string;
  readonly listener: TcpListener;
  /** A reload may change it while the listener stays. */
  advertisedIp: Uint8Array | undefined;

  /** @throws {ListenError} */
  constructor(
    key: string,
    listen: ListenConfig,
    config: Config,
    accept: AcceptClient,
    reusePort: boolean,
    poller: Poller | undefined,
  ) {
    this.key = key;
    const { address, port } = listen;
    const ipv6Only = wantsIpv6Only(config, listen);
    this.listener = new TcpListener(
      { address, port, backlog: config.socks.backlog, ipv6Only, reusePort, noDelay: config.relay.noDelay },
      (socket, client) => accept(socket, client, this.advertisedIp),
      poller,
    );
  }

  get port(): number {
    return this.listener.port;
  }

  close(): void {
    this.listener.close();
  }
}

export class ListenerSet {
  readonly #log: Log;
  readonly #accept: AcceptClient;
  readonly #reusePort: boolean;
  readonly #poller: Poller | undefined;
  #open: readonly OpenListener[];

  /**
   * Opens every listener, or none.
   *
   * @param reusePort - Share the ports with other processes of this user.
   * @param poller - Where clients are served by sockets of our own.
   * @throws {ListenError}
   */
  constructor(config: Config, log: Log, accept: AcceptClient, reusePort: boolean, poller: Poller | undefined) {
    this.#log = log;
    this.#accept = accept;
    this.#reusePort = reusePort;
    this.#poller = poller;
    this.#open = openPlan(config, log, this.#openWith(config));
    this.#advertise(config);
  }

  /** The addresses and ports that are really bound, as text. */
  get endpoints(): readonly string[] {
    return this.#open.map(({ listener }) => formatEndpoint(listener.address, listener.port));
  }

  setAccepting(isAccepting: boolean): void {
    for (const { listener } of this.#open) {
      if (isAccepting) listener.resume();
      else listener.pause();
    }
  }

  close(): void {
    for (const open of this.#open) open.close();
  }

  /** Becomes what `config` names. The accepted sockets of listeners that are gone live on. */
  change(config: Config): void {
    this.#open = changePlan(config, this.#log, this.#open, this.#openWith(config));
    this.#advertise(config);
  }

  #openWith(config: Config): (key: string, listen: ListenConfig) => OpenListener {
    return (key, listen) => new OpenListener(key, listen, config, this.#accept, this.#reusePort, this.#poller);
  }

  #advertise({ socks }: Config): void {
    const advertised = new Map(socks.listen.map((listen) => [keyOf(listen), listen.advertise]));
    for (const open of this.#open) {
      const text = advertised.get(open.key);
      open.advertisedIp = text === undefined ? undefined : parseIp(text);
    }
  }
}
