/**
 * `--workers`: several processes that share the SOCKS ports, and one that owns everything there is one of: the ports'
 * reservation, the access log, the administrator, the signals. An administrator sees one server: sums, one buffer size.
 *
 * The kernel spreads new clients over the workers (SO_REUSEPORT). A worker that dies takes its own tunnels with it and is
 * started again, with a growing wait if that goes on.
 */

import type { Config } from "../config/config.ts";
import { systemClock } from "../net/system-clock.ts";
import type { Control } from "../ports/control.ts";
import type { Log } from "../ports/log.ts";
import { AccessLogOutlet } from "./access-log-outlet.ts";
import type { Engine } from "./engine.ts";
import { PortReservations } from "./port-reservations.ts";
import { SharedState } from "./shared-state.ts";
import type { ToWorker } from "./worker-messages.ts";
import { WorkerProcess } from "./worker-process.ts";

/** What a worker may need beyond its drain limit to close its logs, in milliseconds. Then it is killed. */
const STOP_GRACE_MS = 5000;

export class Supervisor implements Engine {
  readonly #accessLog: AccessLogOutlet;
  readonly #state: SharedState;
  readonly #workers: readonly WorkerProcess[];
  #config: Config;
  readonly #ports: PortReservations;

  /**
   * Reserves the ports and starts the workers; `ready` says when they serve.
   *
   * @throws {ListenError} when a port cannot be had.
   * @throws The error of `open` when the access log cannot be opened.
   */
  constructor(config: Config, count: number, log: Log) {
    this.#config = config;
    this.#accessLog = new AccessLogOutlet(config.accessLog, log);
    this.#ports = new PortReservations(config, log);
    this.#state = SharedState.create(count, config.relay.bufferSize);
    this.#workers = Array.from(
      { length: count },
      (_, index) =>
        new WorkerProcess({
          index,
          sharedMemoryFd: this.#state.fd,
          clock: systemClock,
          log,
          startMessage: () => ({ kind: "start", config: this.#workerConfig(), worker: index, workers: count }),
          onLine: (line) => this.#accessLog.write(line),
          onDied: (worker) => this.#state.retireWorker(worker),
        }),
    );
  }

  async ready(): Promise<void> {
    try {
      await Promise.all(this.#workers.map((worker) => worker.ready));
    } catch (fault) {
      for (const worker of this.#workers) worker.kill();
      this.#ports.close();
      throw fault;
    }
  }

  get socksEndpoints(): readonly string[] {
    return this.#ports.endpoints;
  }

  get control(): Control {
    const state = this.#state;
    return {
      historical: () => state.sum("accepted"),
      concurrent: () => state.sum("connections"),
      bytes: () => state.sum("bytes"),
      bufferSize: () => state.bufferSize,
      setBufferSize: (size) => this.#setBufferSize(size),
    };
  }

  reload(config: Config): void {
    const before = this.#config;
    this.#config = config;
    this.#ports.change(config);
    if (config.relay.bufferSize !== before.relay.bufferSize) this.#setBufferSize(config.relay.bufferSize);
    this.#accessLog.reopen(config.accessLog);
    this.#tell({ kind: "reload", config: this.#workerConfig() });
  }

  async stop(): Promise<void> {
    this.#ports.close();
    const { drainMs } = this.#config.timeouts;
    const kill = (): void => {
      for (const worker of this.#workers) worker.kill();
    };
    const timer = drainMs > 0 ? systemClock.setTimer(drainMs + STOP_GRACE_MS, kill) : undefined;
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    timer?.cancel();
    await this.#accessLog.close();
  }

  /** In force at once for what is read next; open tunnels that are paused hear of it too. */
  #setBufferSize(size: number): void {
    this.#state.bufferSize = size;
    this.#tell({ kind: "apply-buffer-size" });
  }

  #tell(message: ToWorker): void {
    for (const worker of this.#workers) worker.send(message);
  }

  /** The configuration with the ports that are really bound, so that every worker listens on the same. */
  #workerConfig(): Config {
    return { ...this.#config, socks: { ...this.#config.socks, listen: this.#ports.listen } };
  }
}
