/** Clients that people have, using UDP ASSOCIATE and BIND: Dante's socksify, PySocks and the npm package socks. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { SocksClient } from "socks";
import { startBackground } from "../support/background.ts";
import { run, runWell } from "../support/command.ts";
import { within } from "../support/deadline.ts";
import { createNamespace, type Namespace } from "../support/namespace.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { startUdpEcho, TestDatagrams } from "../support/test-datagrams.ts";

/** Everything but 127.0.0.1 that the namespace has: Dante's client asks no proxy for 127.0.0.1. */
const HOST = "198.51.100.1";
const CONFIG = '[bind]\naccess = "all"\n[outgoing]\nfamily = "prefer-ipv4"\n';

const scratch = scratchDir();
const stack = new AsyncDisposableStack();
let namespace: Namespace;
let proxy: ProxyProcess;
let env: Record<string, string>;

beforeAll(async () => {
  namespace = stack.use(await createNamespace());
  await namespace.run("ip", "address", "add", `${HOST}/32`, "dev", "lo");
  writeFileSync(scratch.file("sockeye.toml"), CONFIG);
  proxy = stack.use(
    await startProxy(["--config", scratch.file("sockeye.toml"), "--listen", "127.0.0.1"], {
      prefix: namespace.prefix,
    }),
  );
  writeFileSync(
    scratch.file("socks.conf"),
    `route {
  from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${proxy.port}
  proxyprotocol: socks_v5
  protocol: tcp udp
  command: bind connect udpassociate
}
`,
  );
  // Dante's client goes directly to whatever a local interface has, unless it is told not to.
  env = { SOCKS_CONF: scratch.file("socks.conf"), SOCKS_AUTOADD_LANROUTES: "no" };
});

afterAll(async () => {
  await stack.disposeAsync();
  scratch[Symbol.dispose]();
});

const inside = (...command: string[]): string[] => [...namespace.prefix, ...command];
const socksify = (...command: string[]): string[] => inside("timeout", "20", "socksify", ...command);

/** The next finished request of that command, which tells that the client did not go past the proxy. */
async function nextRecord(command: string, use: () => Promise<void>): Promise<Record<string, unknown>> {
  const from = proxy.stdout.lines.length;
  await use();
  return JSON.parse(await proxy.stdout.waitFor((line) => line.includes(`"command":"${command}"`), 10_000, from));
}

describe("Dante's socksify", () => {
  test("moves files there and back by active-mode FTP, the server connecting to us", async () => {
    const bytes = randomBytes(3_000_000);
    using root = scratchDir();
    using own = scratchDir();
    writeFileSync(root.file("down"), bytes);
    await using _ftpd = await startBackground(
      inside("/usr/bin/python3", "-m", "pyftpdlib", "-i", HOST, "-p", "2121", "-d", root.path, "-w"),
      /starting FTP server/,
    );
    const script = `user anonymous x\nbinary\nget down ${own.file("got")}\nput ${own.file("got")} up\nbye\n`;
    const record = await nextRecord("bind", async () => {
      await runWell(socksify("tnftp", "-A", "-n", "-v", HOST, "2121"), { env, stdin: script });
    });
    expect(readFileSync(own.file("got")).equals(bytes)).toBe(true);
    expect(readFileSync(root.file("up")).equals(bytes)).toBe(true);
    expect(record).toMatchObject({ destination: `${HOST}:0`, reply: 0, bytes_down: bytes.length, ended: "finished" });
  });

  test("asks a DNS server by UDP", async () => {
    await using _dns = await startBackground(
      inside(
        ...["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"],
        ...["--port=5354", `--listen-address=${HOST}`, "--address=/test.example/192.0.2.55"],
      ),
      /started, version/,
    );
    const record = await nextRecord("udp_associate", async () => {
      const { text } = await runWell(socksify("drill", "-p", "5354", "test.example", `@${HOST}`), { env });
      expect(text).toContain("192.0.2.55");
    });
    expect(record).toMatchObject({ udp: { datagrams_up: 1, datagrams_down: 1, targets: 1, dropped: {} } });
  });

  test("learns by STUN where the proxy sends from", async () => {
    const turn = ["--no-tls", "--no-dtls", "--no-cli", "--stun-only", "--log-file", "stdout", "--simple-log"];
    await using _turn = await startBackground(
      inside(
        ...["turnserver", "-n", ...turn, "--pidfile", scratch.file("pid"), "--db", scratch.file("turndb")],
        ...["--listening-ip", HOST, "--listening-port", "3478"],
      ),
      /Total General servers/,
    );
    const record = await nextRecord("udp_associate", async () => {
      const { text } = await runWell(socksify("turnutils_stunclient", "-p", "3478", HOST), { env });
      expect(text).toMatch(new RegExp(`UDP reflexive addr: ${HOST}:\\d+`));
    });
    expect(record).toMatchObject({ udp: { datagrams_up: 1, datagrams_down: 1 }, ended: "finished" });
  });

  test("fetches a file by HTTP/3, that is QUIC", async () => {
    using root = scratchDir();
    using own = scratchDir();
    const bytes = randomBytes(2_000_000);
    writeFileSync(root.file("page"), bytes);
    await runWell([
      ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", own.file("key"), "-out", own.file("certificate"), "-subj", "/CN=test", "-days", "2"],
    ]);
    await using _server = await startBackground(
      inside("gtlsserver", HOST, "4433", own.file("key"), own.file("certificate"), "-d", root.path, "-q"),
      /document root/,
    );
    const record = await nextRecord("udp_associate", async () => {
      const client = ["gtlsclient", "-q", "--exit-on-all-streams-close", `--download=${own.path}`];
      await runWell(socksify(...client, HOST, "4433", `https://${HOST}:4433/page`), { env });
    });
    expect(readFileSync(own.file("page")).equals(bytes)).toBe(true);
    expect(Number(record["bytes_down"])).toBeGreaterThan(bytes.length);
  });
});

/** For clients that need no namespace. */
describe("on loopback:", () => {
  const USER = { name: "alice", password: "correct horse" };
  let guarded: ProxyProcess;
  let echo: TestDatagrams;

  beforeAll(async () => {
    guarded = stack.use(await startProxy(["--user", `${USER.name}:${USER.password}`]));
    echo = await startUdpEcho();
  });

  afterAll(() => echo[Symbol.dispose]());

  test("PySocks sends datagrams of all sizes and reads who answered", async () => {
    const script = `
import socks, sys
proxy, port = int(sys.argv[1]), int(sys.argv[2])
s = socks.socksocket(socks.socket.AF_INET, socks.socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, "127.0.0.1", proxy, True, "${USER.name}", "${USER.password}")
s.settimeout(10)
for size in (0, 1, 1400, 60000):
    s.sendto(b"x" * size, ("127.0.0.1", port))
    data, sender = s.recvfrom(65535)
    print(len(data), sender)
`;
    const { stderr, text } = await run(["/usr/bin/python3", "-c", script, `${guarded.port}`, `${echo.port}`]);
    expect(stderr).toBe("");
    const sender = `('127.0.0.1', ${echo.port})`;
    expect(text).toBe([0, 1, 1400, 60_000].map((size) => `${size} ${sender}\n`).join(""));
  });

  const npm = (command: "bind" | "associate", host: string): Promise<{ client: SocksClient; bound: BoundTo }> => {
    const client = new SocksClient({
      proxy: {
        host: "127.0.0.1",
        port: guarded.port,
        type: 5,
        userId: USER.name,
        password: USER.password,
      },
      command,
      destination: { host, port: 0 },
      timeout: 20_000,
    });
    const bound = new Promise<BoundTo>((resolve, reject) => {
      client.on("bound", ({ remoteHost }) => resolve(remoteHost as BoundTo));
      client.on("error", reject);
      if (command === "associate") client.on("established", ({ remoteHost }) => resolve(remoteHost as BoundTo));
    });
    client.connect();
    return bound.then((where) => ({ client, bound: where }));
  };

  test("the npm package socks associates, builds and parses datagrams", async () => {
    const { bound } = await npm("associate", "0.0.0.0");
    expect(bound.host).toBe("127.0.0.1");
    using socket = await TestDatagrams.open();
    const frame = SocksClient.createUDPFrame({
      remoteHost: { host: "127.0.0.1", port: echo.port },
      data: Buffer.from("framed"),
    });
    socket.send(frame, bound.port);
    const { bytes } = await socket.receive();
    const parsed = SocksClient.parseUDPFrame(Buffer.from(bytes));
    expect(parsed.remoteHost).toEqual({ host: "127.0.0.1", port: echo.port });
    expect(parsed.data.toString()).toBe("framed");
  });

  test("the npm package socks waits for a peer by BIND", async () => {
    const { client, bound } = await npm("bind", "127.0.0.1");
    const established = new Promise<{ socket: Socket; remoteHost?: unknown }>((resolve) => {
      client.on("established", resolve);
    });
    const peer = connect(bound.port, bound.host);
    const { socket, remoteHost } = await within(established, 10_000, "the second reply");
    expect(remoteHost).toEqual({ host: "127.0.0.1", port: peer.localPort });
    peer.end("from the peer");
    socket.resume();
    let said = "";
    for await (const chunk of socket) said += chunk;
    expect(said).toBe("from the peer");
    socket.end();
  });
});

interface BoundTo {
  readonly host: string;
  readonly port: number;
}
