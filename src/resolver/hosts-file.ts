/** The hosts file (hosts(5)): addresses by name, read again when the file has changed. */

import { readFileSync, statSync } from "node:fs";
import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { judgeHostName } from "../protocol/dns/host-name.ts";

/** A larger file is refused as a whole; block lists belong into a resolver. */
export const HOSTS_BYTES_MAX = 4_194_304;
/** How often we look whether the file has changed, at most. */
const CHECK_INTERVAL_MS = 1000;

export type HostsTable = ReadonlyMap<string, readonly string[]>;

/**
 * Reads hosts(5) text: an address and its names on each line, `#` begins a comment. Lines without an address or without
 * a host name are passed over.
 *
 * @returns Addresses in the order of the lines, each once, by name in lower case. BOUNDED by HOSTS_BYTES_MAX.
 */
export function parseHosts(text: string): HostsTable {
  const table = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [addressText, ...names] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/);
    const ip = parseIp(addressText ?? "");
    if (ip === undefined) continue;
    const address = formatIp(ip);
    for (const text of names) {
      const judged = judgeHostName(text);
      if (judged.kind === "invalid") continue;
      const known = table.get(judged.name);
      if (known === undefined) table.set(judged.name, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return table;
}

/** Follows one hosts file. A file that is not there has no entries. */
export class HostsFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #table: HostsTable = new Map();
  /** What the file looked like when it was read. */
  #stamp = "";
  #nextCheckMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, clock: Clock, log: Log) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
  }

  /** The addresses of `name`, which is in the form of `judgeHostName`; none when the file does not know it. */
  addressesOf(name: string): readonly string[] {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#nextCheckMs) {
      this.#nextCheckMs = nowMs + CHECK_INTERVAL_MS;
      this.#follow();
    }
    return this.#table.get(name) ?? [];
  }

  #follow(): void {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    const stamp = stat === undefined ? "absent" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#table = stat === undefined ? new Map() : this.#read(stat.size);
  }

  #read(size: number): HostsTable {
    if (size > HOSTS_BYTES_MAX) {
      this.#log.warn(`the hosts file is too long and is not used`, {
        path: this.#path,
        size,
        sizeMax: HOSTS_BYTES_MAX,
      });
      return new Map();
    }
    try {
      return parseHosts(readFileSync(this.#path, "utf8"));
    } catch (error) {
      this.#log.warn("the hosts file cannot be read", { path: this.#path, error: String(error) });
      return new Map();
    }
  }
}
