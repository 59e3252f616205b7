/**
 * The server's side of one association: authentication, one request, one response (docs/admin-protocol.md §2).
 *
 * ```txt
 *          frame complete       accepted           request complete        done
 *  login ────────────────▶ checking ────▶ request ────────────────▶ running ────▶ closed
 *    │ bad version,            │ refused      │ refused (254, 255)     │ failed      ▲
 *    │ empty field, idle       │ failed       │ idle                   │             │
 *    └─────────────────────────┴──────────────┴────────────────────────┴─────────────┘
 * ```
 *
 * The check of the credentials and the execution of the command are questions to the driver: an event out, an answer in.
 * So a slow password hash blocks nobody, and the machine needs no proxy to be tested.
 */

import type { Machine } from "../machine.ts";
import { AUTH_BYTES_MAX, type AuthFault, type Credentials, decodeAuth, encodeAuthReply } from "./auth.ts";
import type { Command } from "./commands/table.ts";
import { AuthStatus } from "./constants.ts";
import { decodeRequest, REQUEST_BYTES_MAX } from "./request.ts";
import { encodeResponse, type Refusal } from "./response.ts";

/** What the driver is to do. */
export type ServerEvent =
  /** Check these credentials, then call {@link ServerSession.answerCredentials}. The bytes are *copies*. */
  | { readonly kind: "authenticate"; readonly credentials: Credentials }
  /** Carry the command out, then call {@link ServerSession.answerCommand}. */
  | { readonly kind: "execute"; readonly command: Command }
  /** Send these bytes as one message. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** For the log: the authentication frame is no good. Its answer follows. */
  | { readonly kind: "login-malformed"; readonly fault: AuthFault }
  /** For the log: the request is not carried out. Its answer follows. */
  | { readonly kind: "request-refused"; readonly refusal: Refusal }
  /** For the log: the peer took too long over this. */
  | { readonly kind: "idle"; readonly stage: "login" | "request" }
  /** Close the association gracefully, once what was sent has arrived. The last event. */
  | { readonly kind: "close" };

/** What became of a check: `failed` when it could not be made. */
export type CredentialsVerdict = "accepted" | "refused" | "failed";

/** How far a peer has come: `authenticated` when it has proved who it is, and has not been answered. */
export type SessionStage = "login" | "checking" | "authenticated" | "closed";

export interface ServerSessionOptions {
  /**
   * How long a login, and after it a request, may take as a whole, in milliseconds: a byte now and then does not extend
   * it. 0 is no limit.
   */
  readonly idleMs: number;
}

type State =
  | { readonly kind: "login"; readonly deadlineMs: number }
  | { readonly kind: "checking" }
  | { readonly kind: "request"; readonly deadlineMs: number }
  | { readonly kind: "running"; readonly command: Command }
  | { readonly kind: "closed" };

/** No conversation is longer than the longest login and the longest request; bytes beyond are the peer's surplus. */
const INPUT_BYTES_MAX = AUTH_BYTES_MAX + REQUEST_BYTES_MAX;

export class ServerSession implements Machine<ServerEvent> {
  readonly #options: ServerSessionOptions;
  #state: State;
  /** What arrived and is not consumed. BOUNDED by INPUT_BYTES_MAX. */
  readonly #input: Uint8Array = new Uint8Array(INPUT_BYTES_MAX);
  #inputBytes = 0;
  /** BOUNDED by the conversation: a machine that closes after one response makes a handful of events. */
  readonly #events: ServerEvent[] = [];

  constructor(options: ServerSessionOptions, nowMs: number) {
    this.#options = options;
    this.#state = { kind: "login", deadlineMs: this.#deadline(nowMs) };
  }

  /** How far the peer has come. */
  get stage(): SessionStage {
    const { kind } = this.#state;
    return kind === "request" || kind === "running" ? "authenticated" : kind;
  }

  /** @inheritdoc */
  handleInput(bytes: Uint8Array, nowMs: number): void {
    // A deadline that has passed counts, even where the timer comes after the bytes.
    this.handleTimeout(nowMs);
    if (this.#state.kind === "closed") return;
    const kept = bytes.subarray(0, INPUT_BYTES_MAX - this.#inputBytes);
    this.#input.set(kept, this.#inputBytes);
    this.#inputBytes += kept.length;
    this.#advance();
  }

  /** Takes the news that the peer has closed, or that the association is lost: nothing can be answered any more. */
  handleEnd(): void {
    if (this.#state.kind !== "closed") this.#close();
  }

  /** @inheritdoc */
  handleTimeout(nowMs: number): void {
    const state = this.#state;
    if ((state.kind !== "login" && state.kind !== "request") || nowMs < state.deadlineMs) return;
    this.#events.push({ kind: "idle", stage: state.kind });
    this.#close();
  }

  /** @inheritdoc */
  pollEvent(): ServerEvent | undefined {
    return this.#events.shift();
  }

  /** @inheritdoc */
  pollTimeout(): number {
    const state = this.#state;
    return state.kind === "login" || state.kind === "request" ? state.deadlineMs : Number.POSITIVE_INFINITY;
  }

  /** Answers an `authenticate` event. Harmless when the peer has gone meanwhile. */
  answerCredentials(verdict: CredentialsVerdict, nowMs: number): void {
    if (this.#state.kind === "closed") return;
    if (this.#state.kind !== "checking") throw new Error(`no credentials asked about while in ${this.#state.kind}`);
    if (verdict !== "accepted") {
      this.#send(encodeAuthReply(verdict === "refused" ? AuthStatus.InvalidCredentials : AuthStatus.InternalError));
      this.#close();
      return;
    }
    this.#send(encodeAuthReply(AuthStatus.Successful));
    this.#state = { kind: "request", deadlineMs: this.#deadline(nowMs) };
    this.#advance();
  }

  /**
   * Answers an `execute` event with what the command returned; `undefined` when it failed, for which the protocol has no
   * answer but to close. Harmless when the peer has gone meanwhile.
   */
  answerCommand(data: string | undefined): void {
    if (this.#state.kind === "closed") return;
    if (this.#state.kind !== "running") throw new Error(`no command asked for while in ${this.#state.kind}`);
    if (data !== undefined) this.#send(encodeResponse(this.#state.command.code, data));
    this.#close();
  }

  #advance(): void {
    if (this.#state.kind === "login") this.#readLogin();
    else if (this.#state.kind === "request") this.#readRequest();
  }

  #readLogin(): void {
    const decoded = decodeAuth(this.#input.subarray(0, this.#inputBytes));
    if (decoded.kind === "incomplete") return;
    if (decoded.kind === "invalid") {
      this.#events.push({ kind: "login-malformed", fault: decoded.fault });
      this.#send(encodeAuthReply(decoded.fault));
      this.#close();
      return;
    }
    const { username, password } = decoded.value;
    this.#state = { kind: "checking" };
    this.#events.push({
      kind: "authenticate",
      credentials: { username: username.slice(), password: password.slice() },
    });
    this.#consume(decoded.bytesRead);
  }

  #readRequest(): void {
    const decoded = decodeRequest(this.#input.subarray(0, this.#inputBytes));
    if (decoded.kind === "incomplete") return;
    if (decoded.kind === "invalid") {
      this.#events.push({ kind: "request-refused", refusal: decoded.fault });
      this.#send(encodeResponse(decoded.fault.code, decoded.fault.text));
      this.#close();
      return;
    }
    this.#state = { kind: "running", command: decoded.value };
    this.#events.push({ kind: "execute", command: decoded.value });
  }

  #consume(count: number): void {
    this.#input.copyWithin(0, count, this.#inputBytes);
    // What is behind the rest is a password: it does not stay in memory longer than needed.
    this.#input.fill(0, this.#inputBytes - count);
    this.#inputBytes -= count;
  }

  #send(bytes: Uint8Array): void {
    this.#events.push({ kind: "send", bytes });
  }

  #close(): void {
    this.#state = { kind: "closed" };
    this.#input.fill(0);
    this.#inputBytes = 0;
    this.#events.push({ kind: "close" });
  }

  #deadline(nowMs: number): number {
    return this.#options.idleMs === 0 ? Number.POSITIVE_INFINITY : nowMs + this.#options.idleMs;
  }
}
