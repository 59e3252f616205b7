/** The SOCKS listeners that a configuration names: opened together, changed together, paused together. */

import { formatEndpoint, parseIp } from "../bytes/ip.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import { ListenError, type ListenOptions, TcpListener } from "../net/tcp-listener.ts";
import type { Log } from "../ports/log.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";

/** How often another free port is looked for, when the one that the first address took is in use on the next. */
const FREE_PORT_ATTEMPTS = 16;
/** What a machine without IPv6 says when it is asked to listen on `::1`. */
const NO_IPV6: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

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

interface Entry {
  readonly key: string;
  readonly listener: TcpListener;
  /** A reload may change it while the listener stays. */
  advertisedIp: Uint8Array | undefined;
}

/**
 * Opens every listener, or none.
 *
 * @param reusePort - Share the ports with other processes of this user.
 * @throws {ListenError}
 */
export function openListeners(config: Config, log: Log, accept: AcceptClient, reusePort: boolean): ListenerSet {
  for (let attempt = 1; ; attempt++) {
    const set = new ListenerSet(log, accept, reusePort, []);
    try {
      return set.change(config, true);
    } catch (fault) {
      const isFreePortTaken = fault instanceof ListenError && fault.code === "EADDRINUSE" && takesFreePort(config);
      if (!isFreePortTaken || attempt === FREE_PORT_ATTEMPTS) throw fault;
    }
  }
}

/** Whether several addresses are to share one port that the system chooses. */
function takesFreePort({ socks }: Config): boolean {
  return socks.listen.filter((listen) => listen.port === 0).length > 1;
}

export class ListenerSet {
  readonly #log: Log;
  readonly #accept: AcceptClient;
  readonly #reusePort: boolean;
  readonly #entries: readonly Entry[];

  constructor(log: Log, accept: AcceptClient, reusePort: boolean, entries: readonly Entry[]) {
    this.#log = log;
    this.#accept = accept;
    this.#reusePort = reusePort;
    this.#entries = entries;
  }

  /** The addresses and ports that are really bound, as text. */
  get endpoints(): readonly string[] {
    return this.#entries.map(({ listener }) => formatEndpoint(listener.address, listener.port));
  }

  setAccepting(isAccepting: boolean): void {
    for (const { listener } of this.#entries) {
      if (isAccepting) listener.resume();
      else listener.pause();
    }
  }

  close(): void {
    for (const { listener } of this.#entries) listener.close();
  }

  /**
   * The set that `config` names. Listeners that stay are kept as they are; those that are gone are closed, their accepted
   * sockets live on.
   *
   * @param isStrict - Throw a {@link ListenError} at the first that cannot be opened, with nothing left open; otherwise
   * say so in the log and go on without it.
   */
  change(config: Config, isStrict = false): ListenerSet {
    const kept = new Map(this.#entries.map((entry) => [entry.key, entry]));
    const next: Entry[] = [];
    const opened: Entry[] = [];
    let freePort = 0;
    for (const listen of config.socks.listen) {
      const key = keyOf(listen);
      let entry = kept.get(key);
      if (entry === undefined) {
        const options = optionsOf(
          config,
          { ...listen, port: listen.port === 0 ? freePort : listen.port },
          this.#reusePort,
        );
        try {
          entry = this.#open(key, options);
          opened.push(entry);
        } catch (fault) {
          if (!(fault instanceof ListenError)) throw fault;
          if (isOptionalListener(config, listen, fault)) {
            this.#log.info(`${fault.message}; going on without it`);
            continue;
          }
          if (isStrict) {
            for (const { listener } of opened) listener.close();
            throw fault;
          }
          this.#log.error(fault.message);
          continue;
        }
      }
      entry.advertisedIp = listen.advertise === undefined ? undefined : parseIp(listen.advertise);
      if (listen.port === 0) freePort = entry.listener.port;
      kept.delete(key);
      next.push(entry);
    }
    for (const { listener } of kept.values()) listener.close();
    return new ListenerSet(this.#log, this.#accept, this.#reusePort, next);
  }

  #open(key: string, options: ListenOptions): Entry {
    const listener = new TcpListener(options, (socket, client) => this.#accept(socket, client, entry.advertisedIp));
    const entry: Entry = { key, listener, advertisedIp: undefined };
    return entry;
  }
}

/** The default is to listen on both loopback addresses; a machine without IPv6 has only one of them. */
export function isOptionalListener({ socks }: Config, listen: ListenConfig, fault: ListenError): boolean {
  const isDefault = socks.listen.length === 2 && socks.listen.some(({ address }) => address === "127.0.0.1");
  return isDefault && listen.address === "::1" && NO_IPV6.has(fault.code);
}

function keyOf({ address, port }: ListenConfig): string {
  return formatEndpoint(address, port);
}

function optionsOf(config: Config, listen: ListenConfig, reusePort: boolean): ListenOptions {
  const { address, port } = listen;
  const ipv6Only = wantsIpv6Only(config, listen);
  return { address, port, backlog: config.socks.backlog, ipv6Only, reusePort, noDelay: config.relay.noDelay };
}

/** An IPv6 wildcard takes IPv4 too, unless an IPv4 listener wants the port. */
export function wantsIpv6Only({ socks }: Config, { port }: ListenConfig): boolean {
  return socks.listen.some((other) => !other.address.includes(":") && (other.port || port) === port);
}
