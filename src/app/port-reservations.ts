/**
 * The SOCKS ports of several workers, bound by their supervisor and listened on by nobody but them: so a port that the
 * system chose is the same for all, and stays ours while a worker is being started again.
 */

import { formatEndpoint } from "../bytes/ip.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import { reservePort } from "../net/tcp-listener.ts";
import type { Log } from "../ports/log.ts";
import { changePlan, type OpenPlace, openPlan, type Place, wantsIpv6Only } from "./listen-plan.ts";

interface Reservation extends Place {
  /** With the port that is really bound. */
  readonly listen: ListenConfig;
}

export class PortReservations {
  readonly #log: Log;
  #reserved: readonly Reservation[];

  /** @throws {ListenError} with nothing left bound. */
  constructor(config: Config, log: Log) {
    this.#log = log;
    this.#reserved = openPlan(config, log, reserveFor(config));
  }

  /** Becomes what `config` names, the reservations that stay being kept. What cannot be had is said in the log. */
  change(config: Config): void {
    this.#reserved = changePlan(config, this.#log, this.#reserved, reserveFor(config));
  }

  get listen(): readonly ListenConfig[] {
    return this.#reserved.map(({ listen }) => listen);
  }

  get endpoints(): readonly string[] {
    return this.#reserved.map(({ listen }) => formatEndpoint(listen.address, listen.port));
  }

  close(): void {
    for (const reserved of this.#reserved) reserved.close();
  }
}

function reserveFor(config: Config): OpenPlace<Reservation> {
  return (key, listen) => {
    const { port, close } = reservePort({ ...listen, ipv6Only: wantsIpv6Only(config, listen) });
    return { key, port, close, listen: { ...listen, port } };
  };
}
