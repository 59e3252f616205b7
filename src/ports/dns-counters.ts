/** What the resolver counts since the start; whoever shows metrics reads them here. */
export interface DnsCounters {
  /** Questions (a name and a type) answered from the cache, within their TTL. */
  cacheHits: number;
  /** Of those, the ones whose answer was that there is nothing, or that nobody could say. */
  cacheNegativeHits: number;
  /** Questions that the cache had no fresh answer to. */
  cacheMisses: number;
  /** Answers given after their TTL, since no server gave a new one (RFC 8767). */
  cacheStale: number;
  /** Entries thrown out to keep the cache within its limits. */
  cacheEvictions: number;
  /** Entries and their estimated bytes, now. */
  cacheEntries: number;
  cacheBytes: number;
  /** Questions that waited for an equal one that was being asked already. */
  coalesced: number;
  /** Queries sent to DNS-over-HTTP servers, and those that brought no answer. */
  queries: number;
  queryFailures: number;
}

export function zeroDnsCounters(): DnsCounters {
  return {
    cacheHits: 0,
    cacheNegativeHits: 0,
    cacheMisses: 0,
    cacheStale: 0,
    cacheEvictions: 0,
    cacheEntries: 0,
    cacheBytes: 0,
    coalesced: 0,
    queries: 0,
    queryFailures: 0,
  };
}
