import type { SocketOwner, Stream } from "../../src/ports/socket.ts";
import { within } from "./deadline.ts";

const LIMIT_MS = 5000;

/** Keeps everything that a socket says, in order, the bytes of one stretch together: `data hello`, `end`, `close EPIPE`. */
export class Recorder implements SocketOwner {
  stream!: Stream;
  /** BOUNDED by what the test lets happen. */
  readonly heard: string[] = [];
  bytes = 0;
  /** What is to happen inside of a handler, after it has been noted. */
  onEvent: (event: string) => void = () => undefined;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  handleData(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    const text = chunk.length > 64 ? `${chunk.length} bytes` : Buffer.from(chunk).toString("latin1");
    const last = this.heard.at(-1);
    if (last?.startsWith("data ") && chunk.length <= 64) {
      this.heard.pop();
      this.#note(`${last}${text}`);
    } else this.#note(`data ${text}`);
  }

  handleDrain(): void {
    this.#note("drain");
  }

  handleEnd(): void {
    this.#note("end");
  }

  handleClose(code: string | undefined): void {
    this.#note(`close ${code ?? "without a code"}`);
  }

  get isClosed(): boolean {
    return this.heard.at(-1)?.startsWith("close") ?? false;
  }

  /** Waits until `condition` holds, looking after each event. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition())
      await within(this.#changed.promise, LIMIT_MS, `${what}, having heard ${this.heard.join(", ")}`);
  }

  closed(): Promise<void> {
    return this.until(() => this.isClosed, "the close");
  }

  #note(event: string): void {
    this.heard.push(event);
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
    this.onEvent(event);
  }
}
