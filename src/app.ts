/**
 * The composition root: makes a running proxy of a configuration. It knows everybody, and nobody knows it but the command
 * line and the library's door.
 */

import { AdminService } from "./app/admin-service.ts";
import { type ListenerSet, openListeners } from "./app/listener-set.ts";
import { CertificateError, familiesOf, type NameResolution, openNameResolution } from "./app/name-resolution.ts";
import { destinationSorter, outgoingOf } from "./app/outgoing.ts";
import type { Config } from "./config/config.ts";
import { descriptorBudget } from "./net/descriptors.ts";
import { passwordHasher } from "./net/password-hasher.ts";
import { RouteTable } from "./net/route-table.ts";
import { systemClock } from "./net/system-clock.ts";
import { TcpDialer } from "./net/tcp-dial.ts";
import { TcpPeerListeners } from "./net/tcp-peer-listener.ts";
import { UdpSockets } from "./net/udp-socket.ts";
import { type AccessLog, openAccessLog } from "./observe/access-log.ts";
import { adminObserver } from "./observe/admin-observer.ts";
import { LimitedLog } from "./observe/log-limiter.ts";
import { ProxyObserver } from "./observe/proxy-observer.ts";
import type { Control } from "./ports/control.ts";
import type { Log } from "./ports/log.ts";
import { AccessRules } from "./proxy/access-rules.ts";
import { ClientTable } from "./proxy/client-table.ts";
import type { ProxyContext } from "./proxy/context.ts";
import { PortChoice } from "./proxy/port-choice.ts";
import { ProxyServer } from "./proxy/proxy-server.ts";
import { Quota } from "./proxy/quota.ts";
import { UserDirectory } from "./proxy/user-directory.ts";
import { TimerWheel } from "./time/timer-wheel.ts";

/** Lines a second of one kind that clients can cause. */
const LIMITED_LINES_PER_SECOND = 5;
/** How long the logs may take to be written at the end, in milliseconds. */
const LOG_CLOSE_MS = 2000;
const USER_KEY_BYTES = 32;

export class App {
  #config: Config;
  readonly #log: Log;
  readonly #context: ProxyContext;
  readonly #server: ProxyServer;
  readonly #observer: ProxyObserver;
  readonly #limitedLog: LimitedLog;
  #listeners: ListenerSet;
  #names: NameResolution;
  #admin: AdminService | undefined;
  /** Changes of the admin service wait for each other. */
  #adminChange: Promise<void> = Promise.resolve();

  /**
   * Opens everything that `config` names, but for the admin protocol, and starts to serve.
   *
   * @throws {CertificateError} when a DNS server's certificates cannot be read.
   * @throws {ListenError} when a listener cannot be opened; nothing is left open then.
   * @throws The error of `open` when the access log cannot be opened.
   */
  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
    const clock = systemClock;
    const sort = destinationSorter(new RouteTable(), clock);
    this.#names = openNameResolution(config.dns, familiesOf(config.outgoing, config.users), { clock, log, sort });
    const accessLog = openAccessLog(config.accessLog, log, clock);
    this.#limitedLog = new LimitedLog(log, clock, LIMITED_LINES_PER_SECOND);
    this.#observer = new ProxyObserver(accessLog, log, this.#limitedLog);
    const key = crypto.getRandomValues(new Uint8Array(USER_KEY_BYTES));
    this.#context = {
      clock,
      wheel: new TimerWheel(clock),
      dialer: new TcpDialer({ noDelay: config.relay.noDelay }),
      resolver: this.#names.resolver,
      sort,
      events: this.#observer,
      clients: new ClientTable(),
      users: new UserDirectory(key, passwordHasher, config.users, config.limits),
      settings: { bufferSize: config.relay.bufferSize },
      totals: { bytes: 0 },
      counters: {
        accepted: 0,
        limitReached: 0,
        faults: 0,
        handshakeTimeouts: 0,
        authenticationFailures: 0,
        requestsConnected: 0,
        requestsRefused: 0,
        idleTimeouts: 0,
      },
      udp: {
        sockets: new UdpSockets(),
        routes: new RouteTable(),
        quota: new Quota(),
        ports: new PortChoice(),
        settings: config.udp,
      },
      bind: {
        listeners: new TcpPeerListeners({ noDelay: config.relay.noDelay }),
        routes: new RouteTable(),
        quota: new Quota(),
        ports: new PortChoice(),
        settings: config.bind,
      },
      ...settingsOf(config),
    };
    const { limit, clients } = descriptorBudget();
    this.#server = new ProxyServer(this.#context, {
      capacity: clients,
      setAccepting: (isAccepting) => this.#listeners.setAccepting(isAccepting),
    });
    log.debug("descriptors", { limit, clients });
    this.#listeners = openListeners(config, log, (socket, client, advertisedIp) =>
      this.#server.accept(socket, client, advertisedIp),
    );
  }

  /**
   * Serves the admin protocol.
   *
   * @throws SctpError when a listener cannot be opened; none is left open then.
   * @throws StateError when the generated password cannot be kept.
   */
  async openAdmin(): Promise<void> {
    this.#admin = await AdminService.open({
      config: this.#config.admin,
      control: this.control,
      events: adminObserver(this.#log, this.#limitedLog),
      log: this.#log,
      clock: this.#context.clock,
    });
  }

  /** The admin protocol, where it is served. */
  get admin(): AdminService | undefined {
    return this.#admin;
  }

  /** What an administrator may read and steer. */
  get control(): Control {
    return this.#server;
  }

  /** Where SOCKS clients are accepted: "127.0.0.1:1080", "[::1]:1080". */
  get socksEndpoints(): readonly string[] {
    return this.#listeners.endpoints;
  }

  /** Takes a new configuration and reopens the logs. Open connections go on; what they began with stays with them. */
  reload(config: Config): void {
    const before = this.#config;
    this.#config = config;
    const context = this.#context;
    context.users.replace(config.users, config.limits);
    Object.assign(context, settingsOf(config));
    context.udp.settings = config.udp;
    context.bind.settings = config.bind;
    // What an administrator has set since then stays, unless the file says something new.
    if (config.relay.bufferSize !== before.relay.bufferSize) this.#server.setBufferSize(config.relay.bufferSize);
    this.#reopenNames(config, before);
    this.#reopenAccessLog(config, before);
    this.#listeners = this.#listeners.change(config);
    if (JSON.stringify(config.admin) !== JSON.stringify(before.admin)) this.#changeAdmin();
  }

  #changeAdmin(): void {
    this.#adminChange = this.#adminChange.then(async () => {
      try {
        if (this.#admin?.reconfigure(this.#config.admin)) return;
        // The new listeners may want the ports of the old ones.
        this.#admin?.destroy();
        this.#admin = undefined;
        await this.openAdmin();
      } catch (fault) {
        this.#log.error(`the admin protocol is not served as configured: ${String(fault)}`);
      }
    });
  }

  /** A resolver that is configured as before stays, and its cache with it. */
  #reopenNames(config: Config, before: Config): void {
    const families = familiesOf(config.outgoing, config.users);
    const isSame =
      JSON.stringify([config.dns, families]) ===
      JSON.stringify([before.dns, familiesOf(before.outgoing, before.users)]);
    if (isSame) return;
    const { clock, sort } = this.#context;
    try {
      const next = openNameResolution(config.dns, families, { clock, log: this.#log, sort });
      this.#names.close();
      this.#names = next;
      this.#context.resolver = next.resolver;
    } catch (fault) {
      if (!(fault instanceof CertificateError)) throw fault;
      this.#log.error(`names are resolved as before: ${fault.message}`);
    }
  }

  #reopenAccessLog(config: Config, before: Config): void {
    const { path, queueBytes } = config.accessLog;
    if (path === before.accessLog.path && queueBytes === before.accessLog.queueBytes) {
      this.#observer.accessLog.reopen();
      return;
    }
    let next: AccessLog;
    try {
      next = openAccessLog(config.accessLog, this.#log, this.#context.clock);
    } catch (fault) {
      this.#log.error(`the access log stays where it is: ${String(fault)}`);
      return;
    }
    const old = this.#observer.accessLog;
    this.#observer.accessLog = next;
    old.close(LOG_CLOSE_MS).catch((fault) => this.#log.error(`the old access log: ${String(fault)}`));
  }

  /** Stops accepting, waits for open tunnels as long as the configuration allows, and ends those that are left. */
  async stop(): Promise<void> {
    this.#listeners.close();
    await this.#adminChange;
    this.#admin?.close();
    const { drainMs } = this.#config.timeouts;
    const drained = this.#server.drained();
    if (this.#server.concurrent() > 0) {
      this.#log.info("stopping: waiting for open connections", {
        connections: this.#server.concurrent(),
        limit_ms: drainMs,
      });
    }
    const timer =
      drainMs > 0 ? this.#context.clock.setTimer(drainMs, () => this.#server.killAll("shutdown")) : undefined;
    await drained;
    timer?.cancel();
    this.#admin?.destroy();
    await this.#observer.accessLog.close(LOG_CLOSE_MS);
  }
}

/** The part of the context that a reload replaces as a whole. */
function settingsOf(config: Config): Pick<ProxyContext, "outgoing" | "rules" | "timeouts" | "limits" | "session"> {
  const { timeouts, limits } = config;
  return {
    outgoing: outgoingOf(config.outgoing, config.users),
    rules: new AccessRules(config.destinations),
    timeouts: {
      connectMs: timeouts.connectMs,
      idleMs: timeouts.idleMs,
      halfClosedMs: timeouts.halfClosedMs,
      keepAliveMs: config.relay.keepAliveMs,
    },
    limits,
    session: {
      usersRequired: config.socks.auth === "users",
      ignoreReserved: config.socks.ignoreReserved,
      handshakeTimeoutMs: timeouts.handshakeMs || Number.POSITIVE_INFINITY,
      closeTimeoutMs: timeouts.replyCloseMs,
    },
  };
}
