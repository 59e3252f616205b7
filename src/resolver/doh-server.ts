/** One DNS-over-HTTP server: how it is asked, and what its replies say about itself. */

import type { Clock } from "../ports/clock.ts";
import type { HttpClient } from "../ports/http-client.ts";
import type { Resolver } from "../ports/resolver.ts";
import { type Answer, decodeAnswer } from "../protocol/dns/answer.ts";
import { type Blame, blameForMessage, blameForStatus } from "../protocol/dns/blame.ts";
import { type DohMethod, formRequest, judgeResponse, urlOfTemplate } from "../protocol/dns/doh.ts";
import { encodeQuery, type Question } from "../protocol/dns/query.ts";
import { ServerAddresses } from "./server-addresses.ts";
import { ServerHealth } from "./server-health.ts";

export interface DohServerOptions {
  /** An `http:` or `https:` URL, or the URI template of RFC 8484 §3. */
  readonly template: string;
  readonly method: DohMethod;
  /** IP addresses of the server, where its URL has a name: then the name is never looked up. */
  readonly addresses: readonly string[];
}

export interface QueryOptions {
  readonly timeoutMs: number;
  /** Whether that is as long as a server may expect: silence beyond it speaks against the server. */
  readonly isFullTime: boolean;
}

export type DohReply =
  | { readonly kind: "answer"; readonly answer: Answer; readonly address: string | undefined }
  | {
      readonly kind: "failed";
      readonly detail: string;
      readonly blame: Blame;
      /** Whether it is silence that ended it. */
      readonly isTimeout: boolean;
      readonly address: string | undefined;
    };

export class DohServer {
  /** How it is called in logs. */
  readonly name: string;
  readonly health: ServerHealth = new ServerHealth();
  readonly #options: DohServerOptions;
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #addresses: ServerAddresses;

  /** @param bootstrap - Asked for the server's own name only, and only when there is neither literal nor address. */
  constructor(options: DohServerOptions, http: HttpClient, bootstrap: Resolver, clock: Clock) {
    this.#options = options;
    this.#http = http;
    this.#clock = clock;
    const url = urlOfTemplate(options.template);
    this.name = url;
    const hostname = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
    this.#addresses = new ServerAddresses(hostname, options.addresses, bootstrap, clock);
  }

  /** How many addresses the server is known to have; one that has several is tried again at the next one. */
  get addressCount(): number {
    return this.#addresses.count;
  }

  /** Asks one question once, and takes note of what the outcome says about the server. Never rejects. */
  async query(question: Question, options: QueryOptions): Promise<DohReply> {
    const askedMs = this.#clock.nowMs();
    const isTrial = this.health.beginTrial(askedMs);
    const reply = await this.#exchange(question, options.timeoutMs);
    if (isTrial) this.health.endTrial();
    this.#note(reply, askedMs, options.isFullTime);
    return reply;
  }

  #note(reply: DohReply, askedMs: number, isFullTime: boolean): void {
    const nowMs = this.#clock.nowMs();
    if (reply.kind === "answer" || reply.blame === "name") {
      this.health.noteUp();
    } else if (reply.blame === "refusal") {
      this.health.noteRefusal(askedMs, nowMs);
    } else {
      if (reply.isTimeout && !isFullTime) return;
      this.health.noteDown(askedMs, nowMs);
      if (reply.address !== undefined) this.#addresses.noteFailure(reply.address);
    }
  }

  async #exchange(question: Question, timeoutMs: number): Promise<DohReply> {
    const startMs = this.#clock.nowMs();
    const found = await this.#addresses.current(timeoutMs);
    if (found.kind === "none") {
      return { kind: "failed", detail: found.detail, blame: "server", isTimeout: found.isTimeout, address: undefined };
    }
    const { address } = found;
    const request = formRequest(this.#options.template, this.#options.method, encodeQuery(question));
    const remainingMs = timeoutMs - (this.#clock.nowMs() - startMs);
    const outcome = await this.#http.send(request, { address, timeoutMs: Math.max(1, Math.ceil(remainingMs)) });
    const failed = (detail: string, blame: Blame, isTimeout = false): DohReply => ({
      kind: "failed",
      detail,
      blame,
      isTimeout,
      address,
    });
    if (outcome.kind === "failed") return failed(outcome.detail, "server", outcome.isTimeout === true);
    const judged = judgeResponse(outcome);
    if (judged.kind === "failed") return failed(judged.detail, blameForStatus(outcome.status));
    const decoded = decodeAnswer(judged.message, question);
    if (decoded.kind === "invalid") {
      return failed(decoded.fault.detail, blameForMessage(judged.message, question, decoded.fault.code));
    }
    return { kind: "answer", answer: aged(decoded.value, judged.ageS), address };
  }
}

/** The answer with the seconds taken off that it has lain in HTTP caches. */
function aged(answer: Answer, ageS: number): Answer {
  if (ageS === 0 || answer.ttlS === undefined) return answer;
  //= rfc8484#5.1/age
  return { ...answer, ttlS: Math.max(0, answer.ttlS - ageS) } as Answer;
}
