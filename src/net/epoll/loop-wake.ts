/**
 * Makes Bun's event loop wait for an epoll instance of ours, and call us when something in it is ready: no second thread,
 * no polling, no timer.
 *
 * Bun offers no such thing, so it is made of a socket pair. Bun gets one of the two; in Bun's epoll instance its place is
 * then given to our epoll instance, with the same data, by which Bun knows whom an event is for. So Bun takes our
 * readiness for the readiness of its socket and reads from it, and the byte that always lies there comes to us as `data`.
 * docs/adr/0030-splice.md has the whole story. Where any step of it fails, {@link LoopWake.isReady} stays false.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Socket } from "bun";
import { AF_UNIX, EPOLLIN, EPOLLOUT, type Libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../libc.ts";
import { addWithData, type Epoll, removeFrom } from "./epoll.ts";

/** Of the first event, which only proves that events arrive; the caller's own ids begin above. */
export const PROBE_ID = 0;

const BYTE = Uint8Array.of(1);
/**
 * How long the proof may take: some turns of the event loop, where it works at all. So it is looked for so many times, in
 * milliseconds apart: an event loop that stands still has one of them go by, however long that takes.
 */
const LOOKS = 20;
const LOOK_MS = 100;

export class LoopWake {
  readonly #libc: Libc;
  readonly #epoll: Epoll;
  readonly #onReady: () => number;
  readonly #onSettled: () => void;
  #socket: Socket<undefined> | undefined;
  /** The end that Bun has, and ours. */
  #inner = -1;
  #outer = -1;
  #loop: LoopEntry | undefined;
  #isProven = false;
  #isSettled = false;
  /** Until it is settled. */
  #patience: NodeJS.Timeout | undefined;

  /**
   * @param onReady - Called from the event loop when something in `epoll` is ready; returns how much it found.
   * @param onSettled - Called once, when the first event has arrived by this way, or when it is known that none will.
   */
  constructor(libc: Libc, epoll: Epoll, onReady: () => number, onSettled: () => void) {
    this.#libc = libc;
    this.#epoll = epoll;
    this.#onReady = onReady;
    this.#onSettled = onSettled;
    const pair = new Int32Array(2);
    if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
      this.#settle();
      return;
    }
    [this.#inner, this.#outer] = pair as unknown as [number, number];
    // `fd` is missing in Bun's types.
    const options = { fd: this.#inner, data: undefined, allowHalfOpen: true, socket: this.#handlers() };
    Bun.connect(options as unknown as Parameters<typeof Bun.connect<undefined>>[0]).catch(() => this.close());
    let looks = 0;
    this.#patience = setInterval(() => {
      if (++looks === LOOKS) this.close();
    }, LOOK_MS);
  }

  /** Whether events have been proven to arrive. */
  get isReady(): boolean {
    return this.#isProven;
  }

  /** Whether the process is to live on for what is in the epoll instance, even when there is nothing else. */
  set keepsAlive(keepsAlive: boolean) {
    if (keepsAlive) this.#socket?.ref();
    else this.#socket?.unref();
  }

  close(): void {
    this.#isProven = false;
    const { fd } = this.#epoll;
    if (this.#loop !== undefined) removeFrom(this.#libc, this.#loop.epoll, fd);
    this.#loop = undefined;
    this.#socket?.terminate();
    this.#socket = undefined;
    if (this.#outer >= 0) this.#libc.close(this.#outer);
    this.#outer = -1;
    this.#settle();
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearInterval(this.#patience);
    this.#onSettled();
  }

  #handlers(): Bun.SocketHandler<undefined> {
    return {
      open: (socket) => {
        this.#socket = socket;
        this.keepsAlive = false;
      },
      // The first thing that happens to a socket that is connected. Once that is over, Bun only reads from it, and has no
      // reason to touch its place again.
      drain: () => void setImmediate(() => this.#takePlace()),
      data: () => this.#handleWake(),
      close: () => {
        this.#isProven = false;
      },
      // The socket lives on: it serves everybody.
      error: (_, fault) => reportError(fault),
    };
  }

  /** Puts our epoll instance where the socket was, and has it ready once for the proof. */
  #takePlace(): void {
    if (this.#outer < 0 || this.#loop !== undefined) return;
    const loop = findLoopEntry(this.#inner);
    if (loop === undefined || !removeFrom(this.#libc, loop.epoll, this.#inner)) {
      this.close();
      return;
    }
    if (!addWithData(this.#libc, loop.epoll, this.#epoll.fd, EPOLLIN, loop.data)) {
      this.close();
      return;
    }
    this.#loop = loop;
    this.#libc.write(this.#outer, BYTE, 1);
    // Our end can be written to: that makes the instance ready at once.
    this.#epoll.add(this.#outer, EPOLLOUT, PROBE_ID);
  }

  #handleWake(): void {
    // The byte for the next time.
    this.#libc.write(this.#outer, BYTE, 1);
    if (this.#isProven) {
      // Nothing was ready: the event was the socket's own, so it must be back in its place, and would be heard for ever.
      if (this.#onReady() === 0 && this.#loop !== undefined) removeFrom(this.#libc, this.#loop.epoll, this.#inner);
      return;
    }
    this.#epoll.remove(this.#outer);
    this.#isProven = true;
    this.#settle();
  }
}

/** How an epoll instance of this process watches a descriptor. */
interface LoopEntry {
  readonly epoll: number;
  readonly data: bigint;
}

/** Finds the epoll instance of this process that watches `fd`, by what the kernel says of each (proc_pid_fdinfo(5)). */
function findLoopEntry(fd: number): LoopEntry | undefined {
  const pattern = new RegExp(`^tfd:\\s+${fd}\\s+events:\\s+[0-9a-f]+\\s+data:\\s+([0-9a-f]+)\\b`, "m");
  for (const name of readdirSync("/proc/self/fd")) {
    const text = epollInfo(name);
    const data = text === undefined ? undefined : pattern.exec(text)?.[1];
    if (data !== undefined) return { epoll: Number(name), data: BigInt(`0x${data}`) };
  }
  return undefined;
}

function epollInfo(name: string): string | undefined {
  try {
    if (readlinkSync(`/proc/self/fd/${name}`) !== "anon_inode:[eventpoll]") return undefined;
    return readFileSync(`/proc/self/fdinfo/${name}`, "utf8");
  } catch {
    // Closed meanwhile, such as the descriptor by which the directory was read.
    return undefined;
  }
}
