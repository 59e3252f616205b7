/** `sockeye resolve`: what the proxy would do with a name, step by step, without connecting anywhere. */

import { CertificateError, familiesOf, openNameResolution } from "../app/name-resolution.ts";
import { destinationSorter, outgoingOf } from "../app/outgoing.ts";
import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { formatMistake, type Mistake } from "../config/mistake.ts";
import { RouteTable } from "../net/route-table.ts";
import { systemClock } from "../net/system-clock.ts";
import { escapeControls } from "../observe/escape-controls.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Log, LogFields } from "../ports/log.ts";
import { AccessRules } from "../proxy/access-rules.ts";
import { dialOptionsFor, type OutgoingWay, wayOf } from "../proxy/outgoing.ts";
import { planAttempts } from "./attempt-plan.ts";
import { type CommandSpec, formatHelp, formatMistakes, parseCommandLine } from "./command-line.ts";
import { ExitStatus } from "./exit-status.ts";
import { CONFIG_OPTION, configPath, NAME_OPTIONS, toOptionValues } from "./serve-options.ts";
import { print } from "./standard-output.ts";

const USER_OPTION = {
  long: "--user",
  value: "NAME",
  description: "the user whose way out is taken (users[].outgoing)",
  defaultText: "none",
} as const;

const RESOLVE: CommandSpec = {
  name: "resolve",
  description: "Looks a name up as the proxy would, and says which addresses it would try, and in which order.",
  operands: [{ name: "<NAME>", description: "a host name, or an address" }],
  options: [CONFIG_OPTION, ...NAME_OPTIONS, USER_OPTION],
  epilogue: `Examples:
  sockeye resolve example.org
  sockeye resolve --config /etc/sockeye.toml example.org
  sockeye resolve --doh https://dns.example/dns-query example.org

Nothing is connected but DNS servers. The cache of a running proxy is its own and is not looked at.

Exit status: 0 there are addresses; 1 there is none; 2 wrong usage.`,
};

/** @param args - The arguments after "resolve". */
export async function run(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(RESOLVE, args);
  if (line.isHelp) {
    print(formatHelp(RESOLVE));
    return ExitStatus.Done;
  }
  const [name] = line.operands;
  const user = line.options.findLast(({ long }) => long === USER_OPTION.long)?.value;
  const result = loadConfig(configPath(line.options), toOptionValues(namesOnly(line.options)));
  const mistakes: Mistake[] = [...line.mistakes, ...(result.kind === "invalid" ? result.mistakes : [])];
  if (name === undefined) mistakes.push({ path: "argument 1", value: undefined, wanted: "the name to resolve" });
  if (result.kind === "done" && user !== undefined && !result.value.users.some((entry) => entry.name === user)) {
    mistakes.push({ path: USER_OPTION.long, value: JSON.stringify(user), wanted: "a user of the configuration" });
  }
  if (mistakes.length > 0 || name === undefined || result.kind === "invalid") {
    process.stderr.write(formatMistakes(RESOLVE.name, mistakes.map(formatMistake)));
    return ExitStatus.WrongUsage;
  }
  try {
    return await resolve(name, result.value, user);
  } catch (fault) {
    if (!(fault instanceof CertificateError)) throw fault;
    process.stderr.write(`sockeye resolve: ${fault.message}\n`);
    return ExitStatus.Failed;
  }
}

/** `--user` is an option of `serve`, too, where it means another thing. */
function namesOnly<Option extends { readonly long: string }>(options: readonly Option[]): Option[] {
  return options.filter(({ long }) => NAME_OPTIONS.some((option) => option.long === long));
}

async function resolve(name: string, config: Config, user: string | undefined): Promise<number> {
  const routes = new RouteTable();
  const sort = destinationSorter(routes, systemClock);
  const ports = { clock: systemClock, log: stderrLog, sort, counters: zeroDnsCounters() };
  const names = openNameResolution(config.dns, familiesOf(config.outgoing, config.users), ports);
  say(name);
  const resolution = await names.resolver.resolve(name, {
    onStep: ({ source, detail, ms }) =>
      say(`  ${source.padEnd(9)} ${detail}${ms > 0 ? `  [${ms.toFixed(1)} ms]` : ""}`),
  });
  names.close();
  if (resolution.kind !== "addresses") {
    say(`  ${resolution.kind.padEnd(9)} ${resolution.detail}`);
    return ExitStatus.Failed;
  }
  const outgoing = outgoingOf(config.outgoing, config.users);
  const way = wayOf(outgoing, user);
  const rules = new AccessRules(config.destinations);
  const { attemptDelayMs } = outgoing.timing;
  const noteOf = (address: string) => noteOn(address, way, routes, rules);
  const plan = planAttempts(resolution.addresses, way, outgoing.timing, sort, (address) => noteOf(address).failsAtOnce);
  say(`attempts (${way.policy}), each ${attemptDelayMs} ms after the one before, or when one fails:`);
  for (const { atMs, address } of plan) say(`  ${`${atMs} ms`.padEnd(9)} ${address}  ${noteOf(address).text}`);
  if (plan.length === 0) say(`  none: the name has no address that may be used`);
  return plan.length === 0 ? ExitStatus.Failed : ExitStatus.Done;
}

/** How the machine would go to an address, and who may not. */
function noteOn(
  address: string,
  way: OutgoingWay,
  routes: RouteTable,
  rules: AccessRules,
): { text: string; failsAtOnce: boolean } {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`a resolver gave ${JSON.stringify(address)} for an address`);
  if (!rules.allows(ip, true)) return { text: "forbidden by [destinations]", failsAtOnce: true };
  const { localAddress } = dialOptionsFor(way, ip);
  const source = localAddress ?? routes.sourceFor(ip);
  if (source === "unreachable") return { text: "no route", failsAtOnce: true };
  const from = source === undefined ? "" : `from ${formatIp(source)}`;
  const remark = rules.allows(ip, false) ? "" : ", forbidden to clients of other machines";
  return { text: `${from}${remark}`, failsAtOnce: false };
}

/** One line. What DNS servers say is in it, and the terminal is not theirs. */
const say = (text: string): void => {
  print(`${escapeControls(text)}\n`);
};

const warn = (message: string, fields: LogFields = {}): void => {
  process.stderr.write(`sockeye resolve: ${escapeControls(`${message} ${JSON.stringify(fields)}`)}\n`);
};

const stderrLog: Log = { debug: () => undefined, info: () => undefined, warn, error: warn };
