/** A listening socket of ours whose clients are accepted by system calls. */

import type { AcceptPeer } from "../../ports/peer-listener.ts";
import type { Endpoint } from "../../ports/socket.ts";
import { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } from "../errno.ts";
import { type Libc, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../libc.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES } from "../sockaddr.ts";
import { NOBODY } from "./nobody.ts";
import { PolledSocket, READING } from "./polled-socket.ts";
import type { Polled, Poller } from "./poller.ts";

/** The most clients that one event accepts. The others get their turn, and then the rest is reported. */
const ACCEPTED_MAX = 32;
/** How soon accepting is tried again when the system has no room for a client, or only errors, in milliseconds. */
const RETRY_MS = 100;

const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
const sockaddrSize = new Uint32Array(1);

/** The client waits in the queue for better times. */
function isWithoutRoom(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;
}

export class PolledListener implements Polled {
  generation = 0;
  readonly #libc: Libc;
  readonly #poller: Poller;
  readonly #fd: number;
  readonly #accept: AcceptPeer;
  #isStopped = false;
  #retry: NodeJS.Timeout | undefined;

  /** @param fd - A listening socket that does not block; it stays the caller's. */
  constructor(libc: Libc, poller: Poller, fd: number, accept: AcceptPeer) {
    this.#libc = libc;
    this.#poller = poller;
    this.#fd = fd;
    this.#accept = accept;
  }

  /** Starts to accept. Returns whether the poller has room for it. */
  start(): boolean {
    // Edge-triggered, too: without a descriptor for a client, the kernel would report that client again and again.
    return this.#poller.add(this.#fd, READING, this);
  }

  /** Accepts nobody any more; the kernel queues who comes. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#retry);
    this.#poller.silence(this.#fd);
    this.#poller.forget(this.#fd);
  }

  handleEvents(): void {
    let hasAccepted = false;
    for (let count = 0; count < ACCEPTED_MAX; count++) {
      if (this.#isStopped) return;
      sockaddrSize[0] = sockaddr.length;
      const fd = this.#libc.accept4(this.#fd, sockaddr, sockaddrSize, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        const errno = this.#libc.errno();
        if (errno === EAGAIN) return;
        if (isWithoutRoom(errno)) {
          this.#retryLater();
          return;
        }
        // The error of one client, which is gone (accept(2)). It takes its turn like one who stays.
        continue;
      }
      hasAccepted = true;
      this.#serve(fd, readSockaddr(sockaddr));
    }
    if (hasAccepted) this.#lookAgain();
    // So many errors are no clients': the socket itself is broken, and would say so for ever.
    else this.#retryLater();
  }

  handleFault(): void {
    // One client's bug; the others are still to be accepted.
    this.#lookAgain();
  }

  /** Clients who come meanwhile are events, too, and meet the same: one timer is for all of them. */
  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#lookAgain();
    }, RETRY_MS);
  }

  #lookAgain(): void {
    if (!this.#isStopped) this.#poller.change(this.#fd, READING, this);
  }

  #serve(fd: number, remote: Endpoint): void {
    const socket = new PolledSocket(this.#libc, this.#poller, fd, NOBODY);
    if (!this.#poller.add(fd, READING, socket)) {
      this.#libc.close(fd);
      return;
    }
    try {
      socket.data = this.#accept(socket, remote);
    } catch (fault) {
      socket.terminate();
      throw fault;
    }
  }
}
