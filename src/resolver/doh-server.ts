/** One DNS-over-HTTP server: how it is reached, and how it did lately. */

import { isIP } from "node:net";
import type { Clock } from "../ports/clock.ts";
import type { HttpClient } from "../ports/http-client.ts";
import type { Resolver } from "../ports/resolver.ts";
import { type Answer, decodeAnswer } from "../protocol/dns/answer.ts";
import { type DohMethod, formRequest, judgeResponse, urlOfTemplate } from "../protocol/dns/doh.ts";
import { encodeQuery, type Question } from "../protocol/dns/query.ts";

/** After a failure the server is asked last, for this long; twice as long after each further one. */
const DOWN_MS_MIN = 1000;
const DOWN_MS_MAX = 60_000;
/** How long the system's answer for the server's own name is used. */
const BOOTSTRAP_MS = 3_600_000;

export interface DohServerOptions {
  /** An `http:` or `https:` URL, or the URI template of RFC 8484 §3. */
  readonly template: string;
  readonly method: DohMethod;
  /** IP addresses of the server, where its URL has a name: then the name is never looked up. */
  readonly addresses: readonly string[];
}

export type DohReply =
  | { readonly kind: "answer"; readonly answer: Answer; readonly address: string | undefined }
  | {
      readonly kind: "failed";
      readonly detail: string;
      /** Whether it is the server that failed, not the name. */
      readonly isServerAtFault: boolean;
      readonly address: string | undefined;
    };

export class DohServer {
  /** How it is called in logs. */
  readonly name: string;
  readonly #options: DohServerOptions;
  readonly #http: HttpClient;
  readonly #bootstrap: Resolver;
  readonly #clock: Clock;
  readonly #hostname: string;
  /** Never empty once found. BOUNDED by the configuration or by the bootstrap resolver. */
  #addresses: readonly string[];
  #addressesUntilMs = Number.POSITIVE_INFINITY;
  /** Which of the addresses is used; the next one after a failure. */
  #addressIndex = 0;
  #downUntilMs = Number.NEGATIVE_INFINITY;
  #downSinceMs = Number.NEGATIVE_INFINITY;
  #downMs = 0;

  /** @param bootstrap - Asked for the server's own name only, and only when there is neither literal nor address. */
  constructor(options: DohServerOptions, http: HttpClient, bootstrap: Resolver, clock: Clock) {
    this.#options = options;
    this.#http = http;
    this.#bootstrap = bootstrap;
    this.#clock = clock;
    const url = urlOfTemplate(options.template);
    this.name = url;
    this.#hostname = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
    this.#addresses = isIP(this.#hostname) === 0 ? options.addresses : [this.#hostname];
  }

  /** When a server that is down counts as up again; in the past when it is up. */
  get downUntilMs(): number {
    return this.#downUntilMs;
  }

  isDown(nowMs: number): boolean {
    return nowMs < this.#downUntilMs;
  }

  /** How many addresses the server is known to have; one that has several is tried again at the next one. */
  get addressCount(): number {
    return this.#addresses.length;
  }

  noteUp(): void {
    this.#downUntilMs = Number.NEGATIVE_INFINITY;
    this.#downMs = 0;
  }

  /**
   * Takes note of a failure of the server's.
   *
   * @param askedMs - When the query that failed was sent: of several that were under way together, one counts.
   */
  noteDown(askedMs: number, nowMs: number): void {
    if (askedMs < this.#downSinceMs) return;
    this.#downSinceMs = nowMs;
    this.#downMs = Math.min(DOWN_MS_MAX, Math.max(DOWN_MS_MIN, this.#downMs * 2));
    this.#downUntilMs = nowMs + this.#downMs;
    this.#addressIndex += 1;
    // The system may know better by now.
    if (this.#addressesUntilMs !== Number.POSITIVE_INFINITY) this.#addressesUntilMs = nowMs;
  }

  /** Asks one question once. Never rejects. */
  async query(question: Question, timeoutMs: number): Promise<DohReply> {
    const startMs = this.#clock.nowMs();
    const address = await this.#address(timeoutMs);
    if (typeof address !== "string") return address;
    const request = formRequest(this.#options.template, this.#options.method, encodeQuery(question));
    const remainingMs = timeoutMs - (this.#clock.nowMs() - startMs);
    const outcome = await this.#http.send(request, { address, timeoutMs: Math.max(1, Math.ceil(remainingMs)) });
    const failed = (detail: string, isServerAtFault = true): DohReply => ({
      kind: "failed",
      detail,
      isServerAtFault,
      address,
    });
    if (outcome.kind === "failed") return failed(outcome.detail);
    const judged = judgeResponse(outcome);
    if (judged.kind === "failed") return failed(judged.detail);
    const decoded = decodeAnswer(judged.message, question);
    if (decoded.kind === "invalid") return failed(decoded.fault.detail, decoded.fault.code !== "rcode");
    return { kind: "answer", answer: aged(decoded.value, judged.ageS), address };
  }

  /** The address to connect to, or the failure to find one. */
  async #address(timeoutMs: number): Promise<string | DohReply> {
    const isFresh = this.#addresses.length > 0 && this.#clock.nowMs() < this.#addressesUntilMs;
    if (!isFresh) {
      const detail = await this.#lookUpServer(timeoutMs);
      if (this.#addresses.length === 0) {
        return { kind: "failed", detail, isServerAtFault: true, address: undefined };
      }
    }
    const address = this.#addresses[this.#addressIndex % this.#addresses.length];
    if (address === undefined) throw new Error("an address list that is not empty has no address");
    return address;
  }

  /** Asks the system for the server's own name; keeps the addresses that were known when it does not say. */
  async #lookUpServer(timeoutMs: number): Promise<string> {
    const timeout = Promise.withResolvers<undefined>();
    const timer = this.#clock.setTimer(timeoutMs, () => timeout.resolve(undefined));
    const resolution = await Promise.race([this.#bootstrap.resolve(this.#hostname), timeout.promise]);
    timer.cancel();
    if (resolution === undefined) return `the server's name was not resolved within ${timeoutMs} ms`;
    if (resolution.kind !== "addresses") return `the server's name: ${resolution.detail}`;
    this.#addresses = resolution.addresses;
    this.#addressesUntilMs = this.#clock.nowMs() + BOOTSTRAP_MS;
    return "";
  }
}

/** The answer with the seconds taken off that it has lain in HTTP caches. */
function aged(answer: Answer, ageS: number): Answer {
  if (ageS === 0 || answer.ttlS === undefined) return answer;
  //= rfc8484#5.1/age
  return { ...answer, ttlS: Math.max(0, answer.ttlS - ageS) } as Answer;
}
