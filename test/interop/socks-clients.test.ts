/** SOCKS clients that people have, through Sockeye, to a real nginx and a real sshd. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SocksClient } from "socks";
import { type Outcome, run, runWell } from "../support/command.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { startSshd } from "../support/sshd.ts";

const USER = { name: "alice", password: "correct horse" };
const BODY = "the page\n";

let nginx: Nginx;
/** Lets everybody in. */
let open: ProxyProcess;
/** Lets USER in. */
let guarded: ProxyProcess;

beforeAll(async () => {
  nginx = await startNginx();
  writeFileSync(join(nginx.directory, "page"), BODY);
  open = await startProxy();
  guarded = await startProxy(["--user", `${USER.name}:${USER.password}`]);
});

afterAll(async () => {
  expect(await open.stop()).toBe(0);
  expect(await guarded.stop()).toBe(0);
  await nginx[Symbol.asyncDispose]();
});

const url = (host: string, path = "page"): string => `http://${host}:${nginx.port}/${path}`;
const httpGet = (host: string): string => `GET /page HTTP/1.0\r\nHost: ${host}\r\n\r\n`;

describe("curl", () => {
  const curl = (proxy: string, ...args: string[]): Promise<Outcome> =>
    run(["curl", "-sS", "--noproxy", "", "--max-time", "20", "-x", proxy, ...args]);

  for (const scheme of ["socks5", "socks5h"]) {
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      test(`${scheme} to ${host}`, async () => {
        const outcome = await curl(`${scheme}://127.0.0.1:${open.port}`, url(host));
        expect(outcome.stderr).toBe("");
        expect(outcome.text).toBe(BODY);
      });
    }

    test(`${scheme} with the right password`, async () => {
      const outcome = await curl(
        `${scheme}://127.0.0.1:${guarded.port}`,
        "-U",
        `${USER.name}:${USER.password}`,
        url("[::1]"),
      );
      expect(outcome.stderr).toBe("");
      expect(outcome.text).toBe(BODY);
    });

    test(`${scheme} with a wrong password`, async () => {
      const outcome = await curl(`${scheme}://127.0.0.1:${guarded.port}`, "-U", `${USER.name}:wrong`, url("127.0.0.1"));
      expect(outcome.status).toBe(97);
      expect(outcome.stderr).toContain("rejected by the SOCKS5 server");
    });

    test(`${scheme} without a password where one is wanted`, async () => {
      const outcome = await curl(`${scheme}://127.0.0.1:${guarded.port}`, url("127.0.0.1"));
      expect(outcome.status).toBe(97);
      expect(outcome.stderr).toContain("No authentication method was acceptable");
    });
  }

  test("reaches the proxy on IPv6", async () => {
    const outcome = await curl(`socks5h://[::1]:${addressOf(open, "::1")}`, url("[::1]", "seen"));
    expect(outcome.text).toBe(`::1 [::1]:${nginx.port}\n`);
  });

  test("is told that a port is closed", async () => {
    const outcome = await curl(`socks5h://127.0.0.1:${open.port}`, "http://127.0.0.1:1/");
    expect(outcome.status).toBe(97);
    expect(outcome.stderr).toContain("(5)");
  });

  test("is told that a name does not exist", async () => {
    const outcome = await curl(`socks5h://127.0.0.1:${open.port}`, "http://does-not-exist.invalid/");
    expect(outcome.status).toBe(97);
    expect(outcome.stderr).toContain("(4)");
  });

  test("keeps a connection for several requests, and several connections at once", async () => {
    const outcome = await curl(
      `socks5h://127.0.0.1:${open.port}`,
      "--parallel",
      ...Array.from({ length: 20 }, () => url("localhost")),
    );
    expect(outcome.text).toBe(BODY.repeat(20));
  });
});

describe("netcat", () => {
  test("ncat", async () => {
    const outcome = await runWell(
      ["ncat", "--proxy", `127.0.0.1:${open.port}`, "--proxy-type", "socks5", "127.0.0.1", `${nginx.port}`],
      { stdin: httpGet("127.0.0.1") },
    );
    expect(outcome.text).toEndWith(`\r\n\r\n${BODY}`);
  });

  test("ncat with a user", async () => {
    const outcome = await runWell(
      [
        ...["ncat", "--proxy", `127.0.0.1:${guarded.port}`, "--proxy-type", "socks5"],
        ...["--proxy-auth", `${USER.name}:${USER.password}`, "::1", `${nginx.port}`],
      ],
      { stdin: httpGet("[::1]") },
    );
    expect(outcome.text).toEndWith(`\r\n\r\n${BODY}`);
  });

  for (const host of ["127.0.0.1", "::1", "localhost"]) {
    test(`netcat-openbsd to ${host}`, async () => {
      const outcome = await runWell(
        ["nc.openbsd", "-N", "-X", "5", "-x", `127.0.0.1:${open.port}`, host, `${nginx.port}`],
        { stdin: httpGet("there") },
      );
      expect(outcome.text).toEndWith(`\r\n\r\n${BODY}`);
    });
  }
});

describe("proxychains4", () => {
  const chained = async (line: string, ...command: string[]): Promise<Outcome> => {
    using scratch = scratchDir();
    writeFileSync(scratch.file("proxychains.conf"), `strict_chain\nquiet_mode\nproxy_dns\n[ProxyList]\n${line}\n`);
    return await run(["proxychains4", "-q", "-f", scratch.file("proxychains.conf"), ...command]);
  };

  test("around curl", async () => {
    const outcome = await chained(`socks5 127.0.0.1 ${open.port}`, "curl", "-sS", "--max-time", "20", url("127.0.0.1"));
    expect(outcome.text).toBe(BODY);
  });

  test("resolves names at the proxy, with a user", async () => {
    await using proxy = await startProxy(["--user", "bob:secret"]);
    const outcome = await chained(
      `socks5 127.0.0.1 ${proxy.port} bob secret`,
      ...["curl", "-sS", "--max-time", "20", url("localhost")],
    );
    expect(outcome.text).toBe(BODY);
  });

  test("a wrong password", async () => {
    const outcome = await chained(
      `socks5 127.0.0.1 ${guarded.port} alice wrong`,
      ...["curl", "-sS", "--max-time", "20", url("127.0.0.1")],
    );
    expect(outcome.status).not.toBe(0);
    expect(outcome.text).toBe("");
  });
});

describe("python3-socks", () => {
  /** Asks for the page; prints the answer, or the name of the error. argv: proxy port, host, port, rdns, user, password. */
  const PROGRAM = `
import socks, sys
port, host, target, rdns = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "rdns"
user, password = (sys.argv[5:] + [None, None])[:2]
s = socks.socksocket()
s.settimeout(20)
s.set_proxy(socks.SOCKS5, "127.0.0.1", port, rdns, user, password)
try:
    s.connect((host, target))
except socks.ProxyError as error:
    print(type(error).__name__, error)
    sys.exit(0)
s.sendall(b"GET /page HTTP/1.0\\r\\n\\r\\n")
answer = b""
while chunk := s.recv(65536):
    answer += chunk
print(answer.split(b"\\r\\n\\r\\n")[1].decode(), end="")
`;
  const python = async (...args: string[]): Promise<string> =>
    (await runWell(["/usr/bin/python3", "-c", PROGRAM, ...args])).text;

  for (const host of ["127.0.0.1", "localhost"]) {
    for (const rdns of ["rdns", "local"]) {
      test(`${host}, resolved ${rdns === "rdns" ? "at the proxy" : "here"}`, async () => {
        expect(await python(`${open.port}`, host, `${nginx.port}`, rdns)).toBe(BODY);
      });
    }
  }

  test("with a user", async () => {
    expect(await python(`${guarded.port}`, "127.0.0.1", `${nginx.port}`, "rdns", USER.name, USER.password)).toBe(BODY);
  });

  test("with a wrong password", async () => {
    const said = await python(`${guarded.port}`, "127.0.0.1", `${nginx.port}`, "rdns", USER.name, "wrong");
    expect(said).toContain("SOCKS5 authentication failed");
  });

  test("is told that a port is closed", async () => {
    expect(await python(`${open.port}`, "127.0.0.1", "1", "rdns")).toContain("0x05: Connection refused");
  });
});

describe("the npm package socks", () => {
  const ask = async (host: string, proxy: ProxyProcess, user?: typeof USER): Promise<string> => {
    const { socket } = await SocksClient.createConnection({
      proxy: {
        host: "127.0.0.1",
        port: proxy.port,
        type: 5,
        ...(user ? { userId: user.name, password: user.password } : {}),
      },
      command: "connect",
      destination: { host, port: nginx.port },
      timeout: 20_000,
    });
    socket.write(httpGet("there"));
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    return answer;
  };

  for (const host of ["127.0.0.1", "::1", "localhost"]) {
    test(host, async () => {
      expect(await ask(host, open)).toEndWith(`\r\n\r\n${BODY}`);
    });
  }

  test("with a user", async () => {
    expect(await ask("localhost", guarded, USER)).toEndWith(`\r\n\r\n${BODY}`);
  });

  test("with a wrong password", async () => {
    await expect(ask("localhost", guarded, { ...USER, password: "wrong" })).rejects.toThrow("Authentication failed");
  });
});

describe("ssh through nc -X 5", () => {
  test("runs a command, and moves 8 MiB there and back", async () => {
    await using sshd = await startSshd();
    const through = ["-o", `ProxyCommand=nc.openbsd -X 5 -x 127.0.0.1:${open.port} %h %p`, `${sshd.user}@127.0.0.1`];
    expect((await runWell([...sshd.ssh, ...through, "echo hello"])).text).toBe("hello\n");
    const bytes = new Uint8Array(randomBytes(8 << 20));
    const { stdout } = await runWell([...sshd.ssh, ...through, "cat"], { stdin: bytes });
    expect(Buffer.compare(stdout, bytes)).toBe(0);
  });
});

/** The port of the proxy's listener on `host`. */
function addressOf(proxy: ProxyProcess, host: string): number {
  const address = proxy.addresses.find((candidate) => candidate.host === host);
  if (address === undefined) throw new Error(`the proxy does not listen on ${host}`);
  return address.port;
}
