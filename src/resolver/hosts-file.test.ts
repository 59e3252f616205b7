import { describe, expect, test } from "bun:test";
import { unlinkSync, writeFileSync } from "node:fs";
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
    const note = (message: string) => {
      warnings.push(message);
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
    writeFileSync(path, "192.0.2.1 a.example\n".padEnd(HOSTS_BYTES_MAX + 1, "#"));
    const { hosts, warnings } = setUp(path);
    expect(hosts.addressesOf("a.example")).toEqual([]);
    expect(warnings).toEqual(["the hosts file is too long and is not used"]);
  });

  test("a path that is no file warns, and has no entries", () => {
    using scratch = scratchDir();
    const { hosts, warnings } = setUp(scratch.path);
    expect(hosts.addressesOf("a.example")).toEqual([]);
    expect(warnings).toEqual(["the hosts file cannot be read"]);
  });
});
