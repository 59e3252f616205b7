/** Answers from DNS-over-HTTP servers, several of them, in order, with a memory of which one is down. */

import type { Clock } from "../ports/clock.ts";
import type { DnsCounters } from "../ports/dns-counters.ts";
import type { Answer } from "../protocol/dns/answer.ts";
import { CNAME_CHAIN_MAX } from "../protocol/dns/constants.ts";
import { isLocalhost, judgeHostName } from "../protocol/dns/host-name.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { AnswerSource, OnStep, TimedOutcome } from "./answer-source.ts";
import type { DohReply, DohServer, QueryOptions } from "./doh-server.ts";
import { QUERIES_UNDER_WAY_MAX, QueryPlaces } from "./query-places.ts";

export interface DohTimeouts {
  /** One query to one server. */
  readonly queryMs: number;
  /** Everything for one question, over all servers and aliases. */
  readonly resolutionMs: number;
}

/** What is left for each server that has not been asked yet, at the least, while there is as much. */
const TIME_LEFT_MS = 500;

type Round =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly detail: string };

/** How often each server was asked one question; infinite when it need not be asked again. BOUNDED by the servers. */
type Tries = Map<DohServer, number>;

/** Implements {@link AnswerSource} by RFC 8484. */
export class DohSource implements AnswerSource {
  readonly #servers: readonly DohServer[];
  readonly #timeouts: DohTimeouts;
  readonly #clock: Clock;
  readonly #counters: DnsCounters;
  readonly #placesMax: number;
  readonly #places: QueryPlaces<DohServer>;

  /** @param servers - At least one, in the order in which they are to be asked. */
  constructor(servers: readonly DohServer[], timeouts: DohTimeouts, clock: Clock, counters: DnsCounters) {
    this.#servers = servers;
    this.#timeouts = timeouts;
    this.#clock = clock;
    this.#counters = counters;
    this.#placesMax = Math.max(1, Math.floor(QUERIES_UNDER_WAY_MAX / servers.length));
    this.#places = new QueryPlaces(this.#placesMax, clock);
  }

  async ask(question: Question, onStep?: OnStep): Promise<TimedOutcome> {
    const deadlineMs = this.#clock.nowMs() + this.#timeouts.resolutionMs;
    let { name } = question;
    let ttlS = Number.POSITIVE_INFINITY;
    for (let hops = 0; ; ) {
      const round = await this.#askAll({ name, type: question.type }, deadlineMs, onStep);
      if (round.kind === "failed") return { outcome: round, ttlS: 0 };
      const { answer } = round;
      hops += answer.aliases.length;
      if (hops > CNAME_CHAIN_MAX) {
        return { outcome: { kind: "failed", detail: `more than ${CNAME_CHAIN_MAX} CNAMEs, or a loop` }, ttlS: 0 };
      }
      ttlS = Math.min(ttlS, answer.ttlS ?? 0);
      switch (answer.kind) {
        case "addresses":
          return { outcome: { kind: "addresses", addresses: answer.addresses }, ttlS };
        case "no-name":
          return { outcome: { kind: "none", detail: "the name does not exist" }, ttlS };
        case "no-data":
          return { outcome: { kind: "none", detail: `the name has no ${question.type} record` }, ttlS };
        case "alias": {
          const fault = faultOfAlias(answer.target);
          if (fault !== undefined) return { outcome: { kind: "none", detail: fault }, ttlS };
          name = answer.target;
          break;
        }
        default:
          answer satisfies never;
      }
    }
  }

  /**
   * Asks server after server until one answers, each once before any of them again: a server that fails is asked as many
   * times as it has addresses.
   */
  async #askAll(question: Question, deadlineMs: number, onStep: OnStep | undefined): Promise<Round> {
    const failures: string[] = [];
    const tries: Tries = new Map(this.#servers.map((server) => [server, 0]));
    while (this.#clock.nowMs() < deadlineMs && this.#servers.some((server) => isOpen(server, tries))) {
      const server = this.#take(tries) ?? (await this.#waitForPlace(tries, deadlineMs));
      if (server === undefined) {
        failures.push(`no server could be asked: ${this.#placesMax} queries are under way to each`);
        break;
      }
      const reply = await this.#askOne(server, question, this.#timeFor(tries, deadlineMs), onStep);
      this.#places.release(server);
      if (reply.kind === "answer") return reply;
      failures.push(`${server.name}: ${reply.detail}`);
      tries.set(server, reply.blame === "server" ? (tries.get(server) ?? 0) + 1 : Number.POSITIVE_INFINITY);
    }
    if (failures.length === 0) failures.push(`no answer within ${this.#timeouts.resolutionMs} ms`);
    return { kind: "failed", detail: [...new Set(failures)].join("; ") };
  }

  /**
   * The server whose turn it is, with a place taken there; nothing when there is no place. The least tried come first, of those
   * the ones that are up, in their order, and then those that are down. Whoever finds the servers full that are up does not
   * go to those that are down.
   */
  #take(tries: Tries): DohServer | undefined {
    const nowMs = this.#clock.nowMs();
    const open = this.#servers.filter((server) => isOpen(server, tries));
    const least = Math.min(...open.map((server) => tries.get(server) ?? 0));
    const next = open.filter((server) => tries.get(server) === least);
    const promising = next.filter((server) => server.health.isPromising(nowMs));
    const wanted = promising.length > 0 ? promising : next.sort((a, b) => a.health.downUntilMs - b.health.downUntilMs);
    const server = wanted.find((each) => this.#places.isFree(each));
    if (server !== undefined) this.#places.take(server);
    return server;
  }

  #waitForPlace(tries: Tries, deadlineMs: number): Promise<DohServer | undefined> {
    const timeoutMs = Math.min(this.#timeouts.queryMs, deadlineMs - this.#clock.nowMs());
    return this.#places.wait(() => this.#take(tries), timeoutMs);
  }

  /** How long the next query may take, and whether a server that is silent for so long is to blame. */
  #timeFor(tries: Tries, deadlineMs: number): QueryOptions {
    const untried = [...tries.values()].filter((count) => count === 0).length;
    const timeoutMs = this.#share(deadlineMs - this.#clock.nowMs(), untried - 1);
    return { timeoutMs, isFullTime: timeoutMs >= this.#share(this.#timeouts.resolutionMs, this.#servers.length - 1) };
  }

  /** One query's part of the time, when `othersCount` servers are to be asked after it. */
  #share(remainingMs: number, othersCount: number): number {
    const others = Math.max(0, othersCount);
    const spared = Math.max(remainingMs - others * TIME_LEFT_MS, remainingMs / (others + 1));
    return Math.max(1, Math.min(this.#timeouts.queryMs, spared));
  }

  async #askOne(
    server: DohServer,
    question: Question,
    options: QueryOptions,
    onStep: OnStep | undefined,
  ): Promise<DohReply> {
    const startMs = this.#clock.nowMs();
    this.#counters.queries += 1;
    const reply = await server.query(question, options);
    if (reply.kind === "failed") this.#counters.queryFailures += 1;
    const said = reply.kind === "answer" ? describe(reply.answer) : reply.detail;
    const via = `${server.name}${reply.address === undefined ? "" : ` (${reply.address})`}`;
    const ms = this.#clock.nowMs() - startMs;
    onStep?.({ source: "doh", detail: `${question.type} ${question.name}, ${via}: ${said}`, ms });
    return reply;
  }
}

/** Whether the server is worth asking: one that has said nothing useful, at an address that was not tried. */
function isOpen(server: DohServer, tries: Tries): boolean {
  return (tries.get(server) ?? 0) < Math.max(1, server.addressCount);
}

/** Why the name that a CNAME leads to may not be asked for: no client's name of this kind would be, either. */
function faultOfAlias(target: string): string | undefined {
  const judged = judgeHostName(target);
  if (judged.kind === "invalid") return `the name is an alias of ${target}, which is not asked for: ${judged.detail}`;
  return isLocalhost(judged.name) ? `the name is an alias of ${target}, which is not asked for` : undefined;
}

function describe(answer: Answer): string {
  const alias = answer.aliases.length > 0 ? `alias of ${answer.aliases.join(", ")}; ` : "";
  switch (answer.kind) {
    case "addresses":
      return `${alias}${answer.addresses.join(", ")} (TTL ${answer.ttlS} s)`;
    case "alias":
      return `${alias}which has to be asked for`;
    case "no-name":
      return `${alias}no such name`;
    case "no-data":
      return `${alias}no address`;
    default:
      return answer satisfies never;
  }
}
