/**
 * The resolver of the proxy: every way to an address in its order. IP literals and names that are no host names never
 * leave; `localhost` is loopback; then the hosts file, the cache, the DNS-over-HTTP servers; and the system's resolver
 * only where it is the only one, or the configuration says so.
 */

import { formatIp, parseIp } from "../bytes/ip.ts";
import type { Clock } from "../ports/clock.ts";
import type { Resolution, ResolutionWatch, Resolver } from "../ports/resolver.ts";
import { isLocalhost, judgeHostName } from "../protocol/dns/host-name.ts";
import type { AnswerSource, Outcome, TimedOutcome } from "./answer-source.ts";
import { STALE_PATIENCE_MS } from "./caching-source.ts";
import type { HostsFile } from "./hosts-file.ts";

export interface NameResolverOptions {
  readonly clock: Clock;
  /** Answers by DNS over HTTP, cached; without it, the system resolves. */
  readonly source: AnswerSource | undefined;
  /** Read where `source` answers; the system's resolver reads it itself. */
  readonly hosts: HostsFile | undefined;
  /** The system's resolver: where there is no `source`, and where it stands in when the source fails. */
  readonly system: Resolver | undefined;
  /** For everything about a name, in milliseconds: where the system stands in for the source, it has what is left. */
  readonly timeoutMs: number;
  /** The families that are asked for: 4, 6, or both. */
  readonly families: readonly (4 | 6)[];
  /** Brings addresses into the order in which they are to be tried. */
  readonly sort: (addresses: readonly string[]) => readonly string[];
}

const NO_ADDRESSES: readonly string[] = [];
const LOOPBACK: readonly string[] = ["::1", "127.0.0.1"];

export class NameResolver implements Resolver {
  readonly #options: NameResolverOptions;

  constructor(options: NameResolverOptions) {
    this.#options = options;
  }

  resolve(name: string, watch: ResolutionWatch = {}): Resolution | Promise<Resolution> {
    const literal = parseIp(name);
    if (literal !== undefined) return this.#local("literal", name, [formatIp(literal)], watch);
    const judged = judgeHostName(name);
    if (judged.kind === "invalid") return { kind: "not-found", detail: judged.detail };
    if (isLocalhost(judged.name)) return this.#local("localhost", judged.name, LOOPBACK, watch);
    const { source, hosts, system } = this.#options;
    const listed = hosts?.addressesOf(judged.name) ?? [];
    if (listed.length > 0) return this.#local("hosts", judged.name, listed, watch);
    if (source !== undefined) {
      if (system === undefined) return this.#askSource(source, judged.name, watch);
      const deadlineMs = this.#options.clock.nowMs() + this.#options.timeoutMs;
      const resolution = this.#askSource(source, judged.name, watch);
      const orSystem = (said: Resolution) =>
        said.kind === "failed" ? this.#askSystem(system, name, watch, deadlineMs) : said;
      return resolution instanceof Promise ? resolution.then(orSystem) : orSystem(resolution);
    }
    return system === undefined
      ? { kind: "failed", detail: "no resolver is configured" }
      : this.#askSystem(system, name, watch);
  }

  /** What is known without asking anybody. */
  #local(
    source: "literal" | "localhost" | "hosts",
    name: string,
    addresses: readonly string[],
    watch: ResolutionWatch,
  ): Resolution {
    watch.onStep?.({ source, detail: `${name}: ${addresses.join(", ")}`, ms: 0 });
    return this.#found(addresses, watch);
  }

  #askSource(source: AnswerSource, name: string, watch: ResolutionWatch): Resolution | Promise<Resolution> {
    const answers: (TimedOutcome | Promise<TimedOutcome>)[] = [];
    const known: Outcome[] = [];
    //= rfc8305#3/both-at-once
    for (const family of this.#options.families) {
      const answer = source.ask({ name, type: family === 6 ? "AAAA" : "A" }, watch.onStep);
      answers.push(answer);
      if (!(answer instanceof Promise)) known.push(answer.outcome);
    }
    return known.length === answers.length ? this.#conclude(known, watch) : this.#await(answers, watch);
  }

  /**
   * Waits for the answers of all families; but with an old answer for one of them, the others are worth no longer wait than
   * a new one in its place: servers that have let that one grow old let these down, too.
   */
  async #await(
    answers: readonly (TimedOutcome | Promise<TimedOutcome>)[],
    watch: ResolutionWatch,
  ): Promise<Resolution> {
    const { clock, families } = this.#options;
    const impatience = Promise.withResolvers<undefined>();
    let isOver = false;
    let hasStale = false;
    let isLate = false;
    const timer = clock.setTimer(STALE_PATIENCE_MS, () => {
      isLate = true;
      if (hasStale) impatience.resolve(undefined);
    });
    const said: Outcome[] = families.map((family) => ({
      kind: "failed",
      detail: `no answer for IPv${family} in time`,
    }));
    const all = answers.map(async (answer, index): Promise<void> => {
      const { outcome, isStale } = await answer;
      if (isOver) return;
      said[index] = outcome;
      if (outcome.kind !== "addresses") return;
      watch.onFamily?.(families[index] === 6 ? 6 : 4, outcome.addresses);
      hasStale ||= isStale === true;
      if (hasStale && isLate) impatience.resolve(undefined);
    });
    await Promise.race([Promise.all(all), impatience.promise]);
    isOver = true;
    timer.cancel();
    return this.#conclude(said, watch);
  }

  /** What the answers for all families say together. */
  #conclude(outcomes: readonly Outcome[], watch: ResolutionWatch): Resolution {
    let addresses: readonly string[] = NO_ADDRESSES;
    for (const outcome of outcomes) {
      if (outcome.kind !== "addresses") continue;
      // Most names have addresses of one family.
      addresses = addresses === NO_ADDRESSES ? outcome.addresses : [...addresses, ...outcome.addresses];
    }
    if (addresses.length > 0) return this.#found(addresses, watch);
    const failure = outcomes.find((outcome) => outcome.kind === "failed");
    if (failure !== undefined) return failure;
    const details = outcomes.map((outcome) => (outcome.kind === "none" ? outcome.detail : ""));
    return { kind: "not-found", detail: [...new Set(details)].join("; ") };
  }

  /** @param deadlineMs - By default the system's resolver has a limit of its own, which is the same. */
  async #askSystem(
    system: Resolver,
    name: string,
    watch: ResolutionWatch,
    deadlineMs = Number.POSITIVE_INFINITY,
  ): Promise<Resolution> {
    const startMs = this.#options.clock.nowMs();
    const asked = system.resolve(name);
    const resolution = await (deadlineMs === Number.POSITIVE_INFINITY ? asked : this.#inTime(asked, deadlineMs));
    const said = resolution.kind === "addresses" ? resolution.addresses.join(", ") : resolution.detail;
    watch.onStep?.({ source: "system", detail: `${name}: ${said}`, ms: this.#options.clock.nowMs() - startMs });
    return resolution.kind === "addresses" ? this.#found(resolution.addresses, watch) : resolution;
  }

  async #inTime(asked: Resolution | Promise<Resolution>, deadlineMs: number): Promise<Resolution> {
    const { clock, timeoutMs } = this.#options;
    const late = Promise.withResolvers<Resolution>();
    const timer = clock.setTimer(Math.max(0, deadlineMs - clock.nowMs()), () => {
      late.resolve({ kind: "failed", detail: `no answer within ${timeoutMs} ms, the system's resolver included` });
    });
    const resolution = await Promise.race([asked, late.promise]);
    timer.cancel();
    return resolution;
  }

  /** The addresses of the families that are wanted, in order; whoever watches families sorts for himself. */
  #found(addresses: readonly string[], watch: ResolutionWatch): Resolution {
    const { families, sort } = this.#options;
    const isWanted = (address: string) => families.includes(address.includes(":") ? 6 : 4);
    const wanted = families.length === 2 ? addresses : addresses.filter(isWanted);
    if (wanted.length === 0) {
      return { kind: "not-found", detail: `the name has no IPv${families.join(" or IPv")} address` };
    }
    return { kind: "addresses", addresses: watch.onFamily === undefined ? sort(wanted) : wanted };
  }
}
