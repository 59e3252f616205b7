import type { AttemptRecord } from "../ports/proxy-events.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import type { ConnectedSocket, Endpoint } from "../ports/socket.ts";
import type { Address } from "../protocol/socks5/address.ts";
import type { FailureRep } from "../protocol/socks5/constants.ts";
import type { Command, CommandHost } from "./command.ts";
import { Connect, type ConnectListener } from "./connect.ts";

/** CONNECT: a tunnel to the destination, or the reason why there is none (RFC 1928 §4 and §6). */
export class ConnectCommand implements Command, ConnectListener {
  readonly #host: CommandHost;
  #connect: Connect | undefined;

  constructor(host: CommandHost) {
    this.#host = host;
  }

  get attempts(): readonly AttemptRecord[] {
    return this.#connect?.attempts ?? [];
  }

  get lookups(): readonly ResolutionStep[] {
    return this.#connect?.lookups ?? [];
  }

  start(dst: Address): void {
    const host = this.#host;
    host.setDeadlineIn(host.context.timeouts.connectMs);
    this.#connect = new Connect(host.context, host, dst, this);
    this.#connect.start();
  }

  onConnected(socket: ConnectedSocket, local: Endpoint, target: string): void {
    this.#host.openTunnel(socket, local, target);
  }

  onFailed(rep: FailureRep, detail: string | undefined): void {
    this.#host.refuse(rep, detail);
  }

  timeOut(): void {
    this.#connect?.timeOut();
  }

  handleClientEnd(): void {
    // A client may end its sending with its last early byte; the tunnel will pass the FIN on.
  }

  close(): void {
    this.#connect?.cancel();
  }
}
