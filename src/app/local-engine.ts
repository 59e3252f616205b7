/**
 * The proxy in this process: everything between the listeners and the logs. One of it is the whole server; with workers,
 * each of them is one.
 */

import type { Config } from "../config/config.ts";
import { collectGarbage } from "../net/collect-garbage.ts";
import { BestDatagramSockets } from "../net/datagram-sockets.ts";
import { descriptorBudget, lowestFreeDescriptor } from "../net/descriptors.ts";
import { Poller } from "../net/epoll/poller.ts";
import { gentleReset } from "../net/gentle-reset.ts";
import { libc } from "../net/libc.ts";
import { passwordHasher } from "../net/password-hasher.ts";
import { RouteTable } from "../net/route-table.ts";
import { Splicer } from "../net/splice/splicer.ts";
import { systemClock } from "../net/system-clock.ts";
import { TcpDialer } from "../net/tcp-dial.ts";
import { TcpPeerListeners } from "../net/tcp-peer-listener.ts";
import { descriptorOf } from "../net/tcp-socket.ts";
import type { LimitedLog } from "../observe/log-limiter.ts";
import { PendingRecords } from "../observe/pending-records.ts";
import { ProxyObserver } from "../observe/proxy-observer.ts";
import type { Control } from "../ports/control.ts";
import { type DnsCounters, zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Log, LogFields } from "../ports/log.ts";
import { AccessRules } from "../proxy/access-rules.ts";
import { ClientTable } from "../proxy/client-table.ts";
import type { ProxyContext } from "../proxy/context.ts";
import { PortChoice } from "../proxy/port-choice.ts";
import { ProxyServer } from "../proxy/proxy-server.ts";
import { Quota } from "../proxy/quota.ts";
import { Tidier } from "../proxy/tidier.ts";
import { UserDirectory } from "../proxy/user-directory.ts";
import { QueuedTimers } from "../time/queued-timers.ts";
import { TimerWheel } from "../time/timer-wheel.ts";
import { AccessLogOutlet } from "./access-log-outlet.ts";
import type { Engine } from "./engine.ts";
import { type AcceptClient, ListenerSet } from "./listener-set.ts";
import { CertificateError, familiesOf, type NameResolution, openNameResolution } from "./name-resolution.ts";
import { destinationSorter, outgoingOf } from "./outgoing.ts";
import type { WorkerShare } from "./shared-state.ts";

const USER_KEY_BYTES = 32;

export interface EngineRole {
  /** What a worker has in common with the other workers; absent when this is the whole server. */
  readonly share?: WorkerShare;
  /** Whether there is nothing else in the process that collecting its garbage could disturb. */
  readonly ownsProcess: boolean;
}

export class LocalEngine implements Engine {
  #config: Config;
  readonly #log: Log;
  readonly #context: ProxyContext;
  readonly #server: ProxyServer;
  readonly #accessLog: AccessLogOutlet;
  readonly #finished: PendingRecords = new PendingRecords(systemClock, (record) => this.#accessLog.writeRecord(record));
  readonly #listeners: ListenerSet;
  #names: NameResolution;
  /** Of this process, whatever the configuration has become meanwhile. */
  readonly dnsCounters: DnsCounters = zeroDnsCounters();
  readonly #poller: Poller | undefined;
  readonly #splicer: Splicer | undefined;

  /**
   * Opens everything that `config` names, but for the admin protocol, and starts to serve.
   *
   * @param limitedLog - For what clients can cause.
   * @param role - Whose process this is.
   * @throws {CertificateError} when a DNS server's certificates cannot be read.
   * @throws {ListenError} when a listener cannot be opened; nothing is left open then.
   * @throws The error of `open` when the access log cannot be opened.
   */
  constructor(config: Config, log: Log, limitedLog: LimitedLog, { share, ownsProcess }: EngineRole) {
    this.#config = config;
    this.#log = log;
    const clock = systemClock;
    this.#poller = config.relay.sockets === "bun" ? undefined : Poller.open();
    const sort = destinationSorter(new RouteTable(), clock);
    const families = familiesOf(config.outgoing, config.users);
    this.#names = openNameResolution(config.dns, families, { clock, log, sort, counters: this.dnsCounters });
    this.#accessLog = new AccessLogOutlet(config.accessLog, log);
    const wheel = new TimerWheel(clock);
    const key = crypto.getRandomValues(new Uint8Array(USER_KEY_BYTES));
    this.#context = {
      clock: new QueuedTimers(clock),
      wheel,
      reset: gentleReset(clock),
      dialer: new TcpDialer({ noDelay: config.relay.noDelay }, this.#poller),
      resolver: this.#names.resolver,
      sort,
      events: new ProxyObserver(this.#finished, limitedLog),
      clients: share?.clients ?? new ClientTable(),
      users: new UserDirectory(key, passwordHasher, config.users, config.limits),
      settings: share?.settings ?? { bufferSize: config.relay.bufferSize },
      totals: share?.totals ?? { bytes: 0 },
      bulk: undefined,
      tidier: ownsProcess
        ? new Tidier({ clock, wheel }, { clients: () => this.#server.concurrent(), collect: collectGarbage })
        : undefined,
      counters: share?.counters ?? {
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
        sockets: new BestDatagramSockets(this.#poller),
        routes: new RouteTable(),
        quota: share?.udpQuota ?? new Quota(),
        ports: new PortChoice(),
        settings: config.udp,
      },
      bind: {
        listeners: new TcpPeerListeners({ noDelay: config.relay.noDelay }, this.#poller),
        routes: new RouteTable(),
        quota: share?.bindQuota ?? new Quota(),
        ports: new PortChoice(),
        settings: config.bind,
      },
      ...settingsOf(config),
    };
    const { splice, splicePipes } = config.relay;
    const { limit, clients, pipes, highest } = descriptorBudget(splice === "off" ? 0 : splicePipes);
    this.#server = new ProxyServer(this.#context, {
      capacity: clients,
      descriptorMax: highest,
      lowestFreeDescriptor,
      descriptorOf,
      setAccepting: (isAccepting) => this.#listeners.setAccepting(isAccepting),
    });
    log.debug("descriptors", { limit, clients, pipes });
    const accept: AcceptClient = (socket, client, advertisedIp) => this.#server.accept(socket, client, advertisedIp);
    this.#listeners = new ListenerSet(config, log, accept, share !== undefined, this.#poller);
    if (libc === undefined || this.#poller === undefined || splice === "off" || pipes === 0) return;
    this.#splicer = new Splicer(libc, this.#poller, { pipes, keepsSmall: splice === "always" });
    this.#context.bulk = { mover: this.#splicer, when: splice };
  }

  /** The constructor has opened everything already; only who accepts may not be settled yet. */
  async ready(): Promise<void> {
    const poller = this.#poller;
    if (poller !== undefined) await new Promise<void>((resolve) => poller.whenSettled(resolve));
    const wantsOwn = libc !== undefined && this.#config.relay.sockets === "auto";
    if (wantsOwn && poller?.isReady !== true) {
      this.#log.warn("no way into the event loop of this Bun: its own sockets serve clients, and nothing is spliced");
    }
  }

  get control(): Control {
    return this.#server;
  }

  get socksEndpoints(): readonly string[] {
    return this.#listeners.endpoints;
  }

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
    this.#tellDnsCounters(before);
    this.#reopenNames(config);
    this.#finished.flush();
    this.#accessLog.reopen(config.accessLog);
    this.#listeners.change(config);
  }

  /** At each reload and at the end, where names are asked for by DNS over HTTP. */
  #tellDnsCounters({ dns }: Config): void {
    if (dns.servers.length > 0) this.#log.info("DNS over HTTP since the start", dnsCounterFields(this.dnsCounters));
  }

  /** A resolver that is configured as before stays, and its cache with it. */
  #reopenNames(config: Config): void {
    const families = familiesOf(config.outgoing, config.users);
    const { clock, sort } = this.#context;
    const ports = { clock, log: this.#log, sort, counters: this.dnsCounters };
    try {
      const next = openNameResolution(config.dns, families, ports, this.#names);
      if (next === this.#names) return;
      this.#names.close();
      this.#names = next;
      this.#context.resolver = next.resolver;
    } catch (fault) {
      if (!(fault instanceof CertificateError)) throw fault;
      this.#log.error(`names are resolved as before: ${fault.message}`);
    }
  }

  async stop(): Promise<void> {
    this.#listeners.close();
    const { drainMs } = this.#config.timeouts;
    const drained = this.#server.drained();
    if (this.#server.concurrent() > 0) {
      this.#log.info("stopping: waiting for open connections", {
        connections: this.#server.concurrent(),
        limit_ms: drainMs,
      });
    }
    const timer = drainMs > 0 ? systemClock.setTimer(drainMs, () => this.#server.killAll("shutdown")) : undefined;
    await drained;
    timer?.cancel();
    this.#context.wheel.stop();
    this.#tellDnsCounters(this.#config);
    this.#names.close();
    this.#splicer?.close();
    this.#poller?.close();
    this.#finished.flush();
    await this.#accessLog.close();
  }
}

/** The counters under the names that logs use. */
function dnsCounterFields(counters: DnsCounters): LogFields {
  const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(counters).map(([name, count]) => [snake(name), count]));
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
