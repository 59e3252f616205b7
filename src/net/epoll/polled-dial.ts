/** A socket of ours whose connect is under way, until it stands or has failed. */

import type { Dial, DialListener } from "../../ports/dialer.ts";
import type { Endpoint } from "../../ports/socket.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT, type Libc } from "../libc.ts";
import { localEndpoint } from "../tcp-socket.ts";
import { NOBODY } from "./nobody.ts";
import { PolledSocket, READING_AND_WRITING } from "./polled-socket.ts";
import type { Polled, Poller } from "./poller.ts";
import { takeError } from "./socket-calls.ts";

const NOWHERE: Endpoint = { ip: new Uint8Array(4), port: 0 };

export class PolledDial implements Dial, Polled {
  generation = 0;
  readonly #libc: Libc;
  readonly #poller: Poller;
  /** -1 when it is over. */
  #fd: number;
  readonly #noDelay: boolean;
  readonly #listener: DialListener;
  /** Once the connection stands. */
  #socket: PolledSocket | undefined;

  /** @param noDelay - Whether the socket is to send small segments at once (TCP_NODELAY). */
  constructor(libc: Libc, poller: Poller, fd: number, noDelay: boolean, listener: DialListener) {
    this.#libc = libc;
    this.#poller = poller;
    this.#fd = fd;
    this.#noDelay = noDelay;
    this.#listener = listener;
  }

  /** Waits for the outcome. It may be told before this returns, when the poller has no room. */
  start(): void {
    if (!this.#poller.add(this.#fd, READING_AND_WRITING, this)) this.#fail("ENOMEM");
  }

  handleEvents(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) === 0) {
      if ((events & EPOLLOUT) !== 0) this.#succeed(events, undefined);
      return;
    }
    const code = takeError(this.#libc, this.#fd);
    // What stands can be reset before we look, and what the target sent before is there to be read.
    if (code === "ECONNRESET" || code === "EPIPE") this.#succeed(events, code);
    else this.#fail(code);
  }

  handleFault(): void {
    this.cancel();
    // The listener had it already, or was about to.
    this.#socket?.terminate();
  }

  cancel(): void {
    if (this.#fd >= 0) this.#close();
  }

  #succeed(events: number, code: string | undefined): void {
    const fd = this.#fd;
    this.#fd = -1;
    const socket = new PolledSocket(this.#libc, this.#poller, fd, NOBODY);
    this.#socket = socket;
    socket.continueFrom({ isWatchedOut: true, isNoDelayDue: this.#noDelay });
    if (code !== undefined) socket.failAfterReading(code);
    this.#poller.pass(fd, socket);
    this.#listener.onConnected(socket, localEndpoint(socket) ?? NOWHERE);
    // Of the same event: it will not be reported again.
    socket.handleEvents(events);
  }

  #fail(code: string): void {
    this.#close();
    this.#listener.onFailed(code);
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = -1;
    this.#poller.forget(fd);
    this.#libc.close(fd);
  }
}
