/** The lines that a child process has written so far, and waiting for one that is still to come. */

import { within } from "./deadline.ts";

type Waiter = {
  readonly matches: (line: string) => boolean;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
};

/** Enough to see what went wrong, few enough to be read. */
const SHOWN_LINES_MAX = 30;

export class LineLog {
  /** Complete lines without their newline, in order. UNBOUNDED: a test's output. */
  readonly lines: string[] = [];
  readonly #name: string;
  readonly #waiters = new Set<Waiter>();
  #ended = false;

  /** @param name - What is shown in an error, such as "stderr of the proxy". */
  constructor(name: string) {
    this.#name = name;
  }

  /** Reads `stream` to its end; a last line without a newline counts as a line. */
  async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) this.#add(line);
    }
    if (rest !== "") this.#add(rest);
    this.#ended = true;
    for (const waiter of this.#waiters) waiter.reject(new Error(`${this.#name} ended; it said:\n${this.#tail()}`));
  }

  /** The first line from index `from` on that `matches`, now or later. */
  async waitFor(matches: (line: string) => boolean, limitMs = 10_000, from = 0): Promise<string> {
    for (const line of this.lines.slice(from)) if (matches(line)) return line;
    if (this.#ended) throw new Error(`${this.#name} has no such line; it said:\n${this.#tail()}`);
    let waiter: Waiter | undefined;
    const found = new Promise<string>((resolve, reject) => {
      waiter = { matches, resolve, reject };
      this.#waiters.add(waiter);
    });
    try {
      return await within(found, limitMs, `a line on ${this.#name}`);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; it said:\n${this.#tail()}`, { cause: error });
    } finally {
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  /** Everything so far. */
  text(): string {
    return this.lines.join("\n");
  }

  /** The lines that are JSON objects, parsed. */
  objects(): Record<string, unknown>[] {
    return this.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The last lines: what an error shows. */
  #tail(): string {
    return this.lines.slice(-SHOWN_LINES_MAX).join("\n");
  }

  #add(line: string): void {
    this.lines.push(line);
    for (const waiter of this.#waiters) if (waiter.matches(line)) waiter.resolve(line);
  }
}
