/** From the configuration to the resolver of the proxy. */

import { readFileSync } from "node:fs";
import type { DnsConfig, DnsServerConfig, OutgoingConfig, UserConfig } from "../config/config.ts";
import { FetchHttpClient } from "../net/doh-http.ts";
import type { Clock } from "../ports/clock.ts";
import type { DnsCounters } from "../ports/dns-counters.ts";
import type { HttpClient } from "../ports/http-client.ts";
import type { Log } from "../ports/log.ts";
import { allowsFamily, type IpFamily } from "../protocol/dial/family.ts";
import { MESSAGE_BYTES_MAX } from "../protocol/dns/constants.ts";
import { urlOfTemplate } from "../protocol/dns/doh.ts";
import { CachingSource } from "../resolver/caching-source.ts";
import { DnsCache } from "../resolver/dns-cache.ts";
import { DohServer } from "../resolver/doh-server.ts";
import { DohSource } from "../resolver/doh-source.ts";
import { HostsFile } from "../resolver/hosts-file.ts";
import { NameResolver } from "../resolver/name-resolver.ts";
import { SystemResolver } from "../resolver/system-resolver.ts";

/** A resolver, and what is to be closed when another one takes its place, which counts in its stead. */
export interface NameResolution {
  readonly resolver: NameResolver;
  /** All that it was made of. */
  readonly key: string;
  close(): void;
}

export interface NameResolutionPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sort: (addresses: readonly string[]) => readonly string[];
  readonly counters: DnsCounters;
}

/** A certificate file that cannot be used. */
export class CertificateError extends Error {
  override readonly name: string = "CertificateError";
}

/**
 * Makes the resolver that the configuration describes.
 *
 * @param families - The families that anybody may connect to.
 * @param current - The one in use; when nothing would be different, it is returned, and its cache with it.
 * @throws {CertificateError}
 */
export function openNameResolution(
  config: DnsConfig,
  families: readonly IpFamily[],
  { clock, log, sort, counters }: NameResolutionPorts,
  current?: NameResolution,
): NameResolution {
  const certificates = config.servers.map(readCertificates);
  const key = JSON.stringify([config, families, certificates]);
  if (current?.key === key) return current;
  Object.assign(counters, { cacheEntries: 0, cacheBytes: 0 });
  const system = new SystemResolver(clock, {
    timeoutMs: config.timeoutMs,
    concurrentMax: config.systemLookups,
    waitingMax: config.systemQueue,
  });
  if (config.servers.length === 0) {
    const { timeoutMs } = config;
    const resolver = new NameResolver({
      clock,
      source: undefined,
      hosts: undefined,
      system,
      timeoutMs,
      families,
      sort,
    });
    return { resolver, key, close: () => undefined };
  }
  const clients: HttpClient[] = [];
  const servers = config.servers.map((server, index) => {
    const http = new FetchHttpClient({
      origin: urlOfTemplate(server.url),
      ca: certificates[index],
      version: server.httpVersion,
      bodyBytesMax: MESSAGE_BYTES_MAX,
    });
    clients.push(http);
    const options = { template: server.url, method: config.method, addresses: server.addresses };
    return new DohServer(options, http, system, clock);
  });
  const timeouts = { queryMs: config.queryTimeoutMs, resolutionMs: serversTimeMs(config) };
  const limits = {
    entriesMax: config.cacheEntries,
    bytesMax: config.cacheBytes,
    staleS: Math.ceil(config.serveStaleMs / 1000),
  };
  const doh = new DohSource(servers, timeouts, clock, counters);
  const cache = new DnsCache(limits, counters);
  const resolver = new NameResolver({
    clock,
    source: new CachingSource(doh, cache, clock, counters),
    hosts: config.hostsFile === "off" ? undefined : new HostsFile(config.hostsFile, clock, log),
    system: config.fallback === "system" ? system : undefined,
    timeoutMs: config.timeoutMs,
    families,
    sort,
  });
  const close = () => {
    cache.retire();
    for (const client of clients) client.close();
  };
  return { resolver, key, close };
}

/** What the servers have of `timeout`: a system's resolver that may stand in is left as long as a query, or half of it. */
export function serversTimeMs({ fallback, timeoutMs, queryTimeoutMs }: DnsConfig): number {
  return fallback === "system" ? timeoutMs - Math.min(queryTimeoutMs, timeoutMs / 2) : timeoutMs;
}

/** The families that anybody may connect to, AAAA first (RFC 8305 §3). */
export function familiesOf(outgoing: OutgoingConfig, users: readonly UserConfig[]): IpFamily[] {
  const common = outgoing.way.family ?? "auto";
  const policies = [common, ...users.map((user) => user.outgoing?.family ?? common)];
  return ([6, 4] as const).filter((family) => policies.some((policy) => allowsFamily(policy, family)));
}

function readCertificates({ caFile, url }: DnsServerConfig): string | undefined {
  if (caFile === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(caFile, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CertificateError(`cannot read ca_file of the DNS server ${url}: ${reason}`, { cause: error });
  }
  // Bun takes a text without certificates for none, and would trust the system's.
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CertificateError(`ca_file of the DNS server ${url}, ${caFile}, holds no certificate in PEM`);
  }
  return text;
}
