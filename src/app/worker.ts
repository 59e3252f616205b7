/**
 * One of several processes that serve the same port. It is told everything by its supervisor, and ends with it. Its access
 * log goes to stdout, which is a pipe to the supervisor; its diagnostics go to the stderr that both share.
 */

import type { Config } from "../config/config.ts";
import { systemClock } from "../net/system-clock.ts";
import { openStderrLog, type StderrLog } from "../observe/log.ts";
import { LimitedLog } from "../observe/log-limiter.ts";
import type { Log } from "../ports/log.ts";
import { LIMITED_LINES_PER_SECOND } from "./limited-lines.ts";
import { LocalEngine } from "./local-engine.ts";
import { SharedState } from "./shared-state.ts";
import { surviveBugs } from "./survive-bugs.ts";
import { type FromWorker, SHARED_MEMORY_FD, type ToWorker } from "./worker-messages.ts";

/** How long the diagnostics may take to be written at the end, in milliseconds. */
const LOG_CLOSE_MS = 1000;

/** Serves until the supervisor says stop; resolves with the exit status. */
export async function runWorker(): Promise<number> {
  if (process.send === undefined) {
    process.stderr.write("sockeye: 'worker' is started by 'serve --workers', not by hand\n");
    return 2;
  }
  // The terminal's Ctrl-C and hang-up reach every process of the group; only the supervisor acts on them.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  // Without its supervisor a worker has no administrator and no log.
  const onOrphaned = () => process.exit(1);
  process.on("disconnect", onOrphaned);
  const worker = new Worker();
  process.on("message", (message) => worker.handle(message as ToWorker));
  process.on("SIGTERM", () => worker.handle({ kind: "stop" }));
  const status = await worker.ended;
  // The channel would keep the process alive.
  process.off("disconnect", onOrphaned);
  process.disconnect?.();
  return status;
}

class Worker {
  readonly ended: Promise<number>;
  readonly #end: (status: number) => void;
  #engine: LocalEngine | undefined;
  #state: SharedState | undefined;
  #log: StderrLog | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    this.#end = resolve;
  }

  handle(message: ToWorker): void {
    switch (message.kind) {
      case "start":
        this.#start(message);
        return;
      case "reload":
        this.#engine?.reload(pipedLog(message.config));
        this.#log?.configure(message.config.log);
        return;
      case "apply-buffer-size":
        if (this.#state !== undefined) this.#engine?.control.setBufferSize(this.#state.bufferSize);
        return;
      case "stop":
        this.#stop();
        return;
      default:
        message satisfies never;
    }
  }

  #start({ config, worker, workers }: ToWorker & { kind: "start" }): void {
    const log = openStderrLog(config.log, systemClock);
    this.#log = log;
    this.#state = SharedState.open(SHARED_MEMORY_FD, workers);
    try {
      const named = withWorker(log, worker);
      surviveBugs(named);
      const limited = new LimitedLog(named, systemClock, LIMITED_LINES_PER_SECOND);
      this.#engine = new LocalEngine(pipedLog(config), named, limited, {
        share: this.#state.share(worker),
        ownsProcess: true,
      });
    } catch (fault) {
      tell({ kind: "failed", message: fault instanceof Error ? fault.message : String(fault) });
      this.#end(1);
      return;
    }
    this.#engine.ready().then(
      () => tell({ kind: "ready" }),
      (fault) => tell({ kind: "failed", message: String(fault) }),
    );
  }

  async #stop(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.stop();
    await this.#log?.close(LOG_CLOSE_MS);
    this.#end(0);
  }
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

/** The configuration with the access log on the pipe to the supervisor. */
function pipedLog(config: Config): Config {
  return { ...config, accessLog: { ...config.accessLog, path: config.accessLog.path === "off" ? "off" : "-" } };
}

/** A log whose lines say which worker they come from. */
function withWorker(log: Log, worker: number): Log {
  return {
    debug: (message, fields) => log.debug(message, { ...fields, worker }),
    info: (message, fields) => log.info(message, { ...fields, worker }),
    warn: (message, fields) => log.warn(message, { ...fields, worker }),
    error: (message, fields) => log.error(message, { ...fields, worker }),
  };
}
