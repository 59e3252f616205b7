import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import type { Config } from "./config.ts";
import { type ConfigResult, loadConfig, type OptionValue, parseConfig } from "./load.ts";
import { formatMistake } from "./mistake.ts";

const HASH = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo";

const parse = (text: string, commandLine: OptionValue[] = []): ConfigResult =>
  parseConfig({ file: { name: "sockeye.toml", text }, commandLine });

function config(result: ConfigResult): Config {
  if (result.kind === "invalid") throw new Error(result.mistakes.map(formatMistake).join("\n"));
  return result.value;
}

/** The mistakes as lines "path | value | wanted", sorted. */
function mistakes(result: ConfigResult): string[] {
  if (result.kind === "done") throw new Error("no mistake was found");
  return result.mistakes.map(({ path, value, wanted }) => `${path} | ${value} | ${wanted}`).sort();
}

const option = (name: string, section: string, key: string, value: unknown): OptionValue => ({
  option: name,
  key: [section, key],
  value,
  repeatable: false,
});
const user = (name: string, password: string): OptionValue => ({
  option: "--user",
  key: ["users"],
  value: { name, password },
  repeatable: true,
});

describe("defaults", () => {
  const defaults = config(parseConfig({}));

  test("a loopback proxy without users, on port 1080 [rfc1928#3/tcp-port]", () => {
    expect(defaults.socks).toEqual({
      listen: [
        { address: "127.0.0.1", port: 1080, advertise: undefined },
        { address: "::1", port: 1080, advertise: undefined },
      ],
      auth: "none",
      backlog: 4096,
      ignoreReserved: false,
    });
    expect(defaults.users).toEqual([]);
    expect(defaults.relay.bufferSize).toBe(65_536);
    expect(defaults.timeouts.idleMs).toBe(7_500_000);
    expect(defaults.admin.port).toBe(8080);
  });

  test("an empty file changes nothing", () => {
    expect(config(parse(""))).toEqual(defaults);
    expect(config(parse("\uFEFF# a byte order mark, as some editors write it\n"))).toEqual(defaults);
  });

  test("are frozen to the bottom", () => {
    expect(() => Object.assign(defaults.socks, { backlog: 1 })).toThrow();
    expect(() => Object.assign(defaults.destinations.denyFromRemote[0]?.bytes ?? {}, { 0: 1 })).toThrow();
  });
});

describe("the file", () => {
  test("sets every kind of value", () => {
    const made = config(
      parse(`
        users = [{ name = "alice", password = "wonderland" }, { name = "bob", password_hash = "${HASH}" }]
        [socks]
        listen = ["0.0.0.0", { address = "[2001:db8::1]", port = 1081, advertise = "192.0.2.9" }]
        [relay]
        no_delay = false
        sockets = "bun"
        keep_alive = 0
        [timeouts]
        connect = "1m30s"
        drain = 0
        [destinations]
        deny = ["private", "192.0.2.0/24"]
        allow = ["10.1.2.3"]
      `),
    );
    expect(made.socks.auth).toBe("users");
    expect(made.socks.listen).toEqual([
      { address: "0.0.0.0", port: 1080, advertise: undefined },
      { address: "2001:db8::1", port: 1081, advertise: "192.0.2.9" },
    ]);
    expect(made.users).toEqual([
      { name: "alice", secret: { kind: "plain", password: "wonderland" } },
      { name: "bob", secret: { kind: "hash", phc: HASH } },
    ]);
    expect(made.relay).toEqual({
      bufferSize: 65_536,
      noDelay: false,
      splice: "auto",
      splicePipes: 128,
      sockets: "bun",
      keepAliveMs: 0,
    });
    expect([made.timeouts.connectMs, made.timeouts.drainMs]).toEqual([90_000, 0]);
    expect(made.destinations.deny.at(-1)).toEqual({ family: 4, bytes: [192, 0, 2, 0], prefixLength: 24 });
    expect(made.destinations.allow).toEqual([{ family: 4, bytes: [10, 1, 2, 3], prefixLength: 32 }]);
  });

  test("sets who may use UDP and BIND, their ports and their limits", () => {
    const { udp, bind } = config(
      parse(`
        [udp]
        access = "users"
        ports = "40000-40000"
        answers_from = "contacted"
        idle = 0
        associations_per_user = 3
        [bind]
        access = "none"
        ports = "1024-65535"
        wait = "5s"
      `),
    );
    expect(udp).toMatchObject({
      access: "users",
      ports: { first: 40_000, last: 40_000 },
      answersFrom: "contacted",
      idleMs: 0,
      limits: { total: 4096, perAddress: 512, perUser: 3 },
    });
    expect(bind).toMatchObject({ access: "none", ports: { first: 1024, last: 65_535 }, waitMs: 5000 });
    const standard = config(parse(""));
    expect([standard.udp.ports, standard.udp.access, standard.bind.access]).toEqual([undefined, "all", "users"]);
  });

  for (const ports of ["0-9", "9-8", "1-65536", "40000", "1-", "a-b", ""]) {
    test(`"${ports}" is no range of ports`, () => {
      expect(mistakes(parse(`[udp]\nports = "${ports}"`))).toEqual([
        `udp.ports | "${ports}" | two ports from 1 to 65535, the lower one first, such as "40000-40999"; or "any"`,
      ]);
    });
  }

  test("all mistakes at once, each with its place", () => {
    const found = mistakes(
      parse(`
        lissten = true
        users = [{ name = "", password = "a" }, { name = "alice" }, { name = "alice", password = "b", password_hash = "c" }]
        [socks]
        port = 70000
        listen = ["example.org", { address = "::1", prt = 1 }]
        [relay]
        buffer_size = 299
        no_delay = "yes"
        [timeouts]
        idle = "5 minutes"
        reply_close = "11s"
        [destinations]
        deny = ["10.0.0.1/8"]
        [log]
        level = "loud"
      `),
    );
    expect(found.map((line) => line.split(" | ", 2).join(" = "))).toEqual([
      'destinations.deny[0] = "10.0.0.1/8"',
      "lissten = undefined",
      'log.level = "loud"',
      "relay.buffer_size = 299",
      'relay.no_delay = "yes"',
      'socks.listen[0] = "example.org"',
      "socks.listen[1].prt = undefined",
      "socks.port = 70000",
      'timeouts.idle = "5 minutes"',
      'timeouts.reply_close = "11s"',
      'users[0].name = ""',
      "users[1] = undefined",
      "users[2] = undefined",
      'users[2].name = "alice"',
      "users[2].password_hash = undefined",
    ]);
    expect(found).toContain("socks.port | 70000 | an integer from 0 to 65535");
    expect(found.find((line) => line.startsWith("lissten"))).toContain(
      "no such key; wanted: one of the keys socks, users",
    );
  });

  test("a duration that is a number is told what a duration is", () => {
    expect(mistakes(parse("[timeouts]\nidle = 5\n"))).toEqual([
      'timeouts.idle | 5 | a duration up to "24d", such as "500ms", "30s" or "2h5m"; or 0: no limit',
    ]);
  });

  test("broken TOML is one mistake with line and column, and the command line is judged all the same", () => {
    const found = mistakes(
      parse('users = [{ name = "a", password = "hush" }\n[socks]\n', [option("--port", "socks", "port", -1)]),
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toBe("--port | -1 | an integer from 0 to 65535");
    expect(found[1]).toMatch(/^sockeye\.toml:\d+:\d+ \| undefined \| TOML: /);
    expect(found.join()).not.toContain("hush");
  });

  test("a file that cannot be read is a mistake of --config", () => {
    const found = mistakes(loadConfig("/nonexistent/sockeye.toml", [option("--port", "socks", "port", "x")]));
    expect(found[0]).toMatch(/^--config \| "\/nonexistent\/sockeye.toml" \| a file that can be read \(ENOENT/);
    expect(found[1]).toStartWith('--port | "x"');
  });
});

describe("a file with passwords", () => {
  const load = (mode: number, text: string) => {
    using dir = scratchDir();
    writeFileSync(dir.file("sockeye.toml"), text);
    chmodSync(dir.file("sockeye.toml"), mode);
    const result = loadConfig(dir.file("sockeye.toml"), []);
    return result.kind === "done" ? result.warnings : result.mistakes;
  };
  const plain = 'users = [{ name = "alice", password = "wonderland" }]';

  test("that others may read is worth a warning, without the password", () => {
    for (const mode of [0o644, 0o640, 0o604]) {
      const warnings = load(mode, plain);
      expect(warnings).toHaveLength(1);
      expect(String(warnings)).toContain("chmod 600");
      expect(String(warnings)).not.toContain("wonderland");
    }
    expect(load(0o644, "[admin]\nuser = { name = 'root', password = 'toor' }")).toHaveLength(1);
  });

  test("that nobody else may read, or that has only hashes, is not", () => {
    expect(load(0o600, plain)).toBeUndefined();
    expect(load(0o644, `users = [{ name = "alice", password_hash = "${HASH}" }]`)).toBeUndefined();
    expect(load(0o644, "")).toBeUndefined();
  });
});

describe("the command line", () => {
  test("wins over the file", () => {
    const made = config(
      parse("[socks]\nport = 1\nlisten = ['127.0.0.1']\n", [
        option("--port", "socks", "port", 2),
        { option: "--listen", key: ["socks", "listen"], value: "127.0.0.2", repeatable: true },
        { option: "--listen", key: ["socks", "listen"], value: "127.0.0.3", repeatable: true },
      ]),
    );
    expect(made.socks.listen.map(({ address, port }) => `${address}:${port}`)).toEqual(["127.0.0.2:2", "127.0.0.3:2"]);
  });

  test("adds users, in place of those of the same name", () => {
    const file = 'users = [{ name = "alice", password = "old" }, { name = "bob", password = "b" }]';
    const made = config(parse(file, [user("carol", "c"), user("alice", "new")]));
    expect(made.users.map(({ name, secret }) => [name, secret.kind === "plain" ? secret.password : ""])).toEqual([
      ["bob", "b"],
      ["carol", "c"],
      ["alice", "new"],
    ]);
  });

  test("mistakes name the option", () => {
    const found = mistakes(
      parseConfig({
        commandLine: [
          option("--port", "socks", "port", "http"),
          { option: "--listen", key: ["socks", "listen"], value: "nowhere", repeatable: true },
          { option: "--user", key: ["users"], value: "alice", repeatable: true },
          user("bob", ""),
          user("bob", "b"),
        ],
      }),
    );
    expect(found.map((line) => line.split(" | ", 2).join(" = "))).toEqual(
      ['--listen = "nowhere"', '--port = "http"', "--user = undefined", '--user = "bob"', "--user = undefined"].sort(),
    );
  });

  test("a section of the wrong type stays a mistake of the file", () => {
    expect(mistakes(parse("socks = 5\nusers = 'x'\n", [option("--port", "socks", "port", 1), user("a", "b")]))).toEqual(
      ["socks | 5 | a table", "users | undefined | an array of tables, 0 to 65536 entries"],
    );
  });
});

describe("safe by default", () => {
  const open = "[socks]\nlisten = ['127.0.0.1', '0.0.0.0', { address = '::' }]\n";

  test("an address that others can reach needs users", () => {
    const found = mistakes(parse(open));
    expect(found).toHaveLength(2);
    expect(found[0]).toStartWith('socks.listen[1] | "0.0.0.0" | users ([[users]], or --user)');
    expect(found[1]).toStartWith('socks.listen[2] | "::" | users');
    expect(config(parse(open, [user("a", "b")])).socks.auth).toBe("users");
  });

  test('or auth = "none" in so many words', () => {
    expect(config(parse(`${open}auth = "none"\n`)).socks.auth).toBe("none");
  });

  test("the option that opens it is named", () => {
    const listen = { option: "--listen", key: ["socks", "listen"], value: "192.0.2.1", repeatable: true } as const;
    expect(mistakes(parseConfig({ commandLine: [listen] }))[0]).toStartWith('--listen | "192.0.2.1" | users');
  });

  test('auth = "none" and users contradict each other', () => {
    expect(mistakes(parse('[socks]\nauth = "none"\n', [user("a", "b")]))[0]).toStartWith('socks.auth | "none" |');
  });

  test('auth = "users" needs one', () => {
    expect(mistakes(parse('[socks]\nauth = "users"\n'))[0]).toStartWith('socks.auth | "users" | at least one user');
  });
});

describe("passwords are never shown", () => {
  test.each([
    'users = [{ name = "a", password = ["hush"] }]',
    'users = [{ name = "a", pasword = "hush" }]',
    'users = [{ name = "a", password_hash = "hush" }]',
    "users = 'hush'",
    "users = ['hush']",
    "users = { alice = 'hush' }",
    "user = [{ password = 'hush' }]",
    "alice = 'hush'",
    "[socks]\nlisten = [{ password = 'hush' }]",
    "[admin]\nuser = 'root:hush'",
    "[admin]\nuser = { name = 'root', password = ['hush'] }",
    "users = [{ name = 'a', password = 'hush' ",
  ])("%s", (text) => {
    expect(mistakes(parse(text)).join("\n")).not.toContain("hush");
  });
});

test("no text whatever makes it throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^(\[[a-z.]{1,9}\]\n|[a-z_]{1,9} = ("[^"\n]*"|\d+|\[\]|true)\n){0,6}$/)),
      (text) => {
        expect(["done", "invalid"]).toContain(parse(text).kind);
      },
    ),
  );
});
