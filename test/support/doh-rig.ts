/** DNS-over-HTTP servers that reply as a script says, without HTTP and on a clock that a test moves. */

import { type DnsCounters, zeroDnsCounters } from "../../src/ports/dns-counters.ts";
import type { HttpClient, HttpOutcome } from "../../src/ports/http-client.ts";
import type { Resolver } from "../../src/ports/resolver.ts";
import type { Question } from "../../src/protocol/dns/query.ts";
import type { TimedOutcome } from "../../src/resolver/answer-source.ts";
import { DohServer, type DohServerOptions } from "../../src/resolver/doh-server.ts";
import { DohSource, type DohTimeouts } from "../../src/resolver/doh-source.ts";
import { a, response } from "./dns-message.ts";
import { ManualClock } from "./manual-clock.ts";

export const NAME = "www.example.org";
export const QUESTION: Question = { name: NAME, type: "A" };

export const message = (body: Uint8Array, age?: string): HttpOutcome => ({
  kind: "response",
  status: 200,
  contentType: "application/dns-message",
  age,
  body,
});
export const GOOD: HttpOutcome = message(response(NAME, "A", { answers: [a(NAME, "192.0.2.1", 300)] }));
export const rcode = (code: number): HttpOutcome => message(response(NAME, "A", { rcode: code }));
export const SERVFAIL: HttpOutcome = rcode(2);
export const REFUSED: HttpOutcome = rcode(5);
export const DOWN: HttpOutcome = { kind: "failed", detail: "ECONNREFUSED" };
export const httpStatus = (status: number): HttpOutcome => ({ ...GOOD, kind: "response", status }) as HttpOutcome;

export type Reply = HttpOutcome | ((address: string, timeoutMs: number) => HttpOutcome | Promise<HttpOutcome>);

export interface RigOptions {
  readonly server?: Partial<DohServerOptions>;
  readonly bootstrap?: Resolver;
  readonly timeouts?: DohTimeouts;
}

export interface DohRig {
  readonly clock: ManualClock;
  readonly counters: DnsCounters;
  /** "host address", one for each query in the order in which they were sent. */
  readonly sent: string[];
  readonly steps: string[];
  /** What the servers say from now on. */
  readonly replies: Record<string, Reply>;
  readonly silent: Reply;
  ask(question?: Question): Promise<TimedOutcome>;
  /** Moves time on, when all has happened that happens without time passing; and lets happen what follows. */
  elapse(ms: number): Promise<void>;
}

/** @param replyOf - What each server says, by its host, in the order in which they are to be asked. */
export function dohRig(replyOf: (silent: Reply) => Record<string, Reply>, options: RigOptions = {}): DohRig {
  const clock = new ManualClock();
  /** Says nothing until the time is over. */
  const silent: Reply = (_, timeoutMs) =>
    new Promise((resolve) => {
      const detail = `no complete response within ${timeoutMs} ms`;
      clock.setTimer(timeoutMs, () => resolve({ kind: "failed", detail, isTimeout: true }));
    });
  const replies = replyOf(silent);
  const counters = zeroDnsCounters();
  const sent: string[] = [];
  const steps: string[] = [];
  const nobody: Resolver = { resolve: () => Promise.resolve({ kind: "failed", detail: "nobody was to be asked" }) };
  const servers = Object.keys(replies).map((host) => {
    const client: HttpClient = {
      send: async (_, { address, timeoutMs }) => {
        sent.push(`${host} ${address}`);
        const reply = replies[host] ?? DOWN;
        return typeof reply === "function" ? reply(address, timeoutMs) : reply;
      },
      close: () => sent.push("closed"),
    };
    const given = { template: `https://${host}/dns-query`, method: "post", addresses: [], ...options.server } as const;
    return new DohServer(given, client, options.bootstrap ?? nobody, clock);
  });
  const timeouts = options.timeouts ?? { queryMs: 1000, resolutionMs: 3000 };
  const source = new DohSource(servers, timeouts, clock, counters);
  return {
    clock,
    counters,
    sent,
    steps,
    replies,
    silent,
    ask: (question = QUESTION) => source.ask(question, (step) => steps.push(step.detail)),
    elapse: async (ms) => {
      await Bun.sleep(0);
      clock.advance(ms);
      await Bun.sleep(0);
    },
  };
}
