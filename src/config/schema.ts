/**
 * The configuration file as zod schemas: every key with its meaning, its default and what is legal. From here come the
 * checks, `sockeye.schema.json`, `sockeye.example.toml` and `docs/configuration.md`.
 *
 * Rules between keys stand in `rules.ts`, because zod stops at the first level that has a mistake and we want all of them.
 */

import { z } from "zod";
import { BUFFER_SIZE_DEFAULT, BUFFER_SIZE_MAX, BUFFER_SIZE_MIN } from "../ports/control.ts";
import {
  type AccessLogConfig,
  type AdminConfig,
  type BindConfig,
  type DestinationsConfig,
  type DnsConfig,
  LISTEN_MAX,
  type LimitsConfig,
  type LogConfig,
  type OutgoingConfig,
  type ProcessConfig,
  RANGES_MAX,
  type RelayConfig,
  type TimeoutsConfig,
  type UdpConfig,
  USERS_MAX,
  type UserConfig,
  WORKERS_MAX,
} from "./config.ts";
import { DNS } from "./dns-section.ts";
import { OUTGOING, USER_OUTGOING } from "./outgoing-section.ts";
import {
  ADDRESS,
  duration,
  FLAG,
  integer,
  list,
  oneOf,
  PORT,
  PORT_RANGE,
  rangeList,
  shortText,
  table,
} from "./values.ts";

const MIB = 1_048_576;

const PASSWORD = shortText("a password").describe(
  "The password in clear. Give the file mode 0600, or use password_hash.",
);
const HASH_WANTED = "an argon2id hash as `sockeye hash-password` prints it ($argon2id$v=19$…)";
const PASSWORD_HASH = z
  .string({ error: HASH_WANTED })
  .regex(/^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/, { error: HASH_WANTED })
  .describe("The password as an argon2id hash, as `sockeye hash-password` prints it.");

const ACCOUNT = {
  name: shortText("a name").meta({ description: "What the client sends as its user name.", examples: ["alice"] }),
  password: PASSWORD.optional(),
  password_hash: PASSWORD_HASH.optional(),
};
const USER_WANTED =
  "a user: NAME:PASSWORD on the command line, in the file a table with the keys name and password or password_hash";

interface RawAccount {
  readonly name: string;
  readonly password?: string | undefined;
  readonly password_hash?: string | undefined;
}

const hasOnePassword = (account: RawAccount): boolean =>
  (account.password === undefined) !== (account.password_hash === undefined);
const ONE_PASSWORD: Parameters<ReturnType<typeof table>["refine"]>[1] = {
  error: "exactly one of the keys password and password_hash",
  when: ({ value }) => typeof value === "object" && value !== null && !Array.isArray(value),
};

function credentialsOf({ name, password, password_hash }: RawAccount): UserConfig {
  return {
    name,
    secret:
      password_hash === undefined ? { kind: "plain", password: password ?? "" } : { kind: "hash", phc: password_hash },
  };
}

const ADMIN_USER: z.ZodType<UserConfig> = table(ACCOUNT, USER_WANTED)
  .refine(hasOnePassword, ONE_PASSWORD)
  .transform(credentialsOf);

const USER: z.ZodType<UserConfig> = table(
  {
    ...ACCOUNT,
    outgoing: USER_OUTGOING.optional().describe("How this user's connections leave, where it is not as in [outgoing]."),
  },
  USER_WANTED,
)
  .refine(hasOnePassword, ONE_PASSWORD)
  .transform(({ outgoing, ...account }) => ({
    ...credentialsOf(account),
    ...(outgoing === undefined ? {} : { outgoing }),
  }));

const LISTEN = z.union(
  [
    ADDRESS,
    table({
      address: ADDRESS.meta({ description: "The IP address to listen on.", examples: ["192.0.2.1"] }),
      port: PORT.optional().describe("The port for this address, in place of socks.port."),
      advertise: ADDRESS.optional().describe(
        "The IP address by which clients reach this listener from outside, where it stands behind NAT.",
      ),
    }),
  ],
  { error: "an IP address, or a table with the key address" },
);

/** `[socks]` as it was read; `load.ts` makes a `SocksConfig` of it, once it knows whether there are users. */
export interface SocksSection {
  readonly listen: readonly (
    | string
    | { readonly address: string; readonly port?: number | undefined; readonly advertise?: string | undefined }
  )[];
  readonly port: number;
  readonly auth?: "none" | "users" | undefined;
  readonly backlog: number;
  readonly ignore_reserved: boolean;
}

const SOCKS: z.ZodType<SocksSection> = table({
  listen: list(LISTEN, 1, LISTEN_MAX, "an array of addresses")
    .prefault(["127.0.0.1", "::1"])
    .describe(
      'IP addresses to listen on, each as text or as a table { address = "…", port = …, advertise = "…" }. An address other than loopback needs users, or auth = "none".',
    ),
  //= rfc1928#3/tcp-port
  port: PORT.prefault(1080).describe("The port to listen on; 0 takes a free one."),
  auth: oneOf("none", "users")
    .optional()
    .meta({
      description:
        'Who may use the proxy. "users": those of [[users]]. "none": anybody who can reach it. Unless it is said here, it is "users" as soon as there is one, and "none" only as long as every address is a loopback one.',
      examples: ["users"],
    }),
  backlog: integer(1, 65_535)
    .prefault(4096)
    .describe(
      "Connections that the system keeps waiting until they are accepted. Beyond it, the system drops the client's SYN, and the client tries again.",
    ),
  ignore_reserved: FLAG.prefault(false).describe(
    "Take requests whose reserved byte is not zero, for clients that do not follow RFC 1928.",
  ),
});

const RELAY: z.ZodType<RelayConfig> = table({
  buffer_size: integer(BUFFER_SIZE_MIN, BUFFER_SIZE_MAX)
    .prefault(BUFFER_SIZE_DEFAULT)
    .describe(
      "Bytes that one direction of a tunnel holds while its receiver is slow. At that amount the proxy stops reading from the sender. Can be changed while the proxy runs.",
    ),
  no_delay: FLAG.prefault(true).describe("Send small pieces at once (TCP_NODELAY)."),
  splice: oneOf("auto", "always", "off")
    .prefault("auto")
    .describe(
      'Which tunnels Linux moves by splice(2), past the memory of the proxy. "auto": those that move much. "always": all, from their first byte, which is for tests. "off": none, as on other systems. Read at the start only.',
    ),
  splice_pipes: integer(1, 16_384)
    .prefault(128)
    .describe(
      "Pipes of 1 MiB that splicing may have at once, one for each direction of a tunnel in which bytes are on the way; at most a 32nd of the descriptors. Each worker has its own. When there is no further one, tunnels are copied as without splicing. Read at the start only.",
    ),
  sockets: oneOf("auto", "bun")
    .prefault("auto")
    .describe(
      'Whose sockets serve clients. "auto": our own on Linux, where they cost less, and Bun\'s elsewhere. "bun": Bun\'s; then nothing is spliced. Read at the start only.',
    ),
  keep_alive: duration("never")
    .prefault("1m")
    .describe("How long a TCP connection may be silent before the system asks whether its other end still lives."),
}).transform((section) => ({
  bufferSize: section.buffer_size,
  noDelay: section.no_delay,
  splice: section.splice,
  splicePipes: section.splice_pipes,
  sockets: section.sockets,
  keepAliveMs: section.keep_alive,
}));

/** RFC 1928 section 6: the connection is closed no more than 10 seconds after a failure was detected. */
const REPLY_CLOSE_MS_MAX = 10_000;

const TIMEOUTS: z.ZodType<TimeoutsConfig> = table({
  handshake: duration("no limit")
    .prefault("10s")
    .describe("The whole SOCKS handshake, from the accept to the complete request. Then the client is disconnected."),
  connect: duration("no limit")
    .prefault("15s")
    .describe(
      "Looking up the name and connecting, over all of its addresses. Then the client gets reply 6 (TTL expired).",
    ),
  idle: duration("no limit")
    .prefault("2h5m")
    .describe("A tunnel on which no byte moves in either direction. Then both of its connections are closed."),
  half_closed: duration("no limit")
    .prefault("10m")
    .describe(
      "A tunnel one side of which has ended and on which no byte moves. Then both of its connections are closed.",
    ),
  drain: duration("no limit")
    .prefault("30s")
    .describe("How long a stop (SIGTERM, SIGINT) waits for open tunnels. Then they are closed."),
  reply_close: duration(undefined, REPLY_CLOSE_MS_MAX)
    .prefault("5s")
    .describe("How long a client may take to close after a reply that refused it. Then it is disconnected."),
}).transform((section) => ({
  handshakeMs: section.handshake,
  connectMs: section.connect,
  idleMs: section.idle,
  halfClosedMs: section.half_closed,
  drainMs: section.drain,
  replyCloseMs: section.reply_close,
}));

const LIMITS: z.ZodType<LimitsConfig> = table({
  connections: integer(0, 10_000_000)
    .prefault(0)
    .describe(
      "Clients connected at once; 0: as many as the process may have descriptors for. Further clients are disconnected at once, and counted.",
    ),
  connections_per_address: integer(0, 10_000_000)
    .prefault(16_384)
    .describe(
      "Clients connected at once from one address; 0: no limit. Further ones are disconnected at once, and counted.",
    ),
  handshakes_per_address: integer(0, 10_000_000)
    .prefault(4096)
    .describe(
      "Handshakes in progress at once from one address; 0: no limit. Further ones are disconnected at once, and counted.",
    ),
  hash_checks: integer(1, 1024)
    .prefault(4)
    .describe("Password hashes computed at once, each on a thread of its own. Further ones wait (hash_queue)."),
  hash_queue: integer(0, 1_000_000)
    .prefault(256)
    .describe(
      "Password checks that wait for a turn. Further clients are refused as with a wrong password, and counted.",
    ),
}).transform((section) => ({
  connections: section.connections,
  connectionsPerAddress: section.connections_per_address,
  handshakesPerAddress: section.handshakes_per_address,
  hashChecks: section.hash_checks,
  hashQueue: section.hash_queue,
}));

const DESTINATIONS: z.ZodType<DestinationsConfig> = table({
  deny: rangeList(RANGES_MAX)
    .prefault([])
    .describe(
      "Where nobody may connect to: addresses (192.0.2.7), ranges (10.0.0.0/8), or the names loopback, unspecified, link-local, private, multicast, any. Names are judged by the addresses that they stand for. The client gets reply 2 (not allowed).",
    ),
  deny_from_remote: rangeList(RANGES_MAX)
    .prefault(["loopback", "unspecified", "link-local", "multicast"])
    .describe("Where clients that do not come from loopback may not connect to. As deny."),
  allow: rangeList(RANGES_MAX).prefault([]).describe("Exceptions from both lists. As deny."),
}).transform((section) => ({
  deny: section.deny,
  denyFromRemote: section.deny_from_remote,
  allow: section.allow,
}));

/** How many of something there may be; 0 is no limit. */
const COUNT = integer(0, 10_000_000);

const UDP: z.ZodType<UdpConfig> = table({
  access: oneOf("all", "users", "none")
    .prefault("all")
    .describe(
      'Who may use UDP ASSOCIATE: "all" who may use the proxy; "users": those who have authenticated, others get reply 2 (not allowed); "none": everybody gets reply 7 (command not supported).',
    ),
  ports: PORT_RANGE.prefault("any").describe(
    'UDP ports that clients send their datagrams to, such as "40000-40999". Each association takes one; when all are taken, further ones get reply 1 (general failure). "any": a free one.',
  ),
  answers_from: oneOf("all", "contacted")
    .prefault("all")
    .describe(
      'Who may send to a client through its association: "all" (STUN and peer-to-peer programs need it), or "contacted": hosts that the client has sent to. Other datagrams are dropped.',
    ),
  idle: duration("no limit")
    .prefault("1h")
    .describe("An association without a datagram. Then it is ended, and the client's connection with it."),
  associations: COUNT.prefault(4096).describe(
    "Associations at once; 0: no limit. Further ones get reply 1 (general failure).",
  ),
  associations_per_address: COUNT.prefault(512).describe(
    "Associations at once from one address; 0: no limit. Further ones get reply 1 (general failure).",
  ),
  associations_per_user: COUNT.prefault(512).describe(
    "Associations at once of one user; 0: no limit. Further ones get reply 1 (general failure).",
  ),
  targets: integer(1, 1_000_000)
    .prefault(1024)
    .describe(
      "Destinations, and hosts that answer, that one association remembers. Beyond it, the oldest is forgotten and looked up anew when it is needed again.",
    ),
  queue_bytes: integer(0, 64 * MIB)
    .prefault(131_072)
    .describe(
      "Bytes of datagrams that one association keeps while names are looked up, 128 bytes more counted for each. Further datagrams for such names are dropped.",
    ),
  lookups: integer(1, 65_536)
    .prefault(64)
    .describe("Names that are looked up at once for one association. Datagrams for further names are dropped."),
  receive_buffer: integer(4096, 64 * MIB)
    .prefault(MIB)
    .describe(
      "Bytes that the system may keep for each UDP socket while the proxy is busy. The system's own limit (net.core.rmem_max) holds, too. Further datagrams are lost.",
    ),
}).transform((section) => ({
  access: section.access,
  ports: section.ports,
  answersFrom: section.answers_from,
  idleMs: section.idle,
  limits: {
    total: section.associations,
    perAddress: section.associations_per_address,
    perUser: section.associations_per_user,
  },
  targets: section.targets,
  queueBytes: section.queue_bytes,
  lookups: section.lookups,
  receiveBufferSize: section.receive_buffer,
}));

const BIND: z.ZodType<BindConfig> = table({
  access: oneOf("all", "users", "none")
    .prefault("users")
    .describe(
      'Who may use BIND: "all" who may use the proxy; "users": those who have authenticated, others get reply 2 (not allowed); "none": everybody gets reply 7 (command not supported).',
    ),
  ports: PORT_RANGE.prefault("any").describe(
    'TCP ports to listen on for the expected host, such as "41000-41099". When all are taken, the client gets reply 1 (general failure). "any": a free one.',
  ),
  wait: duration("no limit")
    .prefault("2m")
    .describe("How long the expected host may take to connect. Then the client gets reply 6 (TTL expired)."),
  listeners: COUNT.prefault(1024).describe(
    "Hosts waited for at once; 0: no limit. Further requests get reply 1 (general failure).",
  ),
  listeners_per_address: COUNT.prefault(64).describe(
    "Hosts waited for at once for clients from one address; 0: no limit. Further requests get reply 1 (general failure).",
  ),
  listeners_per_user: COUNT.prefault(64).describe(
    "Hosts waited for at once for one user; 0: no limit. Further requests get reply 1 (general failure).",
  ),
}).transform((section) => ({
  access: section.access,
  ports: section.ports,
  waitMs: section.wait,
  limits: {
    total: section.listeners,
    perAddress: section.listeners_per_address,
    perUser: section.listeners_per_user,
  },
}));

const PATH_WANTED = 'a path, "-" for stdout, or "off"';
const ACCESS_LOG: z.ZodType<AccessLogConfig> = table({
  path: z
    .string({ error: PATH_WANTED })
    .min(1, { error: PATH_WANTED })
    .prefault("-")
    .describe('Where the access log goes: a file, "-" for stdout, "off" for nowhere. SIGHUP reopens the file.'),
  queue_bytes: integer(65_536, 1024 * MIB)
    .prefault(16 * MIB)
    .describe(
      "Bytes of lines kept while the file or its reader is slow. Further lines are dropped and counted; the proxy itself never waits.",
    ),
}).transform((section) => ({ path: section.path, queueBytes: section.queue_bytes }));

const LOG: z.ZodType<LogConfig> = table({
  level: oneOf("debug", "info", "warn", "error")
    .prefault("info")
    .describe("The least important diagnostics that are written to stderr."),
  format: oneOf("auto", "json", "text")
    .prefault("auto")
    .describe('How diagnostics are written; "auto" is text on a terminal and JSON elsewhere.'),
});

const ADMIN: z.ZodType<AdminConfig> = table({
  listen: list(ADDRESS, 1, LISTEN_MAX, "an array of addresses")
    .prefault(["127.0.0.1", "::1"])
    .describe("IP addresses on which the admin protocol is served."),
  port: PORT.prefault(8080).describe("The SCTP port of the admin protocol; 0 takes a free one."),
  transport: oneOf("auto", "kernel", "udp")
    .prefault("auto")
    .describe(
      '"kernel": the SCTP of the operating system. "udp": SCTP in UDP (RFC 6951). "auto": the kernel\'s where it has one.',
    ),
  udp_port: PORT.prefault(9899).describe("The UDP port of SCTP in UDP; 0 takes a free one."),
  user: ADMIN_USER.optional().describe(
    "The administrator. Without one, a password is generated and kept in the state directory.",
  ),
  idle: duration("no limit")
    .prefault("15s")
    .describe("How long a login, and then a request, may take as a whole. Then the association is closed."),
  associations: integer(1, 65_536)
    .prefault(512)
    .describe(
      "Associations at once. A further one takes the place of the oldest that has not logged in; where all have, it is refused.",
    ),
  associations_per_address: integer(1, 65_536)
    .prefault(256)
    .describe("Associations at once with one address. Further ones as above, among those of that address."),
  unauthenticated: integer(1, 65_536)
    .prefault(256)
    .describe("Associations at once that have not logged in. A further one takes the place of the oldest."),
  failures_per_minute: integer(1, 60_000)
    .prefault(20)
    .describe(
      "Failed logins of one address (of one /64 with IPv6): as many at once, and as many a minute in the long run. Beyond them every login from there is refused unheard.",
    ),
  failure_addresses: integer(1, 1_000_000)
    .prefault(4096)
    .describe("Addresses whose failed logins are remembered. Beyond them the one seen least recently is forgotten."),
}).transform((section) => ({
  listen: section.listen,
  port: section.port,
  transport: section.transport,
  udpPort: section.udp_port,
  user: section.user,
  limits: {
    associations: section.associations,
    associationsPerAddress: section.associations_per_address,
    unauthenticated: section.unauthenticated,
    idleMs: section.idle,
    failuresPerMinute: section.failures_per_minute,
    failureAddresses: section.failure_addresses,
  },
}));

const WORKERS_WANTED = `an integer from 1 to ${WORKERS_MAX}, or "auto"`;
const PROCESS: z.ZodType<ProcessConfig> = table({
  workers: z
    .union([integer(1, WORKERS_MAX), z.literal("auto")], { error: WORKERS_WANTED })
    .prefault(1)
    .describe(
      'Processes that share the SOCKS ports; "auto" is one for each core. Limits, counters, the access log and the administrator are one for all. Linux only; elsewhere there is one. A change takes a restart.',
    ),
});

/** What the schema makes of a file: a `Config`, but for what depends on several sections at once. */
export interface Sections {
  readonly socks: SocksSection;
  readonly users: readonly UserConfig[];
  readonly relay: RelayConfig;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  readonly destinations: DestinationsConfig;
  readonly udp: UdpConfig;
  readonly bind: BindConfig;
  readonly dns: DnsConfig;
  readonly outgoing: OutgoingConfig;
  readonly access_log: AccessLogConfig;
  readonly log: LogConfig;
  readonly admin: AdminConfig;
  readonly process: ProcessConfig;
}

/** The whole file. */
export const SCHEMA: z.ZodType<Sections> = table({
  socks: SOCKS.prefault({}).describe("The SOCKS5 listeners."),
  users: list(USER, 0, USERS_MAX, "an array of tables")
    .prefault([])
    .describe("The users of the proxy (RFC 1929), one [[users]] each. With any, nobody gets in without a password."),
  relay: RELAY.prefault({}).describe("The tunnels."),
  timeouts: TIMEOUTS.prefault({}).describe(
    'Time limits, as text such as "500ms", "30s" or "2h5m". 0 turns one off, except reply_close.',
  ),
  limits: LIMITS.prefault({}).describe("What clients can make the proxy hold."),
  destinations: DESTINATIONS.prefault({}).describe("Where clients may connect to, and where their datagrams may go."),
  udp: UDP.prefault({}).describe("UDP ASSOCIATE: datagrams through the proxy."),
  bind: BIND.prefault({}).describe("BIND: one connection from outside to a client, as active FTP needs it."),
  dns: DNS.prefault({}).describe("How names become addresses. See docs/dns.md."),
  outgoing: OUTGOING.prefault({}).describe("How connections leave the machine."),
  access_log: ACCESS_LOG.prefault({}).describe("One line of JSON for each finished request."),
  log: LOG.prefault({}).describe("Diagnostics, on stderr."),
  admin: ADMIN.prefault({}).describe("The admin protocol over SCTP."),
  process: PROCESS.prefault({}).describe("How the program runs."),
});
