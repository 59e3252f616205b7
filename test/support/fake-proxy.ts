/** A proxy without a network: fake sockets, a dialer and a resolver that the test answers for, a clock that it moves. */

import type { Dial, Dialer, DialListener, DialOptions } from "../../src/ports/dialer.ts";
import type { PasswordHasher } from "../../src/ports/password-hasher.ts";
import type { LimitName, ProxyEvents, RequestRecord } from "../../src/ports/proxy-events.ts";
import type { Resolution, Resolver } from "../../src/ports/resolver.ts";
import type { Endpoint } from "../../src/ports/socket.ts";
import { HAPPY_EYEBALLS_DEFAULTS } from "../../src/protocol/dial/happy-eyeballs.ts";
import { AccessRules } from "../../src/proxy/access-rules.ts";
import { ClientTable } from "../../src/proxy/client-table.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import { ANY_WAY } from "../../src/proxy/outgoing.ts";
import { PortChoice } from "../../src/proxy/port-choice.ts";
import { ProxyServer } from "../../src/proxy/proxy-server.ts";
import { Quota } from "../../src/proxy/quota.ts";
import { UserDirectory, type UserEntry } from "../../src/proxy/user-directory.ts";
import { TimerWheel } from "../../src/time/timer-wheel.ts";
import { FakeDatagramSockets } from "./fake-datagrams.ts";
import { FakePeerListeners, FakeRoutes } from "./fake-peers.ts";
import { FakeSocket, resetAtOnce } from "./fake-socket.ts";
import { ManualClock } from "./manual-clock.ts";

/** Lets every promise that is settled call back. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One attempt to connect, as the test sees it. */
export interface FakeDial {
  readonly address: string;
  readonly port: number;
  readonly options: DialOptions;
  readonly isCancelled: boolean;
  connect(socket?: FakeSocket, local?: Endpoint): FakeSocket;
  fail(code: string): void;
}

export class FakeDialer implements Dialer {
  readonly dials: FakeDial[] = [];
  /** Addresses that fail before `dial` returns, with their codes. */
  readonly failsAtOnce: Map<string, string> = new Map<string, string>();

  dial(ip: Uint8Array, port: number, options: DialOptions, listener: DialListener): Dial {
    let isCancelled = false;
    const address = [...ip].join(".");
    const code = this.failsAtOnce.get(address);
    this.dials.push({
      address,
      port,
      options,
      get isCancelled() {
        return isCancelled;
      },
      connect: (socket = new FakeSocket(), local = { ip: Uint8Array.of(192, 0, 2, 99), port: 40_001 }) => {
        listener.onConnected(socket, local);
        return socket;
      },
      fail: (reason) => listener.onFailed(reason),
    });
    if (code !== undefined) listener.onFailed(code);
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }

  /** The attempt of that number; throws when there was none. */
  at(index: number): FakeDial {
    const dial = this.dials[index];
    if (dial === undefined) throw new Error(`attempt ${index} of ${this.dials.length}`);
    return dial;
  }
}

export class FakeResolver implements Resolver {
  readonly asked: string[] = [];
  readonly #answers: ((resolution: Resolution) => void)[] = [];

  resolve(name: string): Promise<Resolution> {
    this.asked.push(name);
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  /** Answers the oldest question. */
  async answer(resolution: Resolution): Promise<void> {
    this.#answers.shift()?.(resolution);
    await settle();
  }
}

/** Verdicts wait until the test gives them. */
export class FakeHasher implements PasswordHasher {
  readonly asked: { readonly password: string; readonly phc: string; readonly answer: (isRight: boolean) => void }[] =
    [];

  verify(password: Uint8Array, phc: string): Promise<boolean> {
    return new Promise((answer) => {
      this.asked.push({ password: new TextDecoder().decode(password), phc, answer });
    });
  }
}

export class RecordedEvents implements ProxyEvents {
  readonly records: RequestRecord[] = [];
  readonly others: string[] = [];

  onRequestFinished(record: RequestRecord): void {
    this.records.push(record);
  }
  onLimitReached(limit: LimitName, clientAddress: string): void {
    this.others.push(`limit ${limit} ${clientAddress}`);
  }
  onAuthenticationFailed(clientAddress: string, _port: number, user: string | undefined): void {
    this.others.push(`authentication ${clientAddress} ${user ?? "?"}`);
  }
  onFault(_address: string, _port: number, fault: string): void {
    this.others.push(`fault ${fault}`);
  }
  onAcceptPaused(isPaused: boolean, connections: number): void {
    this.others.push(`${isPaused ? "paused" : "accepting"} at ${connections}`);
  }
}

const LOOPBACK: Endpoint = { ip: Uint8Array.of(127, 0, 0, 1), port: 40_000 };

export interface FakeProxyOptions {
  readonly users?: readonly UserEntry[];
  readonly capacity?: number;
  readonly setAccepting?: (isAccepting: boolean) => void;
  readonly change?: Partial<ProxyContext>;
}

export interface FakeProxy {
  readonly clock: ManualClock;
  readonly dialer: FakeDialer;
  readonly resolver: FakeResolver;
  readonly hasher: FakeHasher;
  readonly events: RecordedEvents;
  readonly datagrams: FakeDatagramSockets;
  readonly peers: FakePeerListeners;
  readonly routes: FakeRoutes;
  readonly context: ProxyContext;
  readonly clients: ClientTable;
  readonly server: ProxyServer;
  /** The number that the next accepted socket has: 10 at first. They are short from 100 on. */
  readonly setLowestFreeDescriptor: (descriptor: number) => void;
  /** What the listeners were told. */
  readonly accepting: readonly boolean[];
  /** A client that has just been accepted; from 127.0.0.1 when nothing else is said. */
  readonly accept: (socket?: FakeSocket, client?: Endpoint, advertisedIp?: Uint8Array) => FakeSocket;
}

/**
 * Limits: handshake 10 s, connect 15 s, idle 60 s, half-closed 30 s, keep-alive off, close after a refusal 5 s, a silent
 * association 60 s, BIND 20 s. Everybody may use BIND and UDP ASSOCIATE; nothing is counted.
 */
export function fakeProxy({
  users = [],
  capacity = 1000,
  setAccepting,
  change = {},
}: FakeProxyOptions = {}): FakeProxy {
  const clock = new ManualClock();
  const dialer = new FakeDialer();
  const resolver = new FakeResolver();
  const hasher = new FakeHasher();
  const events = new RecordedEvents();
  const accepting: boolean[] = [];
  const clients = new ClientTable();
  const datagrams = new FakeDatagramSockets();
  const peers = new FakePeerListeners();
  const routes = new FakeRoutes();
  const noLimits = { total: 0, perAddress: 0, perUser: 0 };
  const context: ProxyContext = {
    clock,
    wheel: new TimerWheel(clock),
    reset: resetAtOnce,
    dialer,
    resolver,
    events,
    clients,
    users: new UserDirectory(new Uint8Array(32).fill(7), hasher, users, { hashChecks: 2, hashQueue: 2 }),
    settings: { bufferSize: 1000 },
    totals: { bytes: 0 },
    bulk: undefined,
    tidier: undefined,
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
    outgoing: { way: ANY_WAY, waysOfUsers: new Map(), timing: HAPPY_EYEBALLS_DEFAULTS },
    sort: (addresses) => addresses,
    udp: {
      sockets: datagrams,
      routes,
      quota: new Quota(),
      ports: new PortChoice(),
      settings: {
        access: "all",
        ports: undefined,
        answersFrom: "all",
        idleMs: 60_000,
        limits: noLimits,
        targets: 100,
        queueBytes: 10_000,
        lookups: 8,
        receiveBufferSize: 65_536,
      },
    },
    bind: {
      listeners: peers,
      routes,
      quota: new Quota(),
      ports: new PortChoice(),
      settings: { access: "all", ports: undefined, waitMs: 20_000, limits: noLimits },
    },
    rules: new AccessRules({ deny: [], denyFromRemote: [], allow: [] }),
    timeouts: { connectMs: 15_000, idleMs: 60_000, halfClosedMs: 30_000, keepAliveMs: 0 },
    limits: { connections: 0, connectionsPerAddress: 0, handshakesPerAddress: 0 },
    session: {
      usersRequired: users.length > 0,
      ignoreReserved: false,
      handshakeTimeoutMs: 10_000,
      closeTimeoutMs: 5_000,
    },
    ...change,
  };
  let lowestFree = 10;
  const server = new ProxyServer(context, {
    capacity,
    descriptorMax: 100,
    lowestFreeDescriptor: () => lowestFree,
    descriptorOf: () => lowestFree,
    setAccepting: (isAccepting) => {
      accepting.push(isAccepting);
      setAccepting?.(isAccepting);
    },
  });
  const accept: FakeProxy["accept"] = (socket = new FakeSocket(), client = LOOPBACK, advertisedIp = undefined) => {
    socket.data = server.accept(socket, client, advertisedIp);
    return socket;
  };
  return {
    clock,
    dialer,
    resolver,
    hasher,
    events,
    datagrams,
    peers,
    routes,
    context,
    setLowestFreeDescriptor: (descriptor) => {
      lowestFree = descriptor;
    },
    clients,
    server,
    accepting,
    accept,
  };
}
