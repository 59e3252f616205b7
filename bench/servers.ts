/** What the benchmark compares: nothing in between, the floors, Sockeye, and the proxies found on this machine. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.ts";
import { OTHER_PORTS } from "../test/support/proxy-process.ts";
import { build } from "./build.ts";
import { adopt } from "./children.ts";

/** The user of the workloads that authenticate. */
export const USER = { name: "bench", password: "correct horse" } as const;

/** A server that runs. */
export interface RunningServer {
  /** 0 for none: straight to the origin. */
  readonly port: number;
  /** Its first process; absent for none. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** To ask for a user of RFC 1929, to connect by name, to relay datagrams. */
export type Ability = "users" | "names" | "udp";

const COMPILED = 1000;
/** After so many the profile of Bun shows no more work of its compilers. */
const JUST_IN_TIME = 30_000;

/** One competitor. */
export interface Server {
  readonly id: string;
  readonly title: string;
  /** "limit" is not a proxy one would use; "ours"; "peer". */
  readonly kind: "limit" | "ours" | "peer";
  /** Not part of `--quick`. */
  readonly variant?: true;
  /** Connections before it is measured: a few where the program is compiled, many where a compiler works as it runs. */
  readonly warmUpConnections: number;
  /** What it can do of what some workloads ask for. */
  readonly can: readonly Ability[];
  /** What to run, or undefined when it is not on this machine. `withUser`: only USER may come in. */
  command(port: number, scratch: string, withUser: boolean): readonly string[] | undefined;
  /** What prints the version, if anything does. */
  readonly version?: readonly string[];
}

const root = join(import.meta.dir, "..");
const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;

/** `[program, ...args]` when the program is on this machine. */
function found(program: string, ...args: string[]): string[] | undefined {
  const path = Bun.which(program, { PATH });
  return path === null ? undefined : [path, ...args];
}

/** Writes a configuration file and returns its path. */
function configuration(scratch: string, name: string, port: number, text: string): string {
  const path = join(scratch, `${name}-${port}.conf`);
  writeFileSync(path, text);
  return path;
}

/** Sockeye with its defaults, and what a variant changes. */
const sockeye =
  (...variant: readonly string[]): Server["command"] =>
  (port, scratch, withUser) => [
    join(root, "bin", "sockeye"),
    ...["serve", "--listen", "127.0.0.1", "--port", `${port}`, ...OTHER_PORTS],
    ...(variant.includes("--access-log") ? [] : ["--access-log", join(scratch, `access-${port}.log`)]),
    ...variant,
    ...(withUser ? ["--user", `${USER.name}:${USER.password}`] : []),
  ];
const sockeyeVersion: readonly string[] = [join(root, "bin", "sockeye"), "--version"];

export const SERVERS: readonly Server[] = [
  {
    id: "direct",
    title: "direct, no proxy",
    kind: "limit",
    warmUpConnections: 0,
    can: ["udp"],
    command: () => undefined,
  },
  {
    id: "epoll-floor",
    title: "floor: C, epoll, read and write",
    kind: "limit",
    warmUpConnections: COMPILED,
    can: [],
    command: (port) => [build("epoll-relay"), `${port}`],
  },
  {
    id: "splice-floor",
    title: "floor: C, epoll, splice",
    kind: "limit",
    warmUpConnections: COMPILED,
    can: [],
    command: (port) => [build("splice-relay"), `${port}`],
  },
  {
    id: "bun-prototype",
    title: "floor: Bun, a prototype",
    kind: "limit",
    warmUpConnections: JUST_IN_TIME,
    can: [],
    command: (port) => [process.execPath, join(import.meta.dir, "floors", "bun-prototype.ts"), `${port}`],
  },
  {
    id: "sockeye",
    title: "**Sockeye**",
    kind: "ours",
    warmUpConnections: JUST_IN_TIME,
    can: ["users", "names", "udp"],
    command: sockeye(),
    version: sockeyeVersion,
  },
  {
    id: "sockeye-no-log",
    title: "Sockeye without access log",
    kind: "ours",
    variant: true,
    warmUpConnections: JUST_IN_TIME,
    can: ["users", "names", "udp"],
    command: sockeye("--access-log", "off"),
  },
  {
    id: "sockeye-bun-sockets",
    title: "Sockeye on Bun's sockets",
    kind: "ours",
    variant: true,
    warmUpConnections: JUST_IN_TIME,
    can: ["users", "names", "udp"],
    command: sockeye("--sockets", "bun"),
  },
  {
    id: "sockeye-2",
    title: "Sockeye, 2 workers",
    kind: "ours",
    variant: true,
    warmUpConnections: 2 * JUST_IN_TIME,
    can: ["users", "names", "udp"],
    command: sockeye("--workers", "2"),
  },
  {
    id: "microsocks",
    title: "microsocks",
    kind: "peer",
    warmUpConnections: COMPILED,
    can: ["users", "names"],
    command: (port, _, withUser) =>
      found(
        ...(["microsocks", "-i", "127.0.0.1", "-p", `${port}`] as const),
        ...(withUser ? ["-u", USER.name, "-P", USER.password] : []),
      ),
    version: ["dpkg-query", "-W", `-f=\${Version}`, "microsocks"],
  },
  {
    id: "dante",
    title: "Dante",
    kind: "peer",
    warmUpConnections: COMPILED,
    // Its users are those of the system.
    can: ["names", "udp"],
    command: (port, scratch) =>
      found(
        "danted",
        "-f",
        configuration(
          scratch,
          "danted",
          port,
          `logoutput: ${join(scratch, "danted.log")}
internal: 127.0.0.1 port = ${port}
external: lo
clientmethod: none
socksmethod: none
client pass { from: 0/0 to: 0/0 }
socks pass {
  from: 0/0 to: 0/0
  command: connect udpassociate udpreply
  log: disconnect
}
`,
        ),
      ),
    version: ["dpkg-query", "-W", `-f=\${Version}`, "dante-server"],
  },
  {
    id: "hev",
    title: "hev-socks5-server",
    kind: "peer",
    warmUpConnections: COMPILED,
    can: ["users", "names", "udp"],
    command: (port, scratch, withUser) =>
      found(
        "hev-socks5-server",
        configuration(
          scratch,
          "hev",
          port,
          `main:
  workers: 1
  port: ${port}
  listen-address: '127.0.0.1'
  listen-ipv6-only: false
${withUser ? `auth:\n  username: '${USER.name}'\n  password: '${USER.password}'\n` : ""}misc:
  limit-nofile: 20000
`,
        ),
      ),
    version: ["hev-socks5-server", "--version"],
  },
  {
    id: "3proxy",
    title: "3proxy",
    kind: "peer",
    warmUpConnections: COMPILED,
    can: ["users", "names", "udp"],
    command: (port, scratch, withUser) =>
      found(
        "3proxy",
        configuration(
          scratch,
          "3proxy",
          port,
          `log ${join(scratch, "3proxy.log")}
maxconn 10000
${withUser ? `users "${USER.name}:CL:${USER.password}"\nauth strong\nallow *` : "auth none"}
socks -i127.0.0.1 -p${port}
`,
        ),
      ),
    version: ["3proxy", "--version"],
  },
  {
    id: "gost",
    title: "gost",
    kind: "peer",
    warmUpConnections: COMPILED,
    can: ["users", "names", "udp"],
    command: (port, _, withUser) =>
      found(
        "gost",
        "-L",
        `socks5://${withUser ? `${USER.name}:${encodeURIComponent(USER.password)}@` : ""}127.0.0.1:${port}?udp=true`,
      ),
    version: ["gost", "-V"],
  },
  {
    id: "sing-box",
    title: "sing-box",
    kind: "peer",
    warmUpConnections: COMPILED,
    can: ["users", "names", "udp"],
    command: (port, scratch, withUser) =>
      found(
        "sing-box",
        "run",
        "-c",
        configuration(
          scratch,
          "sing-box",
          port,
          JSON.stringify({
            log: { output: join(scratch, "sing-box.log") },
            inbounds: [
              {
                type: "socks",
                listen: "127.0.0.1",
                listen_port: port,
                ...(withUser ? { users: [{ username: USER.name, password: USER.password }] } : {}),
              },
            ],
            outbounds: [{ type: "direct" }],
          }),
        ),
      ),
    version: ["sing-box", "version"],
  },
];

/** The first line of what prints the version; empty when nothing does. */
export function versionOf(server: Server): string {
  if (server.version === undefined) return "";
  const { stdout } = Bun.spawnSync([...server.version], { env: { ...process.env, PATH } });
  return stdout.toString().split("\n")[0]?.trim() ?? "";
}

/** Runs what follows with so many descriptors, or with as many as there are: the same for every server. */
const DESCRIPTORS = 20_000;
const LIMITED: readonly string[] = ["sh", "-c", `ulimit -n ${DESCRIPTORS} 2>/dev/null; exec "$0" "$@"`];

/** Starts a server, or returns undefined when it is not on this machine. It accepts connections when this resolves. */
export async function startServer(
  server: Server,
  scratch: string,
  withUser: boolean,
): Promise<RunningServer | undefined> {
  if (server.id === "direct") return { port: 0, pid: undefined, stop: async () => undefined };
  const port = freePort();
  const command = server.command(port, scratch, withUser);
  if (command === undefined) return undefined;
  const log = Bun.file(join(scratch, `${server.id}-${port}.stderr`));
  const child = adopt(
    Bun.spawn([...LIMITED, ...command], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: log,
      env: { ...process.env, SOCKEYE_STATE_DIR: join(scratch, "state") },
    }),
  );
  await accepts(port, child, `${server.id}: ${command.join(" ")}`, log);
  return {
    port,
    pid: child.pid,
    stop: async () => {
      child.kill("SIGTERM");
      const forced = setTimeout(() => child.kill("SIGKILL"), 3000);
      await child.exited;
      clearTimeout(forced);
    },
  };
}

const START_LIMIT_MS = 10_000;

/** Waits until somebody accepts on `port`. */
export async function accepts(port: number, child: Bun.Subprocess, what: string, log: Bun.BunFile): Promise<void> {
  const end = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } });
      socket.end();
      return;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > end) {
        child.kill();
        await child.exited;
        throw new Error(`cannot start ${what}\n${await log.text()}`, { cause: error });
      }
      await Bun.sleep(20);
    }
  }
}
