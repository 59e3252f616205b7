/** The life of `sockeye serve`: start, ready, signals, end. Returns the exit status. */

import { StateError } from "../admin/state-directory.ts";
import { CertificateError } from "../app/name-resolution.ts";
import { surviveBugs } from "../app/survive-bugs.ts";
import { WorkerError } from "../app/worker-process.ts";
import { App } from "../app.ts";
import type { Config } from "../config/config.ts";
import type { ConfigResult } from "../config/load.ts";
import { formatMistake } from "../config/mistake.ts";
import { SctpError } from "../net/sctp-error.ts";
import { systemClock } from "../net/system-clock.ts";
import { ListenError } from "../net/tcp-listener.ts";
import { openStderrLog, type StderrLog } from "../observe/log.ts";
import type { LogFields } from "../ports/log.ts";
import { ExitStatus } from "./exit-status.ts";
import { stopSignal } from "./stop-signal.ts";

/** How long the diagnostics may take to be written at the end, in milliseconds. */
const LOG_CLOSE_MS = 1000;

/**
 * Serves until a signal ends it.
 *
 * @param config - What to start with.
 * @param reload - Reads the configuration again, as SIGHUP asks.
 * @param warnings - What is legal and yet unwise in `config`.
 */
export async function runServe(
  config: Config,
  reload: () => ConfigResult,
  warnings: readonly string[] = [],
): Promise<number> {
  // The ready line is part of the interface: it is written whatever the level, which holds from then on.
  const log = openStderrLog({ ...config.log, level: config.log.level === "debug" ? "debug" : "info" }, systemClock);
  for (const warning of warnings) log.warn(warning);
  const app = await startApp(config, log);
  if (app === undefined) {
    await log.close(LOG_CLOSE_MS);
    return ExitStatus.Failed;
  }
  // Whoever has read the ready line may send signals.
  const stopped = stopSignal({
    clock: systemClock,
    isUnderNpm: process.env["npm_lifecycle_event"] === "start",
    on: (name, listener) => process.on(name, listener),
    exit: () => process.exit(ExitStatus.Interrupted),
  });
  surviveBugs(log);
  process.on("SIGHUP", () => reloadApp(app, log, reload));
  log.info(...readyLine(app));
  log.configure(config.log);
  await stopped;
  await app.stop();
  log.info("stopped");
  await log.close(LOG_CLOSE_MS);
  return ExitStatus.Done;
}

async function startApp(config: Config, log: StderrLog): Promise<App | undefined> {
  let app: App | undefined;
  try {
    app = new App(config, log, true);
    await app.open();
    return app;
  } catch (fault) {
    log.error(explain(fault, config));
    await app?.stop();
    return undefined;
  }
}

/** What listens where, in words and for programs. */
function readyLine({ socksEndpoints, admin }: App): [message: string, fields: LogFields] {
  const socks = `ready: socks ${socksEndpoints.join(" ")}`;
  if (admin === undefined) return [socks, { socks: socksEndpoints }];
  const { endpoints, transport, udpPort } = admin;
  const below = transport === "udp" ? `SCTP in UDP, port ${udpPort}` : "the kernel's SCTP";
  return [
    `${socks}; admin ${endpoints.join(" ")} by ${below}`,
    { socks: socksEndpoints, admin: endpoints, admin_transport: transport, admin_udp_port: udpPort },
  ];
}

/** What the operator can do about it. */
function explain(fault: unknown, config: Config): string {
  if (fault instanceof WorkerError) return fault.message;
  if (fault instanceof CertificateError) return `${fault.message}; see dns.servers`;
  if (fault instanceof ListenError) return `${fault.message}; see --listen and --port`;
  if (fault instanceof SctpError) {
    return `${fault.message}; see --admin-listen, --admin-port, --admin-transport and --admin-udp-port`;
  }
  if (fault instanceof StateError) {
    return `${fault.message}; name an administrator with --admin, or another directory with SOCKEYE_STATE_DIR`;
  }
  if (fault instanceof Error && "code" in fault) {
    return `cannot open the access log ${config.accessLog.path}: ${fault.message}; see --access-log`;
  }
  // Not the world's doing but ours: whoever reports it needs to say where it happened.
  throw fault;
}

function reloadApp(app: App, log: StderrLog, reload: () => ConfigResult): void {
  const result = reload();
  if (result.kind === "invalid") {
    for (const mistake of result.mistakes) log.error(`configuration: ${formatMistake(mistake)}`);
    log.error("the configuration is not taken over: the proxy goes on with the one before");
    return;
  }
  for (const warning of result.warnings ?? []) log.warn(warning);
  app.reload(result.value);
  log.info(`reloaded: socks ${app.socksEndpoints.join(" ")}`, { socks: app.socksEndpoints });
  log.configure(result.value.log);
}
