import { describe, expect, test } from "bun:test";
import { parseConfig } from "../config/load.ts";
import { formatMistake } from "../config/mistake.ts";
import { parseCommandLine } from "./command-line.ts";
import { configPath, SERVE, toOptionValues } from "./serve-options.ts";

const parse = (...args: string[]) => {
  const line = parseCommandLine(SERVE, args);
  expect(line.mistakes).toEqual([]);
  return parseConfig({ commandLine: toOptionValues(line.options) });
};
const config = (...args: string[]) => {
  const result = parse(...args);
  if (result.kind === "invalid") throw new Error(result.mistakes.map(formatMistake).join("\n"));
  return result.value;
};

describe("options of serve", () => {
  test("no option, no change", () => {
    expect(toOptionValues([])).toEqual([]);
  });

  test("every option reaches its key", () => {
    const made = config(
      ...["-l", "127.0.0.2", "--listen", "::1", "-p", "0", "-u", "alice:a:b", "--user", "bob:c"],
      ...["-L", "127.0.0.3", "-P", "8081", "-U", "root:toor", "--admin-transport", "udp", "--admin-udp-port", "9"],
      ...["--doh", "https://dns.example/", "--doh", "http://[::1]/q", "--doh-method", "get"],
      ...["--buffer-size", "300", "--splice", "off", "--sockets", "bun", "--access-log", "/var/log/sockeye.log"],
    );
    expect(made.socks.listen.map(({ address, port }) => [address, port])).toEqual([
      ["127.0.0.2", 0],
      ["::1", 0],
    ]);
    expect(made.users).toEqual([
      { name: "alice", secret: { kind: "plain", password: "a:b" } },
      { name: "bob", secret: { kind: "plain", password: "c" } },
    ]);
    expect(made.socks.auth).toBe("users");
    expect(made.admin).toMatchObject({
      listen: ["127.0.0.3"],
      port: 8081,
      transport: "udp",
      udpPort: 9,
      user: { name: "root", secret: { kind: "plain", password: "toor" } },
    });
    expect(made.dns.servers.map(({ url }) => url)).toEqual(["https://dns.example/", "http://[::1]/q"]);
    expect(made.dns.method).toBe("get");
    expect(made.relay.bufferSize).toBe(300);
    expect(made.relay.splice).toBe("off");
    expect(made.relay.sockets).toBe("bun");
    expect(made.accessLog.path).toBe("/var/log/sockeye.log");
  });

  test("the last of an option that is not repeatable counts", () => {
    expect(config("-p", "1", "-p", "2").socks.listen[0]?.port).toBe(2);
    expect(
      configPath([
        { long: "--config", value: "a" },
        { long: "--config", value: "b" },
      ]),
    ).toBe("b");
  });

  test.each(["http", "-1", "65536", "1e3", "0x50", "8 0", "", "1.5"])("--port %p is a mistake", (port) => {
    const result = parse(`--port=${port}`);
    expect(result.kind === "invalid" && result.mistakes.map(({ path }) => path)).toEqual(["--port"]);
  });

  test.each(["alice", "alice:", ":secret", `${"x".repeat(256)}:secret`])("--user %p is a mistake", (user) => {
    const result = parse("--user", user);
    expect(result.kind === "invalid" && result.mistakes.map(({ path }) => path)).toEqual(["--user"]);
    expect(JSON.stringify(result)).not.toContain("secret");
  });
});
