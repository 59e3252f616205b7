/** Real DNS-over-HTTP servers with a zone of their own, in a directory of their own, on free ports of 127.0.0.1. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { LineLog } from "./line-log.ts";
import { scratchDir } from "./scratch-dir.ts";

const tls = join(import.meta.dir, "..", "vectors", "tls");
const KEY = join(tls, "server.key");
const CERTIFICATE = join(tls, "server.pem");

/**
 * The zone, which nobody else knows: `www.lab.test` is 127.0.0.1 and ::1, `alias.lab.test` stands for it,
 * `four.lab.test` has only an IPv4 address.
 */
export const ZONE = "lab.test";

export interface DnsServers extends AsyncDisposable {
  /** `https://dns.test:port/dns-query`, HTTP/2 only; the name is in the certificate. */
  readonly unbound: string;
  readonly bind: string;
  /** HTTP/2 and HTTP/1.1. */
  readonly dnsdist: string;
  /** `http://127.0.0.1:port/dns-query`. */
  readonly dnsdistPlain: string;
}

interface Daemon {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether a line of its output says that it serves. */
  readonly isReady: (line: string) => boolean;
}

/** Starts unbound, BIND and dnsdist (before BIND); they answer when the promise resolves. */
export async function startDnsServers(): Promise<DnsServers> {
  const scratch = scratchDir();
  mkdirSync(scratch.file("named"));
  const ports = { unbound: freePort(), bind: freePort(), plainDns: freePort(), dnsdist: freePort(), plain: freePort() };
  writeFileSync(scratch.file("zone"), ZONE_FILE);
  writeFileSync(scratch.file("unbound.conf"), unboundConf(ports.unbound, scratch.path));
  writeFileSync(scratch.file("named.conf"), namedConf(ports.bind, ports.plainDns, scratch.path));
  writeFileSync(scratch.file("dnsdist.conf"), dnsdistConf(ports.dnsdist, ports.plain, freePort(), ports.plainDns));
  const daemons: readonly Daemon[] = [
    {
      name: "unbound",
      command: ["unbound", "-d", "-v", "-c", scratch.file("unbound.conf")],
      isReady: (line) => line.includes("start of service"),
    },
    {
      name: "named",
      command: ["named", "-g", "-n", "1", "-c", scratch.file("named.conf")],
      isReady: (line) => line.includes("all zones loaded"),
    },
    {
      name: "dnsdist",
      command: ["dnsdist", "--supervised", "--disable-syslog", "-C", scratch.file("dnsdist.conf")],
      isReady: (line) => /marking downstream .* as 'up'/i.test(line),
    },
  ];
  const running: { stop(): Promise<void> }[] = [];
  for (const daemon of daemons) running.unshift(await startDaemon(daemon, scratch.path));
  const named = (port: number) => `https://dns.test:${port}/dns-query`;
  return {
    unbound: named(ports.unbound),
    bind: named(ports.bind),
    dnsdist: named(ports.dnsdist),
    dnsdistPlain: `http://127.0.0.1:${ports.plain}/dns-query`,
    [Symbol.asyncDispose]: async () => {
      for (const daemon of running) await daemon.stop();
      scratch[Symbol.dispose]();
    },
  };
}

async function startDaemon({ name, command, isReady }: Daemon, cwd: string): Promise<{ stop(): Promise<void> }> {
  const [program = "", ...args] = command;
  const path = Bun.which(program, { PATH: `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin` });
  if (path === null) throw new Error(`${program} is not installed: run test/interop/install-packages.sh`);
  const child = Bun.spawn([path, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const log = new LineLog(`output of ${name}`);
  const ended = Promise.all([log.collect(child.stdout), log.collect(child.stderr)]);
  await log.waitFor(isReady);
  return {
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
      await ended;
    },
  };
}

const ZONE_FILE = `$TTL 300
@ SOA ns root 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www A 127.0.0.1
www AAAA ::1
four A 127.0.0.1
alias CNAME www
`;

const unboundConf = (port: number, directory: string): string => `server:
  chroot: ""
  username: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1@${port}
  https-port: ${port}
  http-endpoint: "/dns-query"
  tls-service-key: "${KEY}"
  tls-service-pem: "${CERTIFICATE}"
  access-control: 127.0.0.0/8 allow
  local-zone: "${ZONE}." static
  local-data: "${ZONE}. 60 IN SOA ns.${ZONE}. root.${ZONE}. 1 3600 600 86400 60"
  local-data: "www.${ZONE}. 300 IN A 127.0.0.1"
  local-data: "www.${ZONE}. 300 IN AAAA ::1"
  local-data: "four.${ZONE}. 300 IN A 127.0.0.1"
  local-data: "alias.${ZONE}. 300 IN CNAME www.${ZONE}."
remote-control:
  control-enable: no
`;

const namedConf = (port: number, plainPort: number, directory: string): string => `
tls lab { key-file "${KEY}"; cert-file "${CERTIFICATE}"; };
http lab { endpoints { "/dns-query"; }; };
options {
  directory "${directory}/named";
  pid-file none;
  session-keyfile none;
  listen-on port ${plainPort} { 127.0.0.1; };
  listen-on port ${port} tls lab http lab { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  allow-query { any; };
  dnssec-validation no;
};
controls { };
zone "${ZONE}" { type primary; file "${directory}/zone"; };
`;

const dnsdistConf = (port: number, plainHttp: number, plainDns: number, backend: number): string => `
setLocal("127.0.0.1:${plainDns}")
setSecurityPollSuffix("")
newServer({ address = "127.0.0.1:${backend}", checkName = "www.${ZONE}.", checkInterval = 1 })
addDOHLocal("127.0.0.1:${port}", "${CERTIFICATE}", "${KEY}", "/dns-query")
addDOHLocal("127.0.0.1:${plainHttp}", nil, nil, "/dns-query")
`;
