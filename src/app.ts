/**
 * The composition root: makes a running server of a configuration, the proxy and its administrator. It knows everybody,
 * and nobody knows it but the command line and the library's door.
 */

import { availableParallelism } from "node:os";
import { AdminService } from "./app/admin-service.ts";
import type { Engine } from "./app/engine.ts";
import { LIMITED_LINES_PER_SECOND } from "./app/limited-lines.ts";
import { LocalEngine } from "./app/local-engine.ts";
import { Supervisor } from "./app/supervisor.ts";
import type { Config } from "./config/config.ts";
import { systemClock } from "./net/system-clock.ts";
import { adminObserver } from "./observe/admin-observer.ts";
import { LimitedLog } from "./observe/log-limiter.ts";
import type { Control } from "./ports/control.ts";
import type { Log } from "./ports/log.ts";

export class App {
  #config: Config;
  readonly #log: Log;
  readonly #limitedLog: LimitedLog;
  readonly #engine: Engine;
  #admin: AdminService | undefined;
  /** Changes of the admin service wait for each other. */
  #adminChange: Promise<void> = Promise.resolve();

  /**
   * Opens everything that `config` names, but for the admin protocol. `ready` says when clients are served.
   *
   * @param ownsProcess - Whether the process is there for this and nothing else.
   * @throws {ListenError} when a listener cannot be opened; nothing is left open then.
   * @throws The error of `open` when the access log cannot be opened.
   */
  constructor(config: Config, log: Log, ownsProcess: boolean) {
    this.#config = config;
    this.#log = log;
    this.#limitedLog = new LimitedLog(log, systemClock, LIMITED_LINES_PER_SECOND);
    const workers = workerCount(config, log);
    this.#engine =
      workers === 1
        ? new LocalEngine(config, log, this.#limitedLog, { ownsProcess })
        : new Supervisor(config, workers, log);
  }

  /**
   * Resolves when SOCKS is served, and the admin protocol, too, unless `servesAdmin` says otherwise.
   *
   * @throws SctpError when an admin listener cannot be opened; none is left open then.
   * @throws StateError when the generated password cannot be kept.
   * @throws An Error when a worker cannot start.
   */
  async open(servesAdmin: boolean = true): Promise<void> {
    await this.#engine.ready();
    if (servesAdmin) await this.#openAdmin();
  }

  async #openAdmin(): Promise<AdminService> {
    const service = await AdminService.open({
      config: this.#config.admin,
      control: this.control,
      events: adminObserver(this.#log, this.#limitedLog),
      log: this.#log,
      clock: systemClock,
    });
    this.#admin = service;
    return service;
  }

  /** The admin protocol, where it is served. */
  get admin(): AdminService | undefined {
    return this.#admin;
  }

  /** What an administrator may read and steer. */
  get control(): Control {
    return this.#engine.control;
  }

  /** Where SOCKS clients are accepted: "127.0.0.1:1080", "[::1]:1080". */
  get socksEndpoints(): readonly string[] {
    return this.#engine.socksEndpoints;
  }

  /** Takes a new configuration and reopens the logs. Open connections go on; what they began with stays with them. */
  reload(config: Config): void {
    const before = this.#config;
    this.#config = config;
    this.#engine.reload(config);
    if (config.process.workers !== before.process.workers) {
      this.#log.warn("process.workers has changed: that takes a restart", { in_force: before.process.workers });
    }
    const isSame = JSON.stringify(config.admin) === JSON.stringify(before.admin);
    if (!isSame || this.#admin === undefined) this.#changeAdmin();
  }

  #changeAdmin(): void {
    this.#adminChange = this.#adminChange.then(async () => {
      try {
        if (this.#admin?.reconfigure(this.#config.admin)) return;
        // The new listeners may want the ports of the old ones.
        this.#admin?.destroy();
        this.#admin = undefined;
        const { endpoints, transport, udpPort } = await this.#openAdmin();
        const fields = { admin: endpoints, admin_transport: transport, admin_udp_port: udpPort };
        this.#log.info(`reloaded: admin ${endpoints.join(" ")}`, fields);
      } catch (fault) {
        this.#log.error(`the admin protocol is not served as configured: ${String(fault)}`);
      }
    });
  }

  /** Stops accepting, waits for open tunnels as long as the configuration allows, and ends those that are left. */
  async stop(): Promise<void> {
    await this.#adminChange;
    this.#admin?.close();
    await this.#engine.stop();
    this.#admin?.destroy();
  }
}

/** Sharing a port takes what only Linux does: SO_REUSEPORT that spreads clients, and memory without a file. */
function workerCount({ process: { workers } }: Config, log: Log): number {
  const count = workers === "auto" ? availableParallelism() : workers;
  if (process.platform === "linux" || count === 1) return count;
  if (workers !== "auto") log.warn("process.workers: this system can run one worker only");
  return 1;
}
