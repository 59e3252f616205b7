/** The section `[dns]`: how names become addresses. */

import { isIP } from "node:net";
import { z } from "zod";
import { type DnsConfig, type DnsServerConfig, DOH_SERVER_ADDRESSES_MAX, DOH_SERVERS_MAX } from "./config.ts";
import { ADDRESS, duration, integer, list, oneOf, table } from "./values.ts";

const URL_WANTED =
  'a URL with http:// or https://, without a user and without a fragment (#), such as "https://dns.example/dns-query"; {?dns} may stand at its end';

/** A URL of RFC 8484, or its template. */
const DOH_URL: z.ZodType<string, string> = z
  .string({ error: URL_WANTED })
  .max(2048, { error: URL_WANTED })
  .refine(isDohUrl, { error: URL_WANTED });

function isDohUrl(text: string): boolean {
  const plain = withoutVariable(text);
  const url = URL.parse(plain);
  // The parser passes over an empty fragment and over white space at the end; what is put there later would not stand where
  // it should.
  if (url === null || /[{#\s]/.test(plain)) return false;
  return (isHttp(url) || url.protocol === "https:") && url.username === "" && url.password === "";
}

/** The URL of a template of RFC 8484. */
const withoutVariable = (text: string): string => text.replace(/\{[?&]dns\}$/, "");
const isHttp = (url: URL): boolean => url.protocol === "http:";
const isLiteral = (url: URL): boolean => isIP(url.hostname.replace(/^\[(.*)\]$/, "$1")) !== 0;

const PATH_WANTED = "a path";

const SERVER: z.ZodType<DnsServerConfig> = z
  .union(
    [
      DOH_URL,
      table({
        url: DOH_URL.meta({
          description: "The server's URL, or the URI template of RFC 8484 with {?dns} at its end.",
          examples: ["https://dns.example/dns-query"],
        }),
        addresses: list(ADDRESS, 1, DOH_SERVER_ADDRESSES_MAX, "an array of IP addresses")
          .optional()
          .describe(
            "The server's IP addresses. Without them, a name in the URL is asked of the system's resolver, and of nobody else.",
          ),
        ca_file: z
          .string({ error: PATH_WANTED })
          .min(1, { error: PATH_WANTED })
          .optional()
          .describe("A PEM file with the certificates to trust for this server, in place of the system's."),
        http: oneOf("auto", "1.1", "2")
          .optional()
          .describe('The version of HTTP; "auto" asks an https:// server for HTTP/2 first. http:// is always 1.1.'),
      }).superRefine((server, context) => {
        for (const { key, wanted } of meaningless(server)) {
          context.addIssue({ code: "custom", path: [key], message: wanted });
        }
      }),
    ],
    { error: "a URL, or a table with the key url" },
  )
  .transform((entry) => {
    const { url, addresses, ca_file, http } =
      typeof entry === "string" ? { url: entry, addresses: [], ca_file: undefined, http: undefined } : entry;
    return { url, addresses: addresses ?? [], caFile: ca_file, httpVersion: http ?? "auto" };
  });

/** What is said beside a URL to which it means nothing: whoever wrote it relies on it. */
function meaningless(server: {
  readonly url: string;
  readonly addresses?: unknown;
  readonly ca_file?: unknown;
  readonly http?: unknown;
}): { readonly key: string; readonly wanted: string }[] {
  const url = URL.parse(withoutVariable(server.url));
  if (url === null) return [];
  const mistakes: { readonly key: string; readonly wanted: string }[] = [];
  if (server.addresses !== undefined && isLiteral(url)) {
    mistakes.push({ key: "addresses", wanted: "no addresses beside a url that holds an IP address itself" });
  }
  if (server.ca_file !== undefined && isHttp(url)) {
    mistakes.push({ key: "ca_file", wanted: "no ca_file beside an http:// url, which has no certificate" });
  }
  if (server.http === "2" && isHttp(url)) {
    mistakes.push({ key: "http", wanted: '"auto" or "1.1" beside an http:// url' });
  }
  return mistakes;
}

const HOSTS_WANTED = 'a path, or "off"';

export const DNS: z.ZodType<DnsConfig> = table({
  servers: list(SERVER, 0, DOH_SERVERS_MAX, "an array of servers")
    .prefault([])
    .describe(
      "Servers for DNS over HTTP(S) (RFC 8484), each a URL or a table { url = …, addresses = […], ca_file = …, http = … }, in the order in which they are asked; one that fails is asked last for a while. Without any, the system's resolver is used.",
    ),
  method: oneOf("post", "get")
    .prefault("post")
    .describe('How queries are sent; "get" lets HTTP caches between us and the server help.'),
  fallback: oneOf("none", "system")
    .prefault("none")
    .describe(
      'What is done when all servers fail. "none": the request fails, and nothing is ever asked of the system\'s resolver. "system": it is asked, in the clear as a rule.',
    ),
  hosts_file: z
    .string({ error: HOSTS_WANTED })
    .min(1, { error: HOSTS_WANTED })
    .prefault("/etc/hosts")
    .describe(
      'The hosts file that comes before the servers, read again when it has changed; "off" for none. One of more than 4 MiB, one that cannot be read and what is no regular file are not used, and the log says so. Without servers, the system\'s resolver reads its own.',
    ),
  query_timeout: duration()
    .prefault("2500ms")
    .describe(
      "How long a server may take for one query, or less where `timeout` has to leave time for other servers. Then the next server is asked.",
    ),
  timeout: duration()
    .prefault("8s")
    .describe("How long looking up a name may take, over all servers and by the system. Then the request fails."),
  cache_entries: integer(0, 10_000_000)
    .prefault(16_384)
    .describe(
      "Answers of the servers that are kept as long as they hold, one for each name and family. Beyond it, the least recently used one is forgotten.",
    ),
  cache_bytes: integer(0, 1_073_741_824).prefault(8_388_608).describe("The same as an estimate of their bytes."),
  serve_stale: duration("never")
    .prefault("1d")
    .describe("How long an answer may still be given after its time when all servers fail (RFC 8767)."),
  system_lookups: integer(1, 1024)
    .prefault(32)
    .describe("Names that the system's resolver looks up at once, each on a thread of its own. Further ones wait."),
  system_queue: integer(0, 1_000_000)
    .prefault(1024)
    .describe("Names that wait for the system's resolver. Further requests fail at once."),
}).transform((section) => ({
  servers: section.servers,
  method: section.method,
  fallback: section.fallback,
  hostsFile: section.hosts_file,
  queryTimeoutMs: section.query_timeout,
  timeoutMs: section.timeout,
  cacheEntries: section.cache_entries,
  cacheBytes: section.cache_bytes,
  serveStaleMs: section.serve_stale,
  systemLookups: section.system_lookups,
  systemQueue: section.system_queue,
}));
