/**
 * Sockeye as a library, for programs that run on Bun: a SOCKS5 proxy inside this process.
 *
 * @module
 */

import { App } from "./app.ts";
import { parseOptions } from "./config/load.ts";
import { formatMistake, type Mistake } from "./config/mistake.ts";
import type { ProxyOptions } from "./config/options.ts";
import { systemClock } from "./net/system-clock.ts";
import { openStderrLog, type StderrLog } from "./observe/log.ts";
import { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN, type Control } from "./ports/control.ts";
import type { Log } from "./ports/log.ts";

export type * from "./config/options.ts";
export type { Control, Log, Mistake };
export { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN };

/** How long the diagnostics may take to be written at the end, in milliseconds. */
const LOG_CLOSE_MS = 1000;

/** The options are wrong. `mistakes` has all that is wrong with them, and so has the message. Never a password. */
export class OptionsError extends Error {
  override readonly name: string = "OptionsError";
  readonly code: "ERR_OPTIONS" = "ERR_OPTIONS";
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(`Cannot start a proxy: ${mistakes.map(formatMistake).join("; ")}`);
    this.mistakes = mistakes;
  }
}

/** What the program around the proxy gives to it. */
export interface ProxyHost {
  /** Where the diagnostics go. Without it: to stderr, as `options.log` says. */
  readonly log?: Log;
}

/** A proxy that runs. */
export interface Proxy extends AsyncDisposable {
  /** Where SOCKS clients are accepted: "127.0.0.1:1080", "[::1]:1080". */
  readonly endpoints: readonly string[];
  /** What may be read and steered while it runs. Its `setBufferSize` throws a RangeError on a size that is not legal. */
  readonly control: Control;
  /**
   * Stops accepting, waits for open tunnels as long as `timeouts.drain` allows, and ends those that are left. Disposal does
   * the same. A second call waits for the first.
   */
  stop(): Promise<void>;
}

/**
 * Starts a proxy in this process.
 *
 * The options are the keys of the configuration file (docs/configuration.md) with its defaults, but for two things that a
 * library must not do unasked: the access log is off unless `access_log.path` is given, and the admin protocol is
 * served only where `admin` is given (`{}` will do).
 *
 * @param options - What stands in the configuration file, as an object.
 * @param host - What the program gives to the proxy.
 * @returns A promise of the proxy, which resolves when clients are served.
 * @throws {OptionsError} with everything that is wrong with the options.
 * @throws An Error whose `code` is the operating system's, such as EADDRINUSE, when a listener or a file cannot be opened;
 *   nothing is left open then.
 *
 * @example
 * ```ts
 * import { startProxy } from "sockeye";
 *
 * await using proxy = await startProxy({ socks: { listen: ["127.0.0.1"], port: 0 } });
 * console.log(`SOCKS5 on ${proxy.endpoints[0]}`);
 * ```
 */
export async function startProxy(options: ProxyOptions = {}, host: ProxyHost = {}): Promise<Proxy> {
  const result = parseOptions({ ...options, access_log: { path: "off", ...options.access_log } });
  if (result.kind === "invalid") throw new OptionsError(result.mistakes);
  const config = result.value;
  // Only ours is ours to close.
  const own: StderrLog | undefined = host.log === undefined ? openStderrLog(config.log, systemClock) : undefined;
  let app: App | undefined;
  const end = async (): Promise<void> => {
    await app?.stop();
    await own?.close(LOG_CLOSE_MS);
  };
  try {
    app = new App(config, host.log ?? (own as StderrLog), false);
    await app.open(options.admin !== undefined);
  } catch (fault) {
    await end();
    throw fault;
  }
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= end();
    return stopped;
  };
  return { endpoints: app.socksEndpoints, control: checked(app.control), stop, [Symbol.asyncDispose]: stop };
}

/** The engine trusts its administrators' protocol to have checked the size; a program has nobody who has. */
function checked(control: Control): Control {
  return {
    historical: () => control.historical(),
    concurrent: () => control.concurrent(),
    bytes: () => control.bytes(),
    bufferSize: () => control.bufferSize(),
    setBufferSize: (size) => {
      if (!Number.isInteger(size) || size < BUFFER_SIZE_MIN || size > BUFFER_SIZE_MAX) {
        throw new RangeError(`buffer size must be an integer from ${BUFFER_SIZE_MIN} to ${BUFFER_SIZE_MAX}: ${size}`);
      }
      control.setBufferSize(size);
    },
  };
}
