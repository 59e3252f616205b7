/**
 * One client of the proxy: from the accept, through the conversation of `ServerSession`, to a tunnel or a refusal.
 *
 * It owns the client's socket until the tunnel is open; from then on the two sides of the tunnel own the sockets, and
 * this only keeps the time limit and the record for the access log.
 */

import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import { Cmd, type FailureRep, Rep } from "../protocol/socks5/constants.ts";
import type { Request } from "../protocol/socks5/request.ts";
import { type ServerEvent, ServerSession } from "../protocol/socks5/server-session.ts";
import { Tunnel, type TunnelEnd } from "../relay/tunnel.ts";
import { Deadline } from "../time/timer-wheel.ts";
import { isLoopback } from "./access-rules.ts";
import type { AddressEntry } from "./client-table.ts";
import type { Command, CommandHost } from "./command.ts";
import { ConnectCommand } from "./connect-command.ts";
import type { ProxyContext } from "./context.ts";
import type { Verdict } from "./user-directory.ts";

/** What a client may send ahead of our answers before we stop reading it, in bytes. */
const EARLY_BYTES_MAX = 65_536;

const COMMANDS = { [Cmd.Connect]: "connect", [Cmd.Bind]: "bind", [Cmd.UdpAssociate]: "udp_associate" } as const;

export class Connection implements SocketOwner, CommandHost {
  readonly context: ProxyContext;
  readonly clientIsLocal: boolean;
  readonly #socket: ConnectedSocket;
  readonly #entry: AddressEntry;
  readonly #clientPort: number;
  readonly #startedWallMs: number;
  readonly #session: ServerSession;
  readonly #deadline: Deadline = new Deadline((nowMs) => this.#handleDeadline(nowMs));
  readonly #onGone: (connection: Connection) => void;

  #isHandshakeCounted = true;
  #isPaused = false;
  #finReceived = false;
  #closed = false;
  /** The end of an answer that the socket could not take at once. */
  #unsent: Uint8Array | undefined;
  #user: string | undefined;
  #request: Request | undefined;
  #command: Command | undefined;
  #tunnel: Tunnel | undefined;
  /** The tunnel's outgoing socket, until keep-alive has been switched on. */
  #quietTarget: ConnectedSocket | undefined;
  #connectedAddress: string | undefined;
  #reply: Rep | undefined;
  #detail: string | undefined;
  #killedBy: TunnelEnd | undefined;

  constructor(
    context: ProxyContext,
    socket: ConnectedSocket,
    entry: AddressEntry,
    client: Endpoint,
    onGone: (connection: Connection) => void,
  ) {
    this.context = context;
    this.#socket = socket;
    this.#entry = entry;
    this.clientIsLocal = isLoopback(client.ip);
    this.#clientPort = client.port;
    this.#onGone = onGone;
    this.#startedWallMs = context.clock.wallMs();
    this.#session = new ServerSession(context.session, context.clock.nowMs());
    context.wheel.set(this.#deadline, this.#session.pollTimeout());
  }

  get clientAddress(): string {
    return this.#entry.address;
  }

  get user(): string | undefined {
    return this.#user;
  }

  /** The open tunnel, for those who change its settings. */
  get tunnel(): Tunnel | undefined {
    return this.#tunnel;
  }

  /** Ends whatever is going on, at once. */
  kill(end: TunnelEnd): void {
    this.#killedBy = end;
    if (this.#tunnel !== undefined) this.#tunnel.kill(end);
    else this.#socket.terminate();
  }

  handleData(chunk: Uint8Array): void {
    this.#session.handleInput(chunk, this.context.clock.nowMs());
    this.#pump();
    if (!this.#isPaused && this.#session.heldBytes >= EARLY_BYTES_MAX && this.#tunnel === undefined) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  handleDrain(): void {
    if (this.#unsent === undefined) return;
    const bytes = this.#unsent;
    this.#unsent = undefined;
    this.#send(bytes);
    if (this.#unsent === undefined && this.#session.isClosing) this.#socket.shutdown();
  }

  handleEnd(): void {
    this.#finReceived = true;
    // A client may end its sending with its last early byte; but not before it has asked for anything.
    if (this.#session.needsInput) this.#socket.shutdown();
  }

  handleClose(code: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#command?.close();
    this.#finish(this.#reply === undefined ? (this.#killedBy ?? "client-gone") : "refused", code);
  }

  #pump(): void {
    for (let event = this.#session.pollEvent(); event !== undefined; event = this.#session.pollEvent()) {
      this.#carryOut(event);
    }
    if (this.#isHandshakeCounted && !this.#session.isHandshake) {
      this.#isHandshakeCounted = false;
      this.context.clients.handshakeEnded(this.#entry);
    }
    if (this.#session.isClosing && !this.#closed) {
      this.context.wheel.set(this.#deadline, this.#session.pollTimeout());
    } else if (this.#finReceived && this.#session.needsInput) {
      this.#socket.shutdown();
    }
  }

  #carryOut(event: ServerEvent): void {
    switch (event.kind) {
      case "send":
        this.#send(event.bytes);
        return;
      case "authenticate":
        this.#authenticate(event.uname, event.passwd);
        return;
      case "request":
        this.#startRequest(event.request);
        return;
      case "fault":
        this.context.counters.faults++;
        this.context.events.onFault(this.#entry.address, this.#clientPort, event.fault);
        return;
      case "finish":
        if (this.#isPaused) this.#resume();
        // FIN after the answer's last byte; what the client says meanwhile is read and thrown away, because closing with
        // unread bytes would be a RST, and could overtake the answer.
        if (this.#unsent === undefined) this.#socket.shutdown();
        return;
      case "close":
        if (event.reason === "handshake-timeout") {
          this.context.counters.handshakeTimeouts++;
          this.context.events.onFault(this.#entry.address, this.#clientPort, event.reason);
        }
        this.#socket.terminate();
        return;
      default:
        event satisfies never;
    }
  }

  #send(bytes: Uint8Array): void {
    if (this.#unsent !== undefined) {
      this.#unsent = Buffer.concat([this.#unsent, bytes]);
      return;
    }
    const taken = this.#socket.write(bytes);
    // The write met a reset, whose code is lost with it: left alone, the socket would go on to look like a regular end.
    if (taken < 0) this.#socket.terminate();
    else if (taken < bytes.length) this.#unsent = bytes.slice(taken);
  }

  //= rfc1929#2/verify
  #authenticate(uname: Uint8Array, passwd: Uint8Array): void {
    const { users } = this.context;
    const user = users.knownName(uname);
    const verdict = users.authenticate(uname, passwd);
    if (typeof verdict === "string") this.#judge(verdict, user);
    else
      verdict.then((late) => {
        if (this.#closed) return;
        this.#judge(late, user);
        this.#pump();
      });
  }

  #judge(verdict: Verdict, user: string | undefined): void {
    const { counters, events, clock } = this.context;
    if (verdict === "accepted") {
      this.#user = user;
    } else if (verdict === "busy") {
      counters.limitReached++;
      events.onLimitReached("hash_queue", this.#entry.address);
    } else {
      counters.authenticationFailures++;
      events.onAuthenticationFailed(this.#entry.address, this.#clientPort, user);
    }
    this.#session.authenticated(verdict === "accepted", clock.nowMs());
  }

  #startRequest(request: Request): void {
    this.#request = request;
    const command = this.#commandFor(request.cmd);
    if (command === undefined) {
      this.refuse(Rep.CommandNotSupported, undefined);
      return;
    }
    this.#command = command;
    command.start(request.dst);
  }

  #commandFor(cmd: Cmd): Command | undefined {
    switch (cmd) {
      case Cmd.Connect:
        return new ConnectCommand(this);
      case Cmd.Bind:
      case Cmd.UdpAssociate:
        return undefined;
      default:
        return cmd satisfies never;
    }
  }

  setDeadlineIn(limitMs: number): void {
    const { wheel, clock } = this.context;
    wheel.set(this.#deadline, limitMs > 0 ? clock.nowMs() + limitMs : Number.POSITIVE_INFINITY);
  }

  refuse(rep: FailureRep, detail: string | undefined): void {
    this.#reply = rep;
    this.#detail = detail;
    this.context.counters.requestsRefused++;
    this.#session.refused(rep, this.context.clock.nowMs());
    this.#pump();
  }

  openTunnel(target: ConnectedSocket, bnd: Endpoint, connectedAddress: string): void {
    const { clock, settings, totals, counters, timeouts } = this.context;
    this.#connectedAddress = connectedAddress;
    this.#reply = Rep.Succeeded;
    counters.requestsConnected++;
    const tunnel = new Tunnel(this.#socket, target, {
      settings,
      totals,
      nowMs: () => clock.nowMs(),
      onHalfClosed: () => this.#setTunnelDeadline(),
      onEnded: (end) => this.#finish(end, undefined),
    });
    this.#tunnel = tunnel;
    if (timeouts.keepAliveMs > 0) this.#quietTarget = target;
    target.data = tunnel.target;
    this.#socket.data = tunnel.client;
    const early = this.#session.connected(bnd.ip, bnd.port);
    //= rfc1928#6/rep-succeeded
    //= rfc1928#6/connect-bound-address
    this.#pump();
    // The client was gone, and has taken the tunnel with it.
    if (this.#closed) return;
    //= rfc1928#6/success-passes-data
    if (this.#unsent !== undefined) tunnel.client.queueUncounted(this.#unsent);
    this.#resume();
    this.#setTunnelDeadline();
    if (early.length > 0) tunnel.client.handleData(early);
    if (this.#finReceived) tunnel.client.handleEnd();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Sets the deadline to the next moment at which a silent tunnel needs us. */
  #setTunnelDeadline(): void {
    const { wheel, timeouts } = this.context;
    const tunnel = this.#tunnel;
    if (tunnel === undefined || this.#closed) return;
    const limitMs = this.#silenceLimitMs(tunnel);
    const waitMs = this.#quietTarget === undefined ? limitMs : Math.min(limitMs, timeouts.keepAliveMs);
    wheel.set(this.#deadline, tunnel.lastActiveMs + waitMs);
  }

  /** How long a tunnel may be silent. */
  #silenceLimitMs({ isHalfClosed }: Tunnel): number {
    const { idleMs, halfClosedMs } = this.context.timeouts;
    return (isHalfClosed ? halfClosedMs : idleMs) || Number.POSITIVE_INFINITY;
  }

  #handleDeadline(nowMs: number): void {
    if (this.#tunnel !== undefined) {
      this.#handleSilence(this.#tunnel, nowMs);
    } else if (this.#command !== undefined && this.#reply === undefined) {
      this.#command.timeOut();
    } else {
      this.#session.handleTimeout(nowMs);
      this.#pump();
    }
  }

  /** Bytes that move do not touch the deadline: a tunnel that was not silent after all gets a new one. */
  #handleSilence(tunnel: Tunnel, nowMs: number): void {
    const silentMs = nowMs - tunnel.lastActiveMs;
    if (silentMs >= this.#silenceLimitMs(tunnel)) {
      this.context.counters.idleTimeouts++;
      tunnel.kill(tunnel.isHalfClosed ? "half-closed-timeout" : "idle-timeout");
      return;
    }
    const { keepAliveMs } = this.context.timeouts;
    if (this.#quietTarget !== undefined && silentMs >= keepAliveMs) {
      // Only now: most tunnels never fall silent, and would pay four system calls a socket for nothing.
      if (!tunnel.client.isClosed) this.#socket.setKeepAlive(true, keepAliveMs);
      if (!tunnel.target.isClosed) this.#quietTarget.setKeepAlive(true, keepAliveMs);
      this.#quietTarget = undefined;
    }
    this.#setTunnelDeadline();
  }

  /** Everything is over: takes the connection out of all tables and reports the request, if there was one. */
  #finish(end: string, code: string | undefined): void {
    this.#closed = true;
    const { wheel, clients, events, clock } = this.context;
    wheel.clear(this.#deadline);
    if (this.#isHandshakeCounted) clients.handshakeEnded(this.#entry);
    this.#isHandshakeCounted = false;
    clients.leave(this.#entry);
    this.#onGone(this);
    const request = this.#request;
    if (request === undefined) return;
    events.onRequestFinished({
      startedWallMs: this.#startedWallMs,
      endedWallMs: clock.wallMs(),
      clientAddress: this.#entry.address,
      clientPort: this.#clientPort,
      user: this.#user,
      command: COMMANDS[request.cmd],
      host: request.dst.host,
      port: request.dst.port,
      connectedAddress: this.#connectedAddress,
      reply: this.#reply,
      attempts: this.#command?.attempts ?? [],
      bytesUp: this.#tunnel?.target.bytesWritten ?? 0,
      bytesDown: this.#tunnel?.client.bytesWritten ?? 0,
      end,
      detail: this.#detail ?? code,
    });
  }
}
