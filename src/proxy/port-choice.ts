import type { PortRange } from "./context.ts";

/** How many ports of a large range are tried before we give up. Smaller ranges are tried whole. */
const TRIES_MAX = 512;

/** Takes ports of a range in turn, so that a port that was just given back rests for as long as possible. */
export class PortChoice {
  #next = 0;

  /**
   * Opens something on a port of the range; on any free one where there is no range.
   *
   * @param open - Tries one port (0: any); returns what it opened, or the name of the error number.
   * @returns What `open` did. "EADDRINUSE" when every port that was tried is taken; any other error ends the search.
   */
  open<Opened extends object>(range: PortRange | undefined, open: (port: number) => Opened | string): Opened | string {
    if (range === undefined) return open(0);
    const size = range.last - range.first + 1;
    for (let tries = Math.min(size, TRIES_MAX); tries > 0; tries--) {
      const opened = open(range.first + (this.#next++ % size));
      if (opened !== "EADDRINUSE") return opened;
    }
    return "EADDRINUSE";
  }
}
