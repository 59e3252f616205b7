/**
 * The SOCKS ports of several workers, bound by their supervisor and listened on by nobody but them: so a port that the
 * system chose is the same for all, and stays ours while a worker is being started again.
 */

import { formatEndpoint } from "../bytes/ip.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import { ListenError, type ReservedPort, reservePort } from "../net/tcp-listener.ts";
import type { Log } from "../ports/log.ts";
import { isOptionalListener, wantsIpv6Only } from "./listener-set.ts";

interface Entry {
  readonly key: string;
  /** With the port that is really bound. */
  readonly listen: ListenConfig;
  readonly port: ReservedPort;
}

export class PortReservations {
  readonly #log: Log;
  readonly #entries: readonly Entry[];

  /** @throws {ListenError} with nothing left bound. */
  constructor(config: Config, log: Log, before: readonly Entry[] = [], isStrict = true) {
    this.#log = log;
    const kept = new Map(before.map((entry) => [entry.key, entry]));
    const entries: Entry[] = [];
    let freePort = 0;
    for (const listen of config.socks.listen) {
      const key = formatEndpoint(listen.address, listen.port);
      let entry = kept.get(key);
      kept.delete(key);
      try {
        entry ??= reserve(config, key, { ...listen, port: listen.port === 0 ? freePort : listen.port });
      } catch (fault) {
        if (!(fault instanceof ListenError)) throw fault;
        if (isOptionalListener(config, listen, fault)) {
          log.info(`${fault.message}; going on without it`);
          continue;
        }
        if (isStrict) {
          for (const { port } of entries) port.close();
          throw fault;
        }
        log.error(fault.message);
        continue;
      }
      if (listen.port === 0) freePort = entry.listen.port;
      entries.push(entry);
    }
    for (const { port } of kept.values()) port.close();
    this.#entries = entries;
  }

  /** The reservations that `config` names, those that stay being kept. What cannot be had is said in the log. */
  change(config: Config): PortReservations {
    return new PortReservations(config, this.#log, this.#entries, false);
  }

  get listen(): readonly ListenConfig[] {
    return this.#entries.map(({ listen }) => listen);
  }

  get endpoints(): readonly string[] {
    return this.#entries.map(({ listen }) => formatEndpoint(listen.address, listen.port));
  }

  close(): void {
    for (const { port } of this.#entries) port.close();
  }
}

function reserve(config: Config, key: string, listen: ListenConfig): Entry {
  const port = reservePort({ ...listen, ipv6Only: wantsIpv6Only(config, listen) });
  return { key, listen: { ...listen, port: port.port }, port };
}
