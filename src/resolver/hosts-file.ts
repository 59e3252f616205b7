/** The hosts file (hosts(5)): addresses by name, read again when the file has changed. */

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { judgeHostName } from "../protocol/dns/host-name.ts";

/** A longer file is refused as a whole; block lists belong into a resolver. */
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

/**
 * Follows one hosts file. One that is not there, cannot be read, or is no regular file has no entries; but for the first of
 * these, the log says so once.
 */
export class HostsFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #table: HostsTable = new Map();
  /** What the file looked like when it was read, or why it could not be looked at. */
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

  /** Whatever stands at the path, it is judged once, and again only when it looks different. */
  #follow(): void {
    const found = this.#look();
    if (found.stamp === this.#stamp) return;
    this.#stamp = found.stamp;
    const fault = found.fault ?? this.#read();
    if (fault === undefined) return;
    this.#table = new Map();
    if (fault !== "ENOENT") this.#log.warn("the hosts file is not used", { path: this.#path, reason: fault });
  }

  /** What the path looks like, and why there is nothing to read; opens nothing, for to open a device may do things. */
  #look(): { readonly stamp: string; readonly fault?: string } {
    try {
      const stat = statSync(this.#path);
      const stamp = `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
      return stat.isFile() ? { stamp } : { stamp, fault: NO_FILE };
    } catch (error) {
      const fault = reasonOf(error);
      return { stamp: fault, fault };
    }
  }

  /** Takes the file's entries in, or says why not. */
  #read(): string | undefined {
    let fd: number | undefined;
    try {
      // What stands there may have changed since we looked; a FIFO would hold up the whole process until somebody writes.
      fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      if (!fstatSync(fd).isFile()) return NO_FILE;
      const bytes = readAtMost(fd, HOSTS_BYTES_MAX + 1);
      if (bytes.length > HOSTS_BYTES_MAX) return `it is longer than ${HOSTS_BYTES_MAX} bytes`;
      this.#table = parseHosts(bytes.toString("utf8"));
      return undefined;
    } catch (error) {
      return reasonOf(error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

const NO_FILE = "it is no regular file";
const CHUNK_BYTES = 65_536;

/** The file from its beginning, by what it holds and not by what it says that it holds. */
function readAtMost(fd: number, bytesMax: number): Buffer {
  const chunks: Buffer[] = [];
  for (let size = 0; size < bytesMax; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytesMax - size));
    const count = readSync(fd, chunk);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    size += count;
  }
  return Buffer.concat(chunks);
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
