/** From what the configuration names under `socks.listen` to what is open: opened together, and changed together. */

import { formatEndpoint } from "../bytes/ip.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import { ListenError } from "../net/tcp-listener.ts";
import type { Log } from "../ports/log.ts";
import { isOptional, isWorthAnotherPort } from "./free-port.ts";

/** Something that is open for one entry of `socks.listen`. */
export interface Place {
  /** The entry that it is open for. */
  readonly key: string;
  /** The port that is really bound. */
  readonly port: number;
  close(): void;
}

/** Opens a place for an entry, whose port is the one to bind. @throws {ListenError} */
export type OpenPlace<Each extends Place> = (key: string, listen: ListenConfig) => Each;

/** What names an entry of the configuration, whatever port it gets. */
export function keyOf({ address, port }: ListenConfig): string {
  return formatEndpoint(address, port);
}

/** Opens everything that `config` names, or nothing. @throws {ListenError} */
export function openPlan<Each extends Place>(config: Config, log: Log, open: OpenPlace<Each>): readonly Each[] {
  const takesFreePort = config.socks.listen.filter(({ port }) => port === 0).length > 1;
  for (let attempt = 1; ; attempt++) {
    const opened: Each[] = [];
    try {
      return carryOut(config, log, [], (key, listen) => {
        const place = open(key, listen);
        opened.push(place);
        return place;
      });
    } catch (fault) {
      for (const place of opened) place.close();
      if (!(fault instanceof ListenError) || !isWorthAnotherPort(fault, takesFreePort, attempt)) throw fault;
    }
  }
}

/**
 * What `config` names: places that stay are kept as they are, those that are gone are closed. What cannot be opened is said
 * in the log.
 */
export function changePlan<Each extends Place>(
  config: Config,
  log: Log,
  before: readonly Each[],
  open: OpenPlace<Each>,
): readonly Each[] {
  return carryOut(config, log, before, (key, listen) => {
    try {
      return open(key, listen);
    } catch (fault) {
      if (!(fault instanceof ListenError) || isOptionalIn(config, listen, fault)) throw fault;
      log.error(fault.message);
      return undefined;
    }
  });
}

/** One place for each entry that has one. Entries that leave the port to the system share the first one's. */
function carryOut<Each extends Place>(
  config: Config,
  log: Log,
  before: readonly Each[],
  open: (key: string, listen: ListenConfig) => Each | undefined,
): readonly Each[] {
  const kept = new Map(before.map((place) => [place.key, place]));
  const next: Each[] = [];
  let freePort = 0;
  for (const listen of config.socks.listen) {
    const key = keyOf(listen);
    let place = kept.get(key);
    try {
      place ??= open(key, { ...listen, port: listen.port === 0 ? freePort : listen.port });
    } catch (fault) {
      if (!(fault instanceof ListenError) || !isOptionalIn(config, listen, fault)) throw fault;
      log.info(`${fault.message}; going on without it`);
    }
    if (place === undefined) continue;
    if (listen.port === 0) freePort = place.port;
    kept.delete(key);
    next.push(place);
  }
  for (const place of kept.values()) place.close();
  return next;
}

function isOptionalIn({ socks }: Config, listen: ListenConfig, fault: ListenError): boolean {
  const addresses = socks.listen.map(({ address }) => address);
  return isOptional(addresses, listen.address, fault);
}

/** An IPv6 wildcard takes IPv4 too, unless an IPv4 listener wants the port. */
export function wantsIpv6Only({ socks }: Config, { port }: ListenConfig): boolean {
  return socks.listen.some((other) => !other.address.includes(":") && (other.port || port) === port);
}
