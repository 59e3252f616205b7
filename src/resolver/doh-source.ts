/** Answers from DNS-over-HTTP servers, several of them, in order, with a memory of which one is down. */

import type { Clock } from "../ports/clock.ts";
import type { DnsCounters } from "../ports/dns-counters.ts";
import type { Answer } from "../protocol/dns/answer.ts";
import { CNAME_CHAIN_MAX } from "../protocol/dns/constants.ts";
import { isLocalhost, judgeHostName } from "../protocol/dns/host-name.ts";
import type { Question } from "../protocol/dns/query.ts";
import type { AnswerSource, OnStep, TimedOutcome } from "./answer-source.ts";
import type { DohReply, DohServer } from "./doh-server.ts";

export interface DohTimeouts {
  /** One query to one server. */
  readonly queryMs: number;
  /** Everything for one question, over all servers and aliases. */
  readonly resolutionMs: number;
}

type Round =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly detail: string };

/** Implements {@link AnswerSource} by RFC 8484. */
export class DohSource implements AnswerSource {
  readonly #servers: readonly DohServer[];
  readonly #timeouts: DohTimeouts;
  readonly #clock: Clock;
  readonly #counters: DnsCounters;

  /** @param servers - At least one, in the order in which they are to be asked. */
  constructor(servers: readonly DohServer[], timeouts: DohTimeouts, clock: Clock, counters: DnsCounters) {
    this.#servers = servers;
    this.#timeouts = timeouts;
    this.#clock = clock;
    this.#counters = counters;
  }

  async ask(question: Question, onStep?: OnStep): Promise<TimedOutcome> {
    const deadlineMs = this.#clock.nowMs() + this.#timeouts.resolutionMs;
    let { name } = question;
    let ttlS = Number.POSITIVE_INFINITY;
    for (let hops = 0; hops <= CNAME_CHAIN_MAX; ) {
      const round = await this.#askAll({ name, type: question.type }, deadlineMs, onStep);
      if (round.kind === "failed") return { outcome: round, ttlS: 0 };
      const { answer } = round;
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
          hops += answer.aliases.length;
          break;
        }
        default:
          answer satisfies never;
      }
    }
    return { outcome: { kind: "failed", detail: `more than ${CNAME_CHAIN_MAX} CNAMEs, or a loop` }, ttlS: 0 };
  }

  /** Asks server after server until one answers: those that are up in their order, then those that were down. */
  async #askAll(question: Question, deadlineMs: number, onStep: OnStep | undefined): Promise<Round> {
    const failures: string[] = [];
    for (const server of this.#inOrder(this.#clock.nowMs())) {
      // A server is worth as many tries as it has addresses.
      for (let triesLeft = Math.max(1, server.addressCount); triesLeft > 0; triesLeft--) {
        const startMs = this.#clock.nowMs();
        if (startMs >= deadlineMs) break;
        const reply = await this.#askOne(server, question, deadlineMs - startMs, onStep);
        if (reply.kind === "answer") return reply;
        failures.push(`${server.name}: ${reply.detail}`);
        if (!reply.isServerAtFault) break;
      }
    }
    if (failures.length === 0) failures.push(`no answer within ${this.#timeouts.resolutionMs} ms`);
    return { kind: "failed", detail: [...new Set(failures)].join("; ") };
  }

  async #askOne(
    server: DohServer,
    question: Question,
    remainingMs: number,
    onStep: OnStep | undefined,
  ): Promise<DohReply> {
    const startMs = this.#clock.nowMs();
    this.#counters.queries += 1;
    const reply = await server.query(question, Math.min(this.#timeouts.queryMs, remainingMs));
    const endMs = this.#clock.nowMs();
    const said = reply.kind === "answer" ? describe(reply.answer) : reply.detail;
    const via = `${server.name}${reply.address === undefined ? "" : ` (${reply.address})`}`;
    onStep?.({ source: "doh", detail: `${question.type} ${question.name}, ${via}: ${said}`, ms: endMs - startMs });
    if (reply.kind === "answer") {
      server.noteUp();
      return reply;
    }
    this.#counters.queryFailures += 1;
    // A server that was given less than its time may be well; one that says SERVFAIL has trouble with this name only.
    if (reply.isServerAtFault && remainingMs >= this.#timeouts.queryMs) server.noteDown(startMs, endMs);
    return reply;
  }

  #inOrder(nowMs: number): DohServer[] {
    const up = this.#servers.filter((server) => !server.isDown(nowMs));
    const down = this.#servers.filter((server) => server.isDown(nowMs));
    return [...up, ...down.sort((a, b) => a.downUntilMs - b.downUntilMs)];
  }
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
