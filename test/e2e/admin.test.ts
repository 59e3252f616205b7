/** The admin protocol from outside: `bin/sockeye serve`, `bin/sockeye ctl`, and a client of raw bytes. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAdmin } from "../../src/admin/client.ts";
import { type ProxyProcess, runSockeye, startProxy } from "../support/proxy-process.ts";
import { RawSctpClient, type SctpTarget } from "../support/raw-sctp-client.ts";

let directory: string;
let proxy: ProxyProcess;
let admin: SctpTarget;
const PASSWORD = "correct horse";
const UDP = ["--admin-transport", "udp"];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sockeye-admin-"));
  proxy = await startProxy([...UDP, "--admin", `root:${PASSWORD}`]);
  admin = adminOf(proxy);
});
afterAll(async () => {
  await proxy.stop();
  rmSync(directory, { recursive: true });
});

/** Where the ready line says that the admin protocol is. */
function adminOf({ stderr }: ProxyProcess): { host: string; port: number; udpPort: number } {
  const ready = stderr.objects().find((line) => String(line["message"]).startsWith("ready"));
  if (ready === undefined) throw new Error(`no ready line in:\n${stderr.text()}`);
  const [first] = ready["admin"] as string[];
  return { host: "127.0.0.1", port: Number(first?.split(":").at(-1)), udpPort: Number(ready["admin_udp_port"]) };
}

const options = ({ port, udpPort }: SctpTarget): string[] => [
  ...["--transport", "udp", "--port", `${port}`, "--udp-port", `${udpPort}`],
];
const ctl = (...args: string[]) =>
  runSockeye(["ctl", ...args, ...options(admin), "--user", "root"], { env: { SOCKEYE_ADMIN_PASSWORD: PASSWORD } });

/** VER, ULEN, UNAME, PLEN, PASSWD. */
function login(name = "root", password = PASSWORD): string {
  return `\x01${String.fromCharCode(name.length)}${name}${String.fromCharCode(password.length)}${password}`;
}

describe("ctl against serve", () => {
  test("the metrics, and a buffer size that stays", async () => {
    expect(await ctl("historical")).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    expect(await ctl("concurrent")).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    expect(await ctl("bytes")).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    expect(await ctl("buffer-size", "300")).toEqual({ status: 0, stdout: "300\n", stderr: "" });
  });

  test("a refused size is status 1, a refused login 3", async () => {
    expect(await ctl("buffer-size", "299")).toMatchObject({ status: 1, stdout: "" });
    const refused = await runSockeye(["ctl", "bytes", ...options(admin), "--user", "root"], {
      env: { SOCKEYE_ADMIN_PASSWORD: "wrong" },
    });
    expect(refused).toMatchObject({ status: 3, stdout: "" });
  });

  test("concurrent and historical count SOCKS clients at any stage", async () => {
    const client = await connectAdmin({ ...clientOptions(), password: PASSWORD });
    const before = await client.historical();
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: proxy.port, socket: { data: () => undefined } });
    await eventually(async () => (await client.concurrent()) === 1);
    expect(await client.historical()).toBe(before + 1);
    socket.terminate();
    await eventually(async () => (await client.concurrent()) === 0);
    expect(await client.historical()).toBe(before + 1);
  });

  test("requests are in the diagnostics with the client's address, passwords are not", async () => {
    await ctl("buffer-size", "4096");
    const line = await proxy.stderr.waitFor((text) => text.includes("admin: buffer-size 4096"));
    expect(JSON.parse(line)).toMatchObject({ level: "info", client: "127.0.0.1", answer: "4096" });
    await proxy.stderr.waitFor((text) => text.includes("admin: login refused from 127.0.0.1"));
    expect(proxy.stderr.text()).not.toContain(PASSWORD);
  });
});

function clientOptions(): { host: string; port: number; udpPort: number; transport: "udp"; username: string } {
  return { ...adminOf(proxy), transport: "udp", username: "root" };
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!(await holds())) if (performance.now() > endMs) throw new Error("it did not come to hold within 5 s");
}

describe("raw bytes", () => {
  test("login and request in one message: two replies, each one message, then the close", async () => {
    await using client = await RawSctpClient.connect(admin);
    client.send(`${login()}\x00\x00 and more than was asked`);
    const messages = await client.ended();
    expect(messages.map((message) => message.slice(0, 2))).toEqual(["\x01\x00", "\x00\x01"]);
    expect(messages[1]?.slice(2)).toMatch(/^\d$/);
  });

  test("2,000 messages more than was asked do not cost the reply", async () => {
    await using client = await RawSctpClient.connect(admin);
    client.send(`${login()}\x04\x00`);
    for (let n = 0; n < 2000; n++) client.send("x".repeat(1000));
    expect((await client.ended()).map((message) => message.slice(0, 1))).toEqual(["\x01", "\xff"]);
  });

  test("a byte a message", async () => {
    await using client = await RawSctpClient.connect(admin);
    for (const byte of `${login()}\x03\x01\x0500512`) client.send(byte);
    expect(await client.ended()).toEqual(["\x01\x00", "\x03\x03512"]);
  });

  test("the client that reads once before each answer", async () => {
    await using client = await RawSctpClient.connect(admin);
    client.send(login());
    expect(await client.receives(1)).toEqual(["\x01\x00"]);
    client.send("\x09\x00");
    expect((await client.ended())[1]).toStartWith("\xff");
  });

  test.each([
    ["another version, at its first byte", "\x02", "\x01\x02"],
    ["ULEN 0, at once", "\x01\x00", "\x01\x01"],
    ["PLEN 0, at once", "\x01\x01x\x00", "\x01\x01"],
    ["a wrong password", login("root", "wrong"), "\x01\x01"],
    ["a wrong name", login("toor"), "\x01\x01"],
  ])("%s", async (_what, sent, answer) => {
    await using client = await RawSctpClient.connect(admin);
    client.send(sent);
    expect(await client.ended()).toEqual([answer]);
  });

  test("a hundred administrators at once are all answered", async () => {
    const client = await connectAdmin({ ...clientOptions(), password: PASSWORD });
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.concurrent()));
    expect(answers).toEqual(new Array(100).fill(0));
  });

  test("500 silent associations do not keep an administrator out", async () => {
    const flood = await Promise.all(
      Array.from({ length: 500 }, () => RawSctpClient.connect(admin).catch(() => undefined)),
    );
    expect(await ctl("concurrent")).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    for (const client of flood) client?.abort();
  });
});

describe("the administrator", () => {
  test("a generated one, whom ctl on the same account finds", async () => {
    const env = { SOCKEYE_STATE_DIR: join(directory, "state") };
    const generated = await startProxy(UDP, { env });
    const file = join(directory, "state", "admin-password");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const args = ["ctl", "concurrent", ...options(adminOf(generated))];
    expect(await runSockeye(args, { env })).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    expect(generated.stderr.text()).toContain(file);
    expect(generated.stderr.text()).not.toContain(readFileSync(file, "utf8").trim());
    await generated.stop();
    // The next run keeps it.
    const next = await startProxy(UDP, { env });
    expect((await runSockeye(["ctl", "bytes", ...options(adminOf(next))], { env })).stdout).toBe("0\n");
    await next.stop();
  });

  test("from the configuration file, as a hash; idle time from there too; SIGHUP takes a new one over", async () => {
    const file = join(directory, "sockeye.toml");
    const write = (hash: string, idle: string) =>
      writeFileSync(file, `[admin]\nidle = "${idle}"\nuser = { name = "chief", password_hash = "${hash}" }\n`);
    write(await Bun.password.hash("first", { algorithm: "argon2id" }), "300ms");
    const hashed = await startProxy([...UDP, "--config", file]);
    const as = (password: string) => {
      const args = ["ctl", "bytes", ...options(adminOf(hashed)), "--user", "chief"];
      return runSockeye(args, { env: { SOCKEYE_ADMIN_PASSWORD: password } });
    };
    expect(await as("first")).toEqual({ status: 0, stdout: "0\n", stderr: "" });
    expect(await as("second")).toMatchObject({ status: 3 });

    await using silent = await RawSctpClient.connect(adminOf(hashed));
    silent.send("\x01\x05chi");
    expect(await silent.ended()).toEqual([]);

    write(await Bun.password.hash("second", { algorithm: "argon2id" }), "5s");
    hashed.kill("SIGHUP");
    await hashed.stderr.waitFor((line) => line.includes("reloaded"));
    expect(await as("first")).toMatchObject({ status: 3 });
    expect(await as("second")).toMatchObject({ status: 0 });
    await hashed.stop();
  });

  test("SIGHUP opens other listeners where the file names others", async () => {
    const file = join(directory, "listeners.toml");
    writeFileSync(file, '[admin]\nlisten = ["127.0.0.1", "::1"]\n');
    const moved = await startProxy([...UDP, "--config", file, "--admin", "root:x"]);
    writeFileSync(file, '[admin]\nlisten = ["127.0.0.1"]\n');
    moved.kill("SIGHUP");
    const line = JSON.parse(await moved.stderr.waitFor((text) => text.includes("reloaded: admin 127.0.0.1:")));
    const port = Number(line.admin[0].split(":").at(-1));
    await using client = await RawSctpClient.connect({ port, udpPort: line.admin_udp_port });
    client.send(login("root", "x"));
    expect(await client.receives(1)).toEqual(["\x01\x00"]);
    expect(line.admin).toHaveLength(1);
    client.close();
    await moved.stop();
  });

  test("a state directory that cannot be used ends the start with a hint", async () => {
    const file = join(directory, "no-directory");
    writeFileSync(file, "");
    await expect(startProxy(UDP, { env: { SOCKEYE_STATE_DIR: join(file, "state") } })).rejects.toThrow(
      /Cannot (keep|read) .*SOCKEYE_STATE_DIR/,
    );
  });
});

test("examples/steer-while-it-runs.ts, as its reader would run it", async () => {
  const root = join(import.meta.dir, "..", "..");
  const run = async (password: string) => {
    const child = Bun.spawn([process.execPath, "examples/steer-while-it-runs.ts"], {
      cwd: root,
      env: {
        ...process.env,
        SOCKEYE_ADMIN_PORT: `${admin.port}`,
        SOCKEYE_ADMIN_UDP_PORT: `${admin.udpPort}`,
        SOCKEYE_ADMIN_USER: "root",
        SOCKEYE_ADMIN_PASSWORD: password,
      },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { status: await child.exited, stdout, stderr };
  };
  const done = await run(PASSWORD);
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(done.stdout).toMatch(/^\d+ clients so far, 0 now, \d+ bytes relayed\nthe relay buffer is 65536 bytes\n$/);
  expect(await run("wrong")).toMatchObject({ status: 1, stdout: "" });
});

describe("listeners", () => {
  test("an admin port in use ends the start with the options that help", async () => {
    const args = [...UDP, "--admin", "root:x", "--admin-udp-port", `${admin.udpPort}`];
    await expect(startProxy(args)).rejects.toThrow(/EADDRINUSE; see --admin-listen/);
  });

  test("the ready line names the live transport; the kernel's, demanded and absent, ends the start with a hint", async () => {
    expect(proxy.stderr.text()).toMatch(/ready: .*; admin 127\.0\.0\.1:\d+ .*by SCTP in UDP, port \d+/);
    const demanded = startProxy(["--admin", "root:x", "--admin-transport", "kernel"]);
    // A machine whose kernel has SCTP starts.
    const outcome = await demanded.then(
      async (started) => {
        const text = started.stderr.text();
        await started.stop();
        return text;
      },
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(/by the kernel's SCTP|The kernel has no SCTP .*modprobe sctp/);
  });
});
