/**
 * One client of the proxy: from the accept, through the conversation of `ServerSession`, to a tunnel, an association or a
 * refusal. Once a tunnel is open, an `OpenTunnel` takes its place, and the sides of the tunnel own the sockets.
 */

import { parseIp } from "../bytes/ip.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import { Cmd, type FailureRep, Rep } from "../protocol/socks5/constants.ts";
import type { Request } from "../protocol/socks5/request.ts";
import { type ServerEvent, ServerSession } from "../protocol/socks5/server-session.ts";
import { endOfClose, type TunnelEnd } from "../relay/tunnel-end.ts";
import { Deadline } from "../time/timer-wheel.ts";
import { isLoopback } from "./access-rules.ts";
import { Bind } from "./bind.ts";
import type { AddressEntry } from "./client-table.ts";
import type { Command, CommandHost } from "./command.ts";
import { ConnectCommand } from "./connect-command.ts";
import type { ProxyContext } from "./context.ts";
import { OpenTunnel, type TunnelStory } from "./open-tunnel.ts";
import type { ClientHost, ServedClient } from "./served-client.ts";
import { NO_PLACE } from "./served-clients.ts";
import { UdpAssociate } from "./udp-associate.ts";
import type { Verdict } from "./user-directory.ts";

/** What a client may send ahead of our answers before we stop reading it, in bytes. */
const EARLY_BYTES_MAX = 65_536;

const COMMANDS = { [Cmd.Connect]: "connect", [Cmd.Bind]: "bind", [Cmd.UdpAssociate]: "udp_associate" } as const;

export class Connection extends Deadline implements SocketOwner, CommandHost, ServedClient {
  readonly context: ProxyContext;
  readonly clientIsLocal: boolean;
  readonly advertisedIp: Uint8Array | undefined;
  place: number = NO_PLACE;
  readonly #socket: ConnectedSocket;
  readonly #entry: AddressEntry;
  readonly #clientPort: number;
  readonly #startedWallMs: number;
  readonly #session: ServerSession;
  readonly #host: ClientHost;

  #isHandshakeCounted = true;
  #isPaused = false;
  #finReceived = false;
  #closed = false;
  /** The end of an answer that the socket could not take at once. */
  #unsent: Uint8Array | undefined;
  #user: string | undefined;
  #request: Request | undefined;
  #command: Command | undefined;
  #reply: Rep | undefined;
  #detail: string | undefined;
  /** Why the connection is about to end, where that is known before its end. */
  #end: TunnelEnd | undefined;

  constructor(
    host: ClientHost,
    socket: ConnectedSocket,
    entry: AddressEntry,
    client: Endpoint,
    advertisedIp: Uint8Array | undefined,
  ) {
    super();
    const { context } = host;
    this.#host = host;
    this.context = context;
    this.#socket = socket;
    this.#entry = entry;
    this.clientIsLocal = isLoopback(client.ip);
    this.advertisedIp = advertisedIp;
    this.#clientPort = client.port;
    this.#startedWallMs = context.clock.wallMs();
    this.#session = new ServerSession(context.session, context.clock.turnMs());
    context.wheel.set(this, this.#session.pollTimeout());
  }

  get clientAddress(): string {
    return this.#entry.address;
  }

  get localIp(): Uint8Array | undefined {
    return parseIp(this.#socket.localAddress);
  }

  get user(): string | undefined {
    return this.#user;
  }

  kill(end: TunnelEnd): void {
    this.#end ??= end;
    this.#socket.terminate();
  }

  applyBufferSize(): void {
    // What a client sends ahead of our answers has a limit of its own.
  }

  handleData(chunk: Uint8Array): void {
    this.#session.handleInput(chunk, this.context.clock.turnMs());
    this.#pump();
    if (!this.#isPaused && this.#session.heldBytes >= EARLY_BYTES_MAX && !this.#session.isOpen) {
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
    else if (this.#isAtWork) this.#command?.handleClientEnd();
  }

  handleClose(code: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#command?.close();
    this.#finish(this.#endOfCommand(code), code);
  }

  #endOfCommand(code: string | undefined): string {
    if (this.#reply === undefined) return this.#end ?? "client-gone";
    if (this.#reply !== Rep.Succeeded) return "refused";
    return this.#end ?? endOfClose("client", code);
  }

  /** Whether a command is under way that may still be told about the client and the time. */
  get #isAtWork(): boolean {
    return this.#command !== undefined && !this.#session.isOpen && !this.#session.isClosing;
  }

  #pump(): void {
    for (let event = this.#session.pollEvent(); event !== undefined; event = this.#session.pollEvent()) {
      this.#carryOut(event);
      // An answer has found the client dead: what it asked for before is not begun.
      if (this.#closed) return;
    }
    if (!this.#session.isHandshake) this.#endHandshake();
    if (this.#session.isClosing && !this.#closed) {
      this.context.wheel.set(this, this.#session.pollTimeout());
    } else if (this.#finReceived && this.#session.needsInput) {
      this.#socket.shutdown();
    }
  }

  /** The client has said what it wants, or is gone. */
  #endHandshake(): void {
    if (!this.#isHandshakeCounted) return;
    this.#isHandshakeCounted = false;
    this.context.clients.handshakeEnded(this.#entry);
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
        if (event.rep !== undefined) this.#noteRefusal(event.rep, event.fault);
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
      verdict.then(
        (late) => {
          if (this.#closed) return;
          this.#judge(late, user);
          this.#pump();
        },
        (fault) => {
          this.#socket.terminate();
          throw fault;
        },
      );
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
    this.#session.authenticated(verdict === "accepted", clock.turnMs());
  }

  #startRequest(request: Request): void {
    this.#request = request;
    this.#command = this.#commandFor(request.cmd);
    this.#command.start(request.dst);
    // It may have ended before it asked for anything.
    if (this.#finReceived && this.#isAtWork) this.#command.handleClientEnd();
  }

  #commandFor(cmd: Cmd): Command {
    switch (cmd) {
      case Cmd.Connect:
        return new ConnectCommand(this);
      case Cmd.Bind:
        return new Bind(this);
      case Cmd.UdpAssociate:
        return new UdpAssociate(this);
      default:
        return cmd satisfies never;
    }
  }

  setDeadlineIn(limitMs: number): void {
    // An answer may have found the client dead while the command went on.
    if (this.#closed) return;
    const { wheel, clock } = this.context;
    wheel.set(this, limitMs > 0 ? clock.turnMs() + limitMs : Number.POSITIVE_INFINITY);
  }

  refuse(rep: FailureRep, detail: string | undefined): void {
    this.#noteRefusal(rep, detail);
    this.#session.refused(rep, this.context.clock.turnMs());
    this.#pump();
  }

  #noteRefusal(rep: FailureRep, detail: string | undefined): void {
    this.#reply = rep;
    this.#detail = detail;
    this.context.counters.requestsRefused++;
  }

  bound(bndAddr: Uint8Array, bndPort: number): void {
    this.#session.bound(bndAddr, bndPort);
    this.#pump();
  }

  associate(bndAddr: Uint8Array, bndPort: number): void {
    const { counters, timeouts } = this.context;
    this.#reply = Rep.Succeeded;
    counters.requestsConnected++;
    this.#session.associated(bndAddr, bndPort);
    this.#pump();
    this.#resume();
    // Nothing is said on the connection any more: only the kernel can notice that the client has gone without a word.
    if (timeouts.keepAliveMs > 0) this.#socket.setKeepAlive(true, timeouts.keepAliveMs);
  }

  finish(end: TunnelEnd): void {
    this.#end ??= end;
    this.#session.finish(this.context.clock.turnMs());
    this.#pump();
  }

  openTunnel(target: ConnectedSocket, bnd: Endpoint, connectedAddress: string): void {
    const { wheel, counters } = this.context;
    const { cmd, dst } = this.#request as Request;
    const isBind = cmd === Cmd.Bind;
    // Before the tunnel can end, and leave.
    this.#endHandshake();
    this.#reply = Rep.Succeeded;
    counters.requestsConnected++;
    const story: TunnelStory = {
      startedWallMs: this.#startedWallMs,
      endedWallMs: Number.NaN,
      clientAddress: this.#entry.address,
      clientPort: this.#clientPort,
      user: this.#user,
      command: isBind ? "bind" : "connect",
      host: dst.host,
      port: dst.port,
      connectedAddress,
      connectedPort: isBind ? bnd.port : undefined,
      reply: Rep.Succeeded,
      attempts: this.#command?.attempts ?? [],
      bytesUp: 0,
      bytesDown: 0,
      udp: undefined,
      lookups: this.#command?.lookups ?? [],
      end: "",
      detail: undefined,
    };
    const open = new OpenTunnel(this.#host, this.#entry, story, this.#socket, target);
    const { tunnel } = open;
    wheel.clear(this);
    this.#host.replace(this, open);
    target.data = tunnel.target;
    this.#socket.data = tunnel.client;
    const early = this.#session.connected(bnd.ip, bnd.port);
    //= rfc1928#6/rep-succeeded
    //= rfc1928#6/connect-bound-address
    this.#pump();
    // The client was gone, and has taken the tunnel with it.
    if (open.isOver) return;
    //= rfc1928#6/success-passes-data
    if (this.#unsent !== undefined) tunnel.client.queueUncounted(this.#unsent);
    this.#resume();
    open.watchSilence();
    if (early.length > 0) tunnel.client.handleData(early);
    if (this.#finReceived) tunnel.client.handleEnd();
    tunnel.start();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  override handleDue(nowMs: number): void {
    if (this.#isAtWork) {
      this.#command?.timeOut();
      return;
    }
    this.#session.handleTimeout(nowMs);
    this.#pump();
  }

  /** Everything is over without a tunnel: leaves all tables and reports the request, if there was one. */
  #finish(end: string, code: string | undefined): void {
    this.#closed = true;
    const { wheel, clients, events, clock } = this.context;
    wheel.clear(this);
    this.#endHandshake();
    clients.leave(this.#entry);
    this.#host.forget(this);
    const request = this.#request;
    // What cannot be read is a request all the same, once it has been answered.
    if (request === undefined && this.#reply === undefined) return;
    const udp = this.#command?.udp;
    events.onRequestFinished({
      startedWallMs: this.#startedWallMs,
      endedWallMs: clock.wallMs(),
      clientAddress: this.#entry.address,
      clientPort: this.#clientPort,
      user: this.#user,
      command: request && COMMANDS[request.cmd],
      host: request?.dst.host,
      port: request?.dst.port,
      connectedAddress: undefined,
      connectedPort: undefined,
      reply: this.#reply,
      attempts: this.#command?.attempts ?? [],
      bytesUp: udp?.bytesUp ?? 0,
      bytesDown: udp?.bytesDown ?? 0,
      udp,
      lookups: this.#command?.lookups ?? [],
      end,
      // How the client closes after a refusal says nothing about it.
      detail: this.#detail ?? (end === "refused" ? undefined : code),
    });
  }
}
