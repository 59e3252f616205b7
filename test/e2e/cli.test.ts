/** The command line as its users know it: help, mistakes, exit statuses, passwords, signals. */

import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LineLog } from "../support/line-log.ts";
import { runSockeye, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, Refused } from "../support/socks-client.ts";

const root = dirname(dirname(import.meta.dir));

describe("sockeye", () => {
  test("no command: the help on stderr, status 2", async () => {
    const { status, stdout, stderr } = await runSockeye([]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith("Usage: sockeye COMMAND");
  });

  test("a full disk under stdout: one line on stderr, and no success", async () => {
    for (const args of [["--help"], ["ctl", "--help"], ["config", "schema"]]) {
      const script = '"$0" "$@" >/dev/full';
      const child = Bun.spawn(["sh", "-c", script, join(root, "bin", "sockeye"), ...args], { stderr: "pipe" });
      const [status, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
      expect({ status, stderr }).toEqual({ status: 1, stderr: "sockeye: Cannot write to stdout: ENOSPC\n" });
    }
  });

  test("a command that does not exist: status 2 and what there is", async () => {
    const { status, stdout, stderr } = await runSockeye(["sevre"]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("no such command; wanted: serve,");
    for (const args of [
      ["--port", "1", "serve"],
      ["--version", "serve"],
    ]) {
      const wrong = await runSockeye(args);
      expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
      expect(wrong.stderr).toContain("no command; wanted: serve,");
    }
  });

  test("--version", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const option of ["--version", "-V"]) {
      expect(await runSockeye([option])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    }
  });

  test("--help of the program and of every command, from any directory", async () => {
    const { stdout: help, status } = await runSockeye(["--help"], { cwd: "/" });
    expect(status).toBe(0);
    const commands = [...help.matchAll(/^ {2}([a-z][a-z-]+) {2,}/gm)].map((match) => match[1] ?? "");
    expect(commands).toContain("serve");
    for (const command of commands) {
      for (const option of ["--help", "-h"]) {
        const result = await runSockeye([command, option], { cwd: "/" });
        expect(result.status).toBe(0);
        expect(result.stdout).toStartWith(`Usage: sockeye ${command} `);
        expect(result.stderr).toBe("");
      }
    }
  });
});

describe("sockeye serve", () => {
  test("all mistakes at once, those of the file too: status 2, nothing on stdout", async () => {
    using dir = scratchDir();
    writeFileSync(dir.file("sockeye.toml"), '[relay]\nbuffer_size = 1\nspeed = "high"\n[timeouts]\nidle = "soon"\n');
    const args = [
      "--bogus",
      "extra",
      "--port",
      "http",
      "-l",
      "nowhere",
      "--user",
      "hush",
      "-c",
      dir.file("sockeye.toml"),
    ];
    const { status, stdout, stderr } = await runSockeye(["serve", ...args]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith("sockeye serve: 8 mistakes\n");
    for (const place of [
      "--bogus: no such option",
      "argument 1: no further argument",
      '--port is "http"; wanted: an integer from 0 to 65535',
      '--listen is "nowhere"; wanted: an IP address',
      "--user: a user: NAME:PASSWORD",
      "relay.buffer_size is 1; wanted: an integer from 300 to 16777216",
      "relay.speed: no such key",
      'timeouts.idle is "soon"; wanted: a duration',
    ]) {
      expect(stderr).toContain(`\n  ${place}`);
    }
    expect(stderr).toContain("\nRun 'sockeye serve --help'");
    expect(stderr).not.toContain("hush");
  });

  test("an option without its value", async () => {
    const { status, stderr } = await runSockeye(["serve", "--port"]);
    expect(status).toBe(2);
    expect(stderr).toContain("--port: a value: --port PORT");
  });

  test("a file that is not there", async () => {
    const { status, stderr } = await runSockeye(["serve", "--config", "/nonexistent.toml"]);
    expect(status).toBe(2);
    expect(stderr).toContain('--config is "/nonexistent.toml"; wanted: a file that can be read (ENOENT');
  });

  test("a proxy that others can reach does not start without users", async () => {
    const { status, stderr } = await runSockeye(["serve", "--listen", "0.0.0.0", "--port", "0"]);
    expect(status).toBe(2);
    expect(stderr).toContain('--listen is "0.0.0.0"; wanted: users');
    expect(stderr).toContain('auth = "none"');
  });

  test("the ready line has the addresses that are really bound; SIGTERM and SIGINT end it with 0", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using proxy = await startProxy(["--listen", "127.0.0.2", "--listen", "127.0.0.3"]);
      expect(proxy.addresses.slice(0, 2).map(({ host }) => host)).toEqual(["127.0.0.2", "127.0.0.3"]);
      expect(proxy.port).toBeGreaterThan(0);
      const entry = JSON.parse(proxy.stderr.lines.find((line) => line.includes("ready")) ?? "");
      expect(entry).toMatchObject({ level: "info", message: expect.stringContaining("ready: ") });
      expect(await proxy.stop(signal)).toBe(0);
      expect(proxy.stdout.lines).toEqual([]);
    }
  });

  test("the ready line is there even where only errors are wanted", async () => {
    using dir = scratchDir();
    writeFileSync(dir.file("sockeye.toml"), '[log]\nlevel = "error"\n');
    await using proxy = await startProxy(["--config", dir.file("sockeye.toml")]);
    expect(await proxy.stop()).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("passwords given as options are not to be seen in ps", async () => {
    await using proxy = await startProxy(["-u", "alice:hush-1", "--user=bob:hush-2", "-Uroot:hush-3"]);
    const seen = readFileSync(`/proc/${proxy.pid}/cmdline`, "utf8");
    expect(seen).toContain("alice:***");
    expect(seen).not.toContain("hush");
    expect(await proxy.stop()).toBe(0);
    expect(proxy.stderr.text() + proxy.stdout.text()).not.toContain("hush");
  });

  test("a file with passwords that others may read is worth a warning", async () => {
    using dir = scratchDir();
    const path = dir.file("sockeye.toml");
    writeFileSync(path, '[[users]]\nname = "alice"\npassword = "hush"\n', { mode: 0o644 });
    await using proxy = await startProxy(["--config", path]);
    expect(proxy.stderr.text()).toContain("chmod 600");
    expect(await proxy.stop()).toBe(0);
    const { status, stderr } = await runSockeye(["config", "check", "-c", path]);
    expect(status).toBe(0);
    expect(stderr).toContain("chmod 600");
    expect(proxy.stderr.text() + stderr).not.toContain("hush");
  });

  test("SIGHUP takes the file anew; a file with mistakes changes nothing", async () => {
    using dir = scratchDir();
    const write = (text: string): void => {
      writeFileSync(dir.file("new.toml"), text);
      renameSync(dir.file("new.toml"), dir.file("sockeye.toml"));
    };
    const tunnel = (name: string) =>
      openTunnel({ proxyPort: proxy.port, host: "127.0.0.1", port: 9, user: { name, password: "secret" } });
    // Port 9 refuses: that the user was let in shows in who it is that refuses.
    const stageOf = async (name: string): Promise<string> => {
      const error = await tunnel(name).catch((fault: unknown) => fault);
      return error instanceof Refused ? error.message.replace(/ .*/, "") : String(error);
    };
    write('[[users]]\nname = "alice"\npassword = "secret"\n');
    await using proxy = await startProxy(["--config", dir.file("sockeye.toml")]);
    expect(await stageOf("alice")).toBe("request");
    expect(await stageOf("bob")).toBe("user");

    write("[[users]]\nname = 5\n");
    proxy.kill("SIGHUP");
    await proxy.stderr.waitFor((line) => line.includes("users[0].name"));
    await proxy.stderr.waitFor((line) => line.includes("not taken over"));
    expect(await stageOf("alice")).toBe("request");

    write('[[users]]\nname = "bob"\npassword = "secret"\n');
    proxy.kill("SIGHUP");
    await proxy.stderr.waitFor((line) => line.includes("reloaded"));
    expect(await stageOf("bob")).toBe("request");
    expect(await stageOf("alice")).toBe("user");
    expect(await proxy.stop()).toBe(0);
    expect(proxy.stderr.text()).not.toContain("secret");
  });
});

describe("sockeye hash-password", () => {
  test("makes a hash of stdin that lets its user in", async () => {
    using dir = scratchDir();
    const { status, stdout } = await runSockeye(["hash-password"], { stdin: "open sesame\n" });
    expect(status).toBe(0);
    expect(await Bun.password.verify("open sesame", stdout.trimEnd())).toBe(true);
    writeFileSync(dir.file("sockeye.toml"), `[[users]]\nname = "alice"\npassword_hash = "${stdout.trimEnd()}"\n`);
    await using proxy = await startProxy(["--config", dir.file("sockeye.toml")]);
    const tunnel = (password: string) =>
      openTunnel({ proxyPort: proxy.port, host: "127.0.0.1", port: 9, user: { name: "alice", password } });
    await expect(tunnel("open sesame")).rejects.toThrow("request refused");
    await expect(tunnel("open barley")).rejects.toThrow("user refused");
    expect(await proxy.stop()).toBe(0);
  });

  test.each(["", "\n", "x".repeat(256)])("a password that no client could send is refused: %#", async (stdin) => {
    const { status, stdout, stderr } = await runSockeye(["hash-password"], { stdin });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("1 to 255 bytes");
  });

  test("never takes it from the command line, nor shows it", async () => {
    const { status, stdout, stderr } = await runSockeye(["hash-password", "hush"]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).not.toContain("hush");
  });

  const script = Bun.which("script");
  describe.skipIf(script === null)("on a terminal", () => {
    /** Types each answer once its prompt is there; returns all that the terminal showed, and the status. */
    async function type(...answers: string[]) {
      const command = `${join(root, "bin", "sockeye")} hash-password`;
      const child = Bun.spawn([script ?? "", "-qec", command, "/dev/null"], { stdin: "pipe", stdout: "pipe" });
      let shown = "";
      const prompts = ["Password: ", "Again: "];
      for await (const chunk of child.stdout) {
        shown += new TextDecoder().decode(chunk);
        while (prompts[0] !== undefined && shown.includes(prompts[0])) {
          prompts.shift();
          child.stdin.write(answers.shift() ?? "");
          child.stdin.flush();
        }
      }
      return { shown, status: await child.exited };
    }

    test("asks twice and shows nothing of it", async () => {
      const { shown, status } = await type("hux\u007fsh\r", "hush\n");
      expect(status).toBe(0);
      const hash = /\$argon2id\$\S+/.exec(shown)?.[0] ?? "";
      // A hash is letters by chance, and may well have these two among them.
      expect(shown.replace(hash, "")).not.toContain("hu");
      expect(await Bun.password.verify("hush", hash)).toBe(true);
    });

    test("two that differ make no hash", async () => {
      const { shown, status } = await type("one\r", "two\r");
      expect(status).toBe(1);
      expect(shown).toContain("not the same");
      expect(shown).not.toContain("argon2");
    });

    test("Ctrl-C ends it", async () => {
      const { shown, status } = await type("on\u0003");
      expect(status).toBe(1);
      expect(shown).not.toContain("argon2");
    });
  });
});

describe("sockeye config", () => {
  test("check: a good file", async () => {
    const path = join(root, "sockeye.example.toml");
    expect(await runSockeye(["config", "check", "-c", path])).toEqual({
      status: 0,
      stdout: `${path}: no mistakes\n`,
      stderr: "",
    });
  });

  test("check: a bad file", async () => {
    using dir = scratchDir();
    writeFileSync(dir.file("bad.toml"), "[socks]\nport = 'x'\nlisten = []\n");
    const { status, stderr } = await runSockeye(["config", "check", "--config", dir.file("bad.toml")]);
    expect(status).toBe(2);
    expect(stderr).toContain('socks.port is "x"; wanted: an integer from 0 to 65535');
    expect(stderr).toContain("socks.listen is an empty array; wanted: an array of addresses, 1 to 64 entries");
  });

  test("schema: the one in the package", async () => {
    const { status, stdout } = await runSockeye(["config", "schema"], { cwd: "/" });
    expect(status).toBe(0);
    expect(stdout).toBe(readFileSync(join(root, "sockeye.schema.json"), "utf8"));
  });

  test.each([[[]], [["chekc"]], [["check"]], [["schema", "more"]]])("config %p is wrong usage", async (args) => {
    const { status, stdout, stderr } = await runSockeye(["config", ...args]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Run 'sockeye config --help'");
  });
});

describe("the logs of sockeye serve", () => {
  const script = Bun.which("script");
  test.skipIf(script === null)("text on a terminal", async () => {
    // "exec": a shell that stays gets the Ctrl-C, too, and ends with a status of its own.
    const command = `exec ${join(root, "bin", "sockeye")} serve --port 0`;
    const child = Bun.spawn([script ?? "", "-qec", command, "/dev/null"], { stdin: "pipe", stdout: "pipe" });
    const terminal = new LineLog("the terminal");
    const ended = terminal.collect(child.stdout);
    const ready = await terminal.waitFor((line) => line.includes("ready"));
    expect(ready).toMatch(/^\d\d:\d\d:\d\d\.\d{3} \S+info \S+ ready: socks 127\.0\.0\.1:\d+ /);
    expect(ready).toContain("\u001b[32minfo \u001b[0m ");
    child.stdin.write("\u0003");
    child.stdin.flush();
    await ended;
    expect(await child.exited).toBe(0);
  });
});
