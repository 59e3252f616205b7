/** The admin protocol as a configuration names it: its administrator, its server, its listeners. */

import { type CredentialsCheck, createCredentialsCheck, GENERATED_NAME } from "../admin/credentials.ts";
import { AdminServer } from "../admin/server.ts";
import { loadOrCreatePassword, stateDirectory } from "../admin/state-directory.ts";
import { formatEndpoint } from "../bytes/ip.ts";
import { isLoopback } from "../config/address.ts";
import type { AdminConfig } from "../config/config.ts";
import { passwordHasher } from "../net/password-hasher.ts";
import { SctpError } from "../net/sctp-error.ts";
import type { Accept, SctpListener, SctpTransport } from "../net/sctp-listener.ts";
import { listenSctp } from "../net/sctp-open.ts";
import { resolveTransport } from "../net/sctp-transport.ts";
import type { AdminEventSink } from "../ports/admin-events.ts";
import type { Clock } from "../ports/clock.ts";
import type { Control } from "../ports/control.ts";
import type { Log } from "../ports/log.ts";
import { isOptional, isWorthAnotherPort } from "./free-port.ts";

export interface AdminServiceOptions {
  readonly config: AdminConfig;
  readonly control: Control;
  readonly events: AdminEventSink;
  readonly log: Log;
  readonly clock: Clock;
}

/** The admin protocol, served. */
export class AdminService {
  readonly transport: SctpTransport;
  readonly #options: AdminServiceOptions;
  readonly #server: AdminServer;
  /** BOUNDED by the configuration. */
  readonly #listeners: readonly SctpListener[];

  private constructor(
    options: AdminServiceOptions,
    transport: SctpTransport,
    server: AdminServer,
    listeners: readonly SctpListener[],
  ) {
    this.#options = options;
    this.transport = transport;
    this.#server = server;
    this.#listeners = listeners;
  }

  /**
   * Opens every listener, or none.
   *
   * @throws SctpError when a listener cannot be opened.
   * @throws StateError when the generated password cannot be kept.
   */
  static async open(options: AdminServiceOptions): Promise<AdminService> {
    const { config, control, events, log, clock } = options;
    const { transport, hint } = resolveTransport(config.transport, "listen");
    if (hint !== undefined) log.info(`admin: ${hint}`);
    const credentials = credentialsOf(config, log);
    const server = new AdminServer({ control, credentials, events, clock, limits: config.limits });
    const listeners = await openListeners(options, transport, server.accept);
    for (const address of config.listen) {
      if (!isLoopback(address)) log.warn(`admin: ${address} is not loopback, and SCTP hides nothing on the way there`);
    }
    return new AdminService(options, transport, server, listeners);
  }

  /**
   * Takes over what does not need other listeners.
   *
   * @returns False when `config` names others: then this service is to be replaced.
   * @throws StateError when the generated password cannot be kept.
   */
  reconfigure(config: AdminConfig): boolean {
    if (listenersOf(config) !== listenersOf(this.#options.config)) return false;
    this.#server.reconfigure(credentialsOf(config, this.#options.log), config.limits);
    return true;
  }

  /** The addresses and SCTP ports that are really bound, as text. */
  get endpoints(): readonly string[] {
    return this.#listeners.map(({ local }) => formatEndpoint(local.address, local.port));
  }

  /** The UDP port below them; `undefined` with the kernel's SCTP. */
  get udpPort(): number | undefined {
    return this.#listeners[0]?.local.udpPort;
  }

  /** Takes nobody new in. Requests in progress are answered. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#server.close();
  }

  /** Ends what is left. */
  destroy(): void {
    this.close();
    for (const listener of this.#listeners) listener.destroy();
  }
}

/** What the listeners depend on. */
function listenersOf({ listen, port, transport, udpPort }: AdminConfig): string {
  return JSON.stringify([listen, port, transport, udpPort]);
}

function credentialsOf(config: AdminConfig, log: Log): CredentialsCheck {
  return createCredentialsCheck(config.user ?? generatedAdministrator(log), passwordHasher);
}

function generatedAdministrator(log: Log): { name: string; secret: { kind: "plain"; password: string } } {
  const { password, path } = loadOrCreatePassword(stateDirectory(process.env));
  log.info(`admin: the administrator is "${GENERATED_NAME}", with the password in ${path}`);
  return { name: GENERATED_NAME, secret: { kind: "plain", password } };
}

async function openListeners(
  options: AdminServiceOptions,
  transport: SctpTransport,
  accept: Accept,
): Promise<readonly SctpListener[]> {
  const { config } = options;
  const takesFreePort = config.port === 0 || (transport === "udp" && config.udpPort === 0);
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryListeners(options, transport, accept);
    } catch (fault) {
      if (!(fault instanceof SctpError) || !isWorthAnotherPort(fault, takesFreePort, attempt)) throw fault;
    }
  }
}

async function tryListeners(
  { config, log, clock }: AdminServiceOptions,
  transport: SctpTransport,
  accept: Accept,
): Promise<readonly SctpListener[]> {
  const opened: SctpListener[] = [];
  // Free ports are chosen once: all addresses share them.
  let { port, udpPort } = config;
  for (const address of config.listen) {
    // Beyond what the server lets in there are those that it is just closing.
    const associationsMax = 2 * config.limits.associations;
    try {
      const target = { transport, address, port, udpPort };
      const listener = await listenSctp({ ...target, associationsMax, clock, log }, accept);
      opened.push(listener);
      port = listener.local.port;
      udpPort = listener.local.udpPort ?? udpPort;
    } catch (fault) {
      if (!(fault instanceof SctpError)) throw fault;
      if (isOptional(config.listen, address, fault)) {
        log.info(`${fault.message}; going on without it`);
        continue;
      }
      for (const listener of opened) listener.destroy();
      throw fault;
    }
  }
  return opened;
}
