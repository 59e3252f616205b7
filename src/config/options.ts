/** The keys of the configuration file as types, made by tools/gen-options.ts (npm run generate). */

/** One of {@link SocksOptions}, in its long form. */
export type SocksOptionsItem = {
  /** The IP address to listen on. */
  readonly address: string;
  /** The port for this address, in place of socks.port. */
  readonly port?: number;
  /** The IP address by which clients reach this listener from outside, where it stands behind NAT. */
  readonly advertise?: string;
};

/** The SOCKS5 listeners. */
export type SocksOptions = {
  /**
   * IP addresses to listen on, each as text or as a table { address = "…", port = …, advertise = "…" }. An address
   * other than loopback needs users, or auth = "none". Default: ["127.0.0.1","::1"].
   */
  readonly listen?: readonly (string | SocksOptionsItem)[];
  /** The port to listen on; 0 takes a free one. Default: 1080. */
  readonly port?: number;
  /**
   * Who may use the proxy. "users": those of [[users]]. "none": anybody who can reach it. Unless it is said here, it is
   * "users" as soon as there is one, and "none" only as long as every address is a loopback one.
   */
  readonly auth?: "none" | "users";
  /**
   * Connections that the system keeps waiting until they are accepted. Beyond it, the system drops the client's SYN,
   * and the client tries again. Default: 4096.
   */
  readonly backlog?: number;
  /** Take requests whose reserved byte is not zero, for clients that do not follow RFC 1928. Default: false. */
  readonly ignore_reserved?: boolean;
};

/** The users of the proxy (RFC 1929), one [[users]] each. With any, nobody gets in without a password. Default: []. */
export type UsersOptions = readonly {
  /** What the client sends as its user name. */
  readonly name: string;
  /** The password in clear. Give the file mode 0600, or use password_hash. */
  readonly password?: string;
  /** The password as an argon2id hash, as `sockeye hash-password` prints it. */
  readonly password_hash?: string;
  /** How this user's connections leave, where it is not as in [outgoing]. */
  readonly outgoing?: {
    /**
     * Which addresses of a name are tried, and which first. "auto": both families, in the order of RFC 6724. With
     * "…-only", the other family is neither asked for nor connected to.
     */
    readonly family?: "auto" | "prefer-ipv4" | "prefer-ipv6" | "ipv4-only" | "ipv6-only";
    /** Source addresses, at most one of each family. Without one, the system chooses. */
    readonly source?: readonly string[];
    /** The network interface that connections leave by (SO_BINDTODEVICE). Linux only. */
    readonly interface?: string;
    /** The firewall mark of outgoing packets (SO_MARK); needs CAP_NET_ADMIN. Linux only. */
    readonly mark?: number;
  };
}[];

/** The tunnels. */
export type RelayOptions = {
  /**
   * Bytes that one direction of a tunnel holds while its receiver is slow. At that amount the proxy stops reading from
   * the sender. Can be changed while the proxy runs. Default: 65536.
   */
  readonly buffer_size?: number;
  /** Send small pieces at once (TCP_NODELAY). Default: true. */
  readonly no_delay?: boolean;
  /**
   * Which tunnels Linux moves by splice(2), past the memory of the proxy. "auto": those that move much. "always": all,
   * from their first byte, which is for tests. "off": none, as on other systems. Read at the start only. Default:
   * "auto".
   */
  readonly splice?: "auto" | "always" | "off";
  /**
   * Pipes of 1 MiB that splicing may have at once, one for each direction of a tunnel in which bytes are on the way; at
   * most a 32nd of the descriptors. Each worker has its own. When there is no further one, tunnels are copied as
   * without splicing. Read at the start only. Default: 128.
   */
  readonly splice_pipes?: number;
  /**
   * Whose sockets serve clients. "auto": our own on Linux, where they cost less, and Bun's elsewhere. "bun": Bun's;
   * then nothing is spliced. Read at the start only. Default: "auto".
   */
  readonly sockets?: "auto" | "bun";
  /**
   * How long a TCP connection may be silent before the system asks whether its other end still lives. Default: "1m".
   */
  readonly keep_alive?: string | 0;
};

/** Time limits, as text such as "500ms", "30s" or "2h5m". 0 turns one off, except reply_close. */
export type TimeoutsOptions = {
  /**
   * The whole SOCKS handshake, from the accept to the complete request. Then the client is disconnected. Default:
   * "10s".
   */
  readonly handshake?: string | 0;
  /**
   * Looking up the name and connecting, over all of its addresses. Then the client gets reply 6 (TTL expired). Default:
   * "15s".
   */
  readonly connect?: string | 0;
  /** A tunnel on which no byte moves in either direction. Then both of its connections are closed. Default: "2h5m". */
  readonly idle?: string | 0;
  /**
   * A tunnel one side of which has ended and on which no byte moves. Then both of its connections are closed. Default:
   * "10m".
   */
  readonly half_closed?: string | 0;
  /** How long a stop (SIGTERM, SIGINT) waits for open tunnels. Then they are closed. Default: "30s". */
  readonly drain?: string | 0;
  /** How long a client may take to close after a reply that refused it. Then it is disconnected. Default: "5s". */
  readonly reply_close?: string;
};

/** What clients can make the proxy hold. */
export type LimitsOptions = {
  /**
   * Clients connected at once; 0: as many as the process may have descriptors for. Further clients are disconnected at
   * once, and counted. Default: 0.
   */
  readonly connections?: number;
  /**
   * Clients connected at once from one address; 0: no limit. Further ones are disconnected at once, and counted.
   * Default: 16384.
   */
  readonly connections_per_address?: number;
  /**
   * Handshakes in progress at once from one address; 0: no limit. Further ones are disconnected at once, and counted.
   * Default: 4096.
   */
  readonly handshakes_per_address?: number;
  /** Password hashes computed at once, each on a thread of its own. Further ones wait (hash_queue). Default: 4. */
  readonly hash_checks?: number;
  /**
   * Password checks that wait for a turn. Further clients are refused as with a wrong password, and counted. Default:
   * 256.
   */
  readonly hash_queue?: number;
};

/** Where clients may connect to, and where their datagrams may go. */
export type DestinationsOptions = {
  /**
   * Where nobody may connect to: addresses (192.0.2.7), ranges (10.0.0.0/8), or the names loopback, unspecified,
   * link-local, private, multicast, any. Names are judged by the addresses that they stand for. The client gets reply 2
   * (not allowed). Default: [].
   */
  readonly deny?: readonly string[];
  /**
   * Where clients that do not come from loopback may not connect to. As deny. Default:
   * ["loopback","unspecified","link-local","multicast"].
   */
  readonly deny_from_remote?: readonly string[];
  /** Exceptions from both lists. As deny. Default: []. */
  readonly allow?: readonly string[];
};

/** UDP ASSOCIATE: datagrams through the proxy. */
export type UdpOptions = {
  /**
   * Who may use UDP ASSOCIATE: "all" who may use the proxy; "users": those who have authenticated, others get reply 2
   * (not allowed); "none": everybody gets reply 7 (command not supported). Default: "all".
   */
  readonly access?: "all" | "users" | "none";
  /**
   * UDP ports that clients send their datagrams to, such as "40000-40999". Each association takes one; when all are
   * taken, further ones get reply 1 (general failure). "any": a free one. Default: "any".
   */
  readonly ports?: string;
  /**
   * Who may send to a client through its association: "all" (STUN and peer-to-peer programs need it), or "contacted":
   * hosts that the client has sent to. Other datagrams are dropped. Default: "all".
   */
  readonly answers_from?: "all" | "contacted";
  /** An association without a datagram. Then it is ended, and the client's connection with it. Default: "1h". */
  readonly idle?: string | 0;
  /** Associations at once; 0: no limit. Further ones get reply 1 (general failure). Default: 4096. */
  readonly associations?: number;
  /** Associations at once from one address; 0: no limit. Further ones get reply 1 (general failure). Default: 512. */
  readonly associations_per_address?: number;
  /** Associations at once of one user; 0: no limit. Further ones get reply 1 (general failure). Default: 512. */
  readonly associations_per_user?: number;
  /**
   * Destinations, and hosts that answer, that one association remembers. Beyond it, the oldest is forgotten and looked
   * up anew when it is needed again. Default: 1024.
   */
  readonly targets?: number;
  /**
   * Bytes of datagrams that one association keeps while names are looked up, 128 bytes more counted for each. Further
   * datagrams for such names are dropped. Default: 131072.
   */
  readonly queue_bytes?: number;
  /** Names that are looked up at once for one association. Datagrams for further names are dropped. Default: 64. */
  readonly lookups?: number;
  /**
   * Bytes that the system may keep for each UDP socket while the proxy is busy. The system's own limit
   * (net.core.rmem_max) holds, too. Further datagrams are lost. Default: 1048576.
   */
  readonly receive_buffer?: number;
};

/** BIND: one connection from outside to a client, as active FTP needs it. */
export type BindOptions = {
  /**
   * Who may use BIND: "all" who may use the proxy; "users": those who have authenticated, others get reply 2 (not
   * allowed); "none": everybody gets reply 7 (command not supported). Default: "users".
   */
  readonly access?: "all" | "users" | "none";
  /**
   * TCP ports to listen on for the expected host, such as "41000-41099". When all are taken, the client gets reply 1
   * (general failure). "any": a free one. Default: "any".
   */
  readonly ports?: string;
  /** How long the expected host may take to connect. Then the client gets reply 6 (TTL expired). Default: "2m". */
  readonly wait?: string | 0;
  /** Hosts waited for at once; 0: no limit. Further requests get reply 1 (general failure). Default: 1024. */
  readonly listeners?: number;
  /**
   * Hosts waited for at once for clients from one address; 0: no limit. Further requests get reply 1 (general failure).
   * Default: 64.
   */
  readonly listeners_per_address?: number;
  /**
   * Hosts waited for at once for one user; 0: no limit. Further requests get reply 1 (general failure). Default: 64.
   */
  readonly listeners_per_user?: number;
};

/** One of {@link DnsOptions}, in its long form. */
export type DnsOptionsItem = {
  /** The server's URL, or the URI template of RFC 8484 with {?dns} at its end. */
  readonly url: string;
  /**
   * The server's IP addresses. Without them, a name in the URL is asked of the system's resolver, and of nobody else.
   */
  readonly addresses?: readonly string[];
  /** A PEM file with the certificates to trust for this server, in place of the system's. */
  readonly ca_file?: string;
  /** The version of HTTP; "auto" asks an https:// server for HTTP/2 first. http:// is always 1.1. */
  readonly http?: "2" | "auto" | "1.1";
};

/** How names become addresses. See docs/dns.md. */
export type DnsOptions = {
  /**
   * Servers for DNS over HTTP(S) (RFC 8484), each a URL or a table { url = …, addresses = […], ca_file = …, http = … },
   * in the order in which they are asked; one that fails is asked last for a while. Without any, the system's resolver
   * is used. Default: [].
   */
  readonly servers?: readonly (string | DnsOptionsItem)[];
  /** How queries are sent; "get" lets HTTP caches between us and the server help. Default: "post". */
  readonly method?: "post" | "get";
  /**
   * What is done when all servers fail. "none": the request fails, and nothing is ever asked of the system's resolver.
   * "system": it is asked, in the clear as a rule. Default: "none".
   */
  readonly fallback?: "none" | "system";
  /**
   * The hosts file that comes before the servers, read again when it has changed; "off" for none. One of more than 4
   * MiB, one that cannot be read and what is no regular file are not used, and the log says so. Without servers, the
   * system's resolver reads its own. Default: "/etc/hosts".
   */
  readonly hosts_file?: string;
  /**
   * How long a server may take for one query, or less where `timeout` has to leave time for other servers. Then the
   * next server is asked. Default: "2500ms".
   */
  readonly query_timeout?: string;
  /** How long looking up a name may take, over all servers and by the system. Then the request fails. Default: "8s". */
  readonly timeout?: string;
  /**
   * Answers of the servers that are kept as long as they hold, one for each name and family. Beyond it, the least
   * recently used one is forgotten. Default: 16384.
   */
  readonly cache_entries?: number;
  /** The same as an estimate of their bytes. Default: 8388608. */
  readonly cache_bytes?: number;
  /** How long an answer may still be given after its time when all servers fail (RFC 8767). Default: "1d". */
  readonly serve_stale?: string | 0;
  /** Names that the system's resolver looks up at once, each on a thread of its own. Further ones wait. Default: 32. */
  readonly system_lookups?: number;
  /** Names that wait for the system's resolver. Further requests fail at once. Default: 1024. */
  readonly system_queue?: number;
};

/** How connections leave the machine. */
export type OutgoingOptions = {
  /**
   * Which addresses of a name are tried, and which first. "auto": both families, in the order of RFC 6724. With
   * "…-only", the other family is neither asked for nor connected to. Default: "auto".
   */
  readonly family?: "auto" | "prefer-ipv4" | "prefer-ipv6" | "ipv4-only" | "ipv6-only";
  /** Source addresses, at most one of each family. Without one, the system chooses. Default: []. */
  readonly source?: readonly string[];
  /** The network interface that connections leave by (SO_BINDTODEVICE). Linux only. */
  readonly interface?: string;
  /** The firewall mark of outgoing packets (SO_MARK); needs CAP_NET_ADMIN. Linux only. */
  readonly mark?: number;
  /** How long the first attempt waits for the other family's addresses (RFC 8305). Default: "50ms". */
  readonly resolution_delay?: string | 0;
  /**
   * How long an attempt to connect is left alone before the next address is tried beside it (RFC 8305). Default:
   * "250ms".
   */
  readonly attempt_delay?: string;
  /** Attempts for one request, over all addresses of a name. Further addresses are not tried. Default: 16. */
  readonly attempts?: number;
};

/** One line of JSON for each finished request. */
export type AccessLogOptions = {
  /** Where the access log goes: a file, "-" for stdout, "off" for nowhere. SIGHUP reopens the file. Default: "-". */
  readonly path?: string;
  /**
   * Bytes of lines kept while the file or its reader is slow. Further lines are dropped and counted; the proxy itself
   * never waits. Default: 16777216.
   */
  readonly queue_bytes?: number;
};

/** Diagnostics, on stderr. */
export type LogOptions = {
  /** The least important diagnostics that are written to stderr. Default: "info". */
  readonly level?: "debug" | "info" | "warn" | "error";
  /** How diagnostics are written; "auto" is text on a terminal and JSON elsewhere. Default: "auto". */
  readonly format?: "auto" | "json" | "text";
};

/** The admin protocol over SCTP. */
export type AdminOptions = {
  /** IP addresses on which the admin protocol is served. Default: ["127.0.0.1","::1"]. */
  readonly listen?: readonly string[];
  /** The SCTP port of the admin protocol; 0 takes a free one. Default: 8080. */
  readonly port?: number;
  /**
   * "kernel": the SCTP of the operating system. "udp": SCTP in UDP (RFC 6951). "auto": the kernel's where it has one.
   * Default: "auto".
   */
  readonly transport?: "auto" | "kernel" | "udp";
  /** The UDP port of SCTP in UDP; 0 takes a free one. Default: 9899. */
  readonly udp_port?: number;
  /** The administrator. Without one, a password is generated and kept in the state directory. */
  readonly user?: {
    /** What the client sends as its user name. */
    readonly name: string;
    /** The password in clear. Give the file mode 0600, or use password_hash. */
    readonly password?: string;
    /** The password as an argon2id hash, as `sockeye hash-password` prints it. */
    readonly password_hash?: string;
  };
  /** How long a login, and then a request, may take as a whole. Then the association is closed. Default: "15s". */
  readonly idle?: string | 0;
  /**
   * Associations at once. A further one takes the place of the oldest that has not logged in; where all have, it is
   * refused. Default: 512.
   */
  readonly associations?: number;
  /** Associations at once with one address. Further ones as above, among those of that address. Default: 256. */
  readonly associations_per_address?: number;
  /** Associations at once that have not logged in. A further one takes the place of the oldest. Default: 256. */
  readonly unauthenticated?: number;
  /**
   * Failed logins of one address (of one /64 with IPv6): as many at once, and as many a minute in the long run. Beyond
   * them every login from there is refused unheard. Default: 20.
   */
  readonly failures_per_minute?: number;
  /**
   * Addresses whose failed logins are remembered. Beyond them the one seen least recently is forgotten. Default: 4096.
   */
  readonly failure_addresses?: number;
};

/** How the program runs. */
export type ProcessOptions = {
  /**
   * Processes that share the SOCKS ports; "auto" is one for each core. Limits, counters, the access log and the
   * administrator are one for all. Linux only; elsewhere there is one. A change takes a restart. Default: 1.
   */
  readonly workers?: number | "auto";
};

/** A configuration, with the keys of the configuration file. What is absent has its default. */
export interface ProxyOptions {
  /** The SOCKS5 listeners. */
  readonly socks?: SocksOptions;
  /**
   * The users of the proxy (RFC 1929), one [[users]] each. With any, nobody gets in without a password. Default: [].
   */
  readonly users?: UsersOptions;
  /** The tunnels. */
  readonly relay?: RelayOptions;
  /** Time limits, as text such as "500ms", "30s" or "2h5m". 0 turns one off, except reply_close. */
  readonly timeouts?: TimeoutsOptions;
  /** What clients can make the proxy hold. */
  readonly limits?: LimitsOptions;
  /** Where clients may connect to, and where their datagrams may go. */
  readonly destinations?: DestinationsOptions;
  /** UDP ASSOCIATE: datagrams through the proxy. */
  readonly udp?: UdpOptions;
  /** BIND: one connection from outside to a client, as active FTP needs it. */
  readonly bind?: BindOptions;
  /** How names become addresses. See docs/dns.md. */
  readonly dns?: DnsOptions;
  /** How connections leave the machine. */
  readonly outgoing?: OutgoingOptions;
  /** One line of JSON for each finished request. */
  readonly access_log?: AccessLogOptions;
  /** Diagnostics, on stderr. */
  readonly log?: LogOptions;
  /** The admin protocol over SCTP. */
  readonly admin?: AdminOptions;
  /** How the program runs. */
  readonly process?: ProcessOptions;
}
