/** The options of `sockeye serve`, each with the key of the configuration that it sets. */

import type { OptionValue } from "../config/load.ts";
import type { CommandSpec, GivenOption, OptionSpec } from "./command-line.ts";

interface ServeOption extends OptionSpec {
  readonly key: OptionValue["key"];
  readonly repeatable?: boolean;
  /** From the text of the option to what the file would have at the key; the text itself when absent. */
  readonly read?: (text: string) => unknown;
}

const OPTIONS: readonly ServeOption[] = [
  {
    short: "-l",
    long: "--listen",
    value: "ADDR",
    description: "SOCKS listen address; repeatable",
    defaultText: "127.0.0.1 and ::1",
    key: ["socks", "listen"],
    repeatable: true,
  },
  {
    short: "-p",
    long: "--port",
    value: "PORT",
    description: "SOCKS port; 0 takes a free one",
    defaultText: "1080",
    key: ["socks", "port"],
    read: readNumber,
  },
  {
    short: "-u",
    long: "--user",
    value: "NAME:PASSWORD",
    description: "a proxy user; repeatable; with any, nobody gets in without a password",
    defaultText: "none",
    key: ["users"],
    repeatable: true,
    read: readUser,
  },
  {
    short: "-L",
    long: "--admin-listen",
    value: "ADDR",
    description: "admin listen address; repeatable",
    defaultText: "127.0.0.1 and ::1",
    key: ["admin", "listen"],
    repeatable: true,
  },
  {
    short: "-P",
    long: "--admin-port",
    value: "PORT",
    description: "SCTP port of the admin protocol; 0 takes a free one",
    defaultText: "8080",
    key: ["admin", "port"],
    read: readNumber,
  },
  {
    short: "-U",
    long: "--admin",
    value: "NAME:PASSWORD",
    description: "the administrator",
    defaultText: "a generated password, kept in the state directory",
    key: ["admin", "user"],
    read: readUser,
  },
  {
    long: "--admin-transport",
    value: "auto|kernel|udp",
    description: "SCTP of the kernel, or in UDP (RFC 6951)",
    defaultText: "auto: the kernel's where it has one",
    key: ["admin", "transport"],
  },
  {
    long: "--admin-udp-port",
    value: "PORT",
    description: "UDP port of SCTP in UDP",
    defaultText: "9899",
    key: ["admin", "udp_port"],
    read: readNumber,
  },
  {
    long: "--doh",
    value: "URL",
    description: "resolve names by RFC 8484 at this http:// or https:// URL; repeatable, tried in order",
    defaultText: "none: the system's resolver",
    key: ["dns", "servers"],
    repeatable: true,
  },
  {
    long: "--doh-method",
    value: "post|get",
    description: "how those queries are sent",
    defaultText: "post",
    key: ["dns", "method"],
  },
  {
    long: "--buffer-size",
    value: "BYTES",
    description: "relay buffer, 300 to 16777216",
    defaultText: "65536",
    key: ["relay", "buffer_size"],
    read: readNumber,
  },
  {
    long: "--splice",
    value: "auto|always|off",
    description: "which tunnels Linux moves by splice(2)",
    defaultText: "auto: those that move much",
    key: ["relay", "splice"],
  },
  {
    long: "--sockets",
    value: "auto|bun",
    description: "whose sockets serve clients",
    defaultText: "auto: our own on Linux",
    key: ["relay", "sockets"],
  },
  {
    long: "--access-log",
    value: "PATH",
    description: 'one line of JSON for each finished request; "-" is stdout, "off" is none',
    defaultText: "-",
    key: ["access_log", "path"],
  },
  {
    long: "--workers",
    value: "N",
    description: 'processes sharing the port; "auto" is one a core',
    defaultText: "1",
    key: ["process", "workers"],
    read: readNumber,
  },
];

/** The options about names, which `sockeye resolve` has, too. */
export const NAME_OPTIONS: readonly OptionSpec[] = OPTIONS.filter(({ key }) => key[0] === "dns");

/** `-c`, which `sockeye config` has, too. */
export const CONFIG_OPTION: OptionSpec = {
  short: "-c",
  long: "--config",
  value: "FILE",
  description: "configuration file (TOML); options given here win over it",
  defaultText: "none",
};

export const SERVE: CommandSpec = {
  name: "serve",
  description: "Starts the proxy.",
  options: [CONFIG_OPTION, ...OPTIONS],
  epilogue: `Examples:
  sockeye serve                                        a proxy for this machine, at 127.0.0.1:1080 and [::1]:1080
  sockeye serve --listen 192.0.2.1 --user alice:secret a proxy for others, who need a password
  sockeye serve --config /etc/sockeye.toml

Passwords given as options can be seen by others on this machine for a moment; a configuration file with mode 0600, or
hashes made by 'sockeye hash-password', are safer.

Signals:
  SIGTERM, SIGINT  stop accepting, wait for open tunnels, exit 0; a second one exits at once
  SIGHUP           read the configuration again and reopen the logs; open tunnels stay`,
};

/** The options that set keys of the configuration, as values for it. */
export function toOptionValues(given: readonly GivenOption[]): OptionValue[] {
  return given.flatMap(({ long, value }) => {
    const option = OPTIONS.find((candidate) => candidate.long === long);
    if (option === undefined || value === undefined) return [];
    const { key, repeatable = false, read = (text: string) => text } = option;
    return [{ option: long, key, value: read(value), repeatable }];
  });
}

/** The file that was named last. */
export function configPath(given: readonly GivenOption[]): string | undefined {
  return given.findLast(({ long }) => long === CONFIG_OPTION.long)?.value;
}

/** A decimal number; what is none stays text, and so becomes a mistake when it is judged. */
function readNumber(text: string): unknown {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** NAME:PASSWORD, parted at the first colon; without a colon it stays text, and so becomes a mistake. */
function readUser(text: string): unknown {
  const colon = text.indexOf(":");
  return colon < 0 ? text : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
