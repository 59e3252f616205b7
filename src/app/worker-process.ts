/** One worker as the supervisor sees it: a process that is started, spoken to, and started again when it dies. */

import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/** The wait before the first restart, in milliseconds; each further one waits twice as long. */
const BACK_OFF_MIN_MS = 100;
const BACK_OFF_MAX_MS = 30_000;
/** A worker that has lived this long is healthy: its next death waits the least again. In milliseconds. */
const HEALTHY_MS = 60_000;
/** A line longer than this is no access-log line of ours. */
const LINE_BYTES_MAX = 1_048_576;
const NEWLINE = 10;
const MAIN = join(import.meta.dir, "../cli/main.ts");

/** A worker that could not start. Its message says why. */
export class WorkerError extends Error {
  readonly code = "ERR_WORKER";
  override readonly name = "WorkerError";
}

export interface WorkerOptions {
  readonly index: number;
  readonly sharedMemoryFd: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The message with which a worker starts, asked for at each start. */
  readonly startMessage: () => ToWorker;
  /** A line of the worker's access log, without its newline. */
  readonly onLine: (line: string) => void;
  /** It died; what it had in shared memory is to be cleared before the next is started. */
  readonly onDied: (index: number) => void;
}

type State = "starting" | "up" | "waiting" | "stopping" | "stopped";

export class WorkerProcess {
  readonly #options: WorkerOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #state: State = "starting";
  #process: Subprocess<"ignore", "pipe", "inherit"> | undefined;
  #hasBeenUp = false;
  #startedMs = 0;
  #backOffMs = BACK_OFF_MIN_MS;
  #restart: Timer | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    // A start that fails after somebody has stopped waiting for it is no unhandled rejection.
    this.#ready.promise.catch(() => undefined);
    this.#spawn();
  }

  /** Resolves when the worker serves for the first time; rejects when it cannot. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  send(message: ToWorker): void {
    if (this.#state === "up") this.#process?.send(message);
  }

  /** Has it drain and end; resolves when the process is gone and its last line has been read. */
  stop(): Promise<void> {
    this.#restart?.cancel();
    if (this.#state === "waiting" || this.#state === "stopped") {
      this.#state = "stopped";
      return Promise.resolve();
    }
    if (this.#state !== "stopping") this.#process?.send({ kind: "stop" } satisfies ToWorker);
    this.#state = "stopping";
    return this.#stopped.promise;
  }

  /** Ends it at once. */
  kill(): void {
    this.#process?.kill("SIGKILL");
  }

  #spawn(): void {
    const { index, sharedMemoryFd, clock, startMessage } = this.#options;
    this.#state = "starting";
    this.#startedMs = clock.nowMs();
    // The same flags as bin/sockeye; nothing of the configuration, which may hold passwords, is in the arguments.
    const child = Bun.spawn({
      cmd: [process.execPath, ...process.execArgv, MAIN, "worker"],
      stdio: ["ignore", "pipe", "inherit", sharedMemoryFd],
      serialization: "advanced",
      ipc: (message) => this.#handle(message as FromWorker),
    }) as unknown as Subprocess<"ignore", "pipe", "inherit">;
    this.#process = child;
    child.send(startMessage());
    Promise.all([child.exited, this.#readLines(child.stdout)]).then(
      () => this.#ended(child),
      (fault: unknown) => {
        this.#options.log.error(`worker ${index}: ${String(fault)}`);
        child.kill("SIGKILL");
        child.exited.then(() => this.#ended(child));
      },
    );
  }

  #handle(message: FromWorker): void {
    if (message.kind === "failed") {
      this.#ready.reject(new WorkerError(message.message));
      return;
    }
    if (this.#state === "starting") this.#state = "up";
    this.#hasBeenUp = true;
    this.#ready.resolve();
  }

  #ended({ exitCode, signalCode }: Subprocess): void {
    const { index, clock, log, onDied } = this.#options;
    onDied(index);
    if (this.#state === "stopping") {
      this.#state = "stopped";
      this.#stopped.resolve();
      return;
    }
    const why = signalCode ?? `exit status ${exitCode}`;
    if (!this.#hasBeenUp) {
      this.#state = "stopped";
      this.#ready.reject(new WorkerError(`worker ${index} ended before it was ready: ${why}`));
      this.#stopped.resolve();
      return;
    }
    if (clock.nowMs() - this.#startedMs >= HEALTHY_MS) this.#backOffMs = BACK_OFF_MIN_MS;
    log.error(`worker ${index} ended: ${why}; starting another`, { worker: index, wait_ms: this.#backOffMs });
    this.#state = "waiting";
    this.#restart = clock.setTimer(this.#backOffMs, () => this.#spawn());
    this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MAX_MS);
  }

  async #readLines(stdout: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stdout) {
      const end = chunk.lastIndexOf(NEWLINE);
      if (end < 0) {
        rest += decoder.decode(chunk, { stream: true });
        if (rest.length > LINE_BYTES_MAX) throw new Error("a line of the access log has no end");
        continue;
      }
      const whole = rest + decoder.decode(chunk.subarray(0, end));
      rest = decoder.decode(chunk.subarray(end + 1), { stream: true });
      for (const line of whole.split("\n")) this.#options.onLine(line);
    }
  }
}
