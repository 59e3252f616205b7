import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { scratchDir } from "../../test/support/scratch-dir.ts";
import type { Log } from "../ports/log.ts";
import { HOSTS_BYTES_MAX, HostsFile, parseHosts } from "./hosts-file.ts";

describe("parseHosts", () => {
  test("addresses, names, aliases, comments and what is none of these", () => {
    const table = parseHosts(
      [
        "# a comment",
        "192.0.2.1 one.example One.Alias   # with a comment",
        "\t2001:DB8::1\tone.example\r",
        "192.0.2.1 one.example",
        "::ffff:192.0.2.9 mapped.example",
        "not-an-address two.example",
        "192.0.2.3",
        "192.0.2.4 bad name! ok.example",
        "0x7f.1 three.example",
        "",
      ].join("\n"),
    );
    expect(Object.fromEntries(table)).toEqual({
      "one.example": ["192.0.2.1", "2001:db8::1"],
      "one.alias": ["192.0.2.1"],
      "mapped.example": ["192.0.2.9"],
      bad: ["192.0.2.4"],
      "ok.example": ["192.0.2.4"],
    });
  });
});

describe("HostsFile", () => {
  const setUp = (path: string) => {
    const warnings: string[] = [];
    const note: Log["warn"] = (message, fields) => {
      warnings.push(`${message}: ${fields?.["reason"]}`);
    };
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const clock = new ManualClock();
    return { warnings, clock, hosts: new HostsFile(path, clock, log) };
  };

  test("is read again when it has changed, and only then", () => {
    using scratch = scratchDir();
    const path = scratch.file("hosts");
    writeFileSync(path, "192.0.2.1 a.example\n");
    const { hosts, clock } = setUp(path);
    expect(hosts.addressesOf("a.example")).toEqual(["192.0.2.1"]);
    expect(hosts.addressesOf("b.example")).toEqual([]);
    writeFileSync(path, "192.0.2.22 a.example\n192.0.2.3 b.example\n");
    expect(hosts.addressesOf("b.example")).toEqual([]);
    clock.advance(1000);
    expect(hosts.addressesOf("a.example")).toEqual(["192.0.2.22"]);
    unlinkSync(path);
    clock.advance(1000);
    expect(hosts.addressesOf("a.example")).toEqual([]);
  });

  test("a file that is too long is not used, and the log says so", () => {
    using scratch = scratchDir();
    const path = scratch.file("hosts");
    const entry = "192.0.2.1 a.example\n";
    writeFileSync(path, entry.padEnd(HOSTS_BYTES_MAX, "#"));
    const { hosts, clock, warnings } = setUp(path);
    expect(hosts.addressesOf("a.example")).toEqual(["192.0.2.1"]);
    writeFileSync(path, entry.padEnd(HOSTS_BYTES_MAX + 1, "#"));
    clock.advance(1000);
    expect(hosts.addressesOf("a.example")).toEqual([]);
    expect(warnings).toEqual([`the hosts file is not used: it is longer than ${HOSTS_BYTES_MAX} bytes`]);
  });

  const NO_FILE = "it is no regular file";
  const odd: [string, string, (path: string) => void][] = [
    ["a directory", NO_FILE, (path) => mkdirSync(path)],
    ["a FIFO, which nobody writes to", NO_FILE, (path) => expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0)],
    ["a device", NO_FILE, (path) => symlinkSync("/dev/zero", path)],
    ["a symbolic link to itself", "ELOOP", (path) => symlinkSync(path, path)],
  ];
  for (const [what, reason, make] of odd) {
    test(`${what} is not used, the log says so once, and what takes its place is read`, () => {
      using scratch = scratchDir();
      const path = scratch.file("hosts");
      make(path);
      const { hosts, clock, warnings } = setUp(path);
      for (let round = 0; round < 3; round++) {
        expect(hosts.addressesOf("a.example")).toEqual([]);
        clock.advance(1000);
      }
      expect(warnings).toEqual([`the hosts file is not used: ${reason}`]);
      rmSync(path, { recursive: true });
      writeFileSync(path, "192.0.2.1 a.example\n");
      expect(hosts.addressesOf("a.example")).toEqual(["192.0.2.1"]);
    });
  }

  test("a path below a file, and one that is too long: the same", () => {
    using scratch = scratchDir();
    writeFileSync(scratch.file("file"), "");
    for (const [path, reason] of [
      [scratch.file("file/hosts"), "ENOTDIR"],
      [scratch.file("n".repeat(300)), "ENAMETOOLONG"],
    ] as const) {
      const { hosts, clock, warnings } = setUp(path);
      expect(hosts.addressesOf("a.example")).toEqual([]);
      clock.advance(1000);
      expect(hosts.addressesOf("a.example")).toEqual([]);
      expect(warnings).toEqual([`the hosts file is not used: ${reason}`]);
    }
  });

  test("a file that is not there is no reason for a warning", () => {
    using scratch = scratchDir();
    const { hosts, warnings } = setUp(scratch.file("absent"));
    expect(hosts.addressesOf("a.example")).toEqual([]);
    expect(warnings).toEqual([]);
  });
});
