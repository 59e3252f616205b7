/**
 * One client's conversation with the proxy up to the moment when bytes are only passed on (RFC 1928 §3 to §6, RFC 1929).
 *
 * ```txt
 *            greeting              credentials            request                connected()
 * Greeting ───────────→ UserPass ───────────────→ Verdict ────────→ … Request ──────────→ Answer ──────────→ Open
 *     │ no auth wanted                               │ authenticated(false)                  │ refused()
 *     └───────────────────────────────→ Request      └──────→ Closing ←──────────────────────┘
 *
 * BIND:           Answer ──bound()──→ Answer ──connected()──→ Open
 * UDP ASSOCIATE:  Answer ──associated()──→ Associated ──finish()──→ Closing
 * ```
 *
 * Sans-I/O: bytes and time go in, events come out. The time limits of the conversation are part of it: the handshake as
 * a whole, so that a trickle of bytes buys nothing, and the wait for the client to close after its last answer.
 */

import type { Decoded } from "../../bytes/decoded.ts";
import type { Machine } from "../machine.ts";
import { type FailureRep, Method, UserPassStatus } from "./constants.ts";
import { repOfFault, type SocksFault } from "./fault.ts";
import { decodeGreeting, encodeMethodSelection } from "./greeting.ts";
import { encodeFailure, encodeSuccess } from "./reply.ts";
import { decodeRequest, type Request } from "./request.ts";
import { type Credentials, decodeUserPass, encodeUserPassReply } from "./userpass.ts";

export interface ServerSessionOptions {
  /** Authentication by name and password is demanded; otherwise nothing is. */
  readonly usersRequired: boolean;
  /** See {@link decodeRequest}. */
  readonly ignoreReserved: boolean;
  /** From the first moment to the complete request, in milliseconds; `Infinity` for no limit. */
  readonly handshakeTimeoutMs: number;
  /** How long the client may take to close after its last answer, in milliseconds. RFC 1928 §6 allows 10 s. */
  readonly closeTimeoutMs: number;
}

/** What whoever drives the session is to do next. */
export type ServerEvent =
  /** Send these bytes, in one write. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Judge the credentials and call `authenticated`. They are views: copy what must outlive the call to `pollEvent`. */
  | ({ readonly kind: "authenticate" } & Credentials)
  /** Carry out the request and call `connected`, `associated` or `refused`; for BIND, `bound` comes first. */
  | { readonly kind: "request"; readonly request: Request }
  /** The client broke the protocol. The answer has been given before; `rep` is that to a request that cannot be read. */
  | { readonly kind: "fault"; readonly fault: SocksFault; readonly rep?: FailureRep }
  /** Send FIN: nothing more will be said. The client has until `pollTimeout()` to do the same. */
  | { readonly kind: "finish" }
  /** Close at once: a time limit was reached. */
  | { readonly kind: "close"; readonly reason: "handshake-timeout" | "close-timeout" };

type State = "greeting" | "userpass" | "verdict" | "request" | "answer" | "open" | "associated" | "closing";

const NOTHING = new Uint8Array(0);
/** Answers that are the same for all. */
const SELECT_NO_AUTHENTICATION = sending(encodeMethodSelection(Method.NoAuthenticationRequired));
const SELECT_USERNAME_PASSWORD = sending(encodeMethodSelection(Method.UsernamePassword));
const SELECT_NONE = sending(encodeMethodSelection(Method.NoAcceptableMethods));
const USERPASS_SUCCESS = sending(encodeUserPassReply(UserPassStatus.Success));
const USERPASS_FAILURE = sending(encodeUserPassReply(UserPassStatus.Failure));

export class ServerSession implements Machine<ServerEvent> {
  readonly #options: ServerSessionOptions;
  #state: State = "greeting";
  #deadlineMs: number;
  /** What has arrived and is not understood yet. BOUNDED by the driver, which stops reading at {@link heldBytes}. */
  #input: Uint8Array = NOTHING;
  /** BOUNDED: a step adds at most three events, and a step is taken only when this is empty. */
  #events: ServerEvent[] = [];

  /** @param nowMs - When the client connected. */
  constructor(options: ServerSessionOptions, nowMs: number) {
    this.#options = options;
    this.#deadlineMs = nowMs + options.handshakeTimeoutMs;
  }

  /** Whether the client has been let in and its request stands: what follows is payload. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether the last answer has been given and only the end of the connection is waited for. */
  get isClosing(): boolean {
    return this.#state === "closing";
  }

  /** Whether the request has not arrived whole yet. */
  get isHandshake(): boolean {
    return this.needsInput || this.#state === "verdict";
  }

  /** Whether only more bytes of the client can bring the conversation on. */
  get needsInput(): boolean {
    return this.#state === "greeting" || this.#state === "userpass" || this.#state === "request";
  }

  /** How many bytes wait to be understood: what a client sent ahead of our answers. */
  get heldBytes(): number {
    return this.#input.length;
  }

  handleInput(bytes: Uint8Array, nowMs: number): void {
    // After the last answer nothing that the client says matters, nor beside its datagrams.
    if (this.#state === "closing" || this.#state === "associated") return;
    if (this.#state === "verdict" || this.#state === "answer" || this.#state === "open") {
      this.#hold(bytes);
      return;
    }
    if (this.#input.length === 0) {
      // The usual case: one message a segment, understood without a copy.
      const rest = this.#understand(bytes, nowMs);
      if (rest.length > 0) this.#hold(rest);
      return;
    }
    this.#hold(bytes);
    this.#resume(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    this.#events.push({ kind: "close", reason: this.#state === "closing" ? "close-timeout" : "handshake-timeout" });
    this.#state = "closing";
    this.#deadlineMs = Number.POSITIVE_INFINITY;
  }

  pollEvent(): ServerEvent | undefined {
    // Nearly always there is one or none; `shift` is a call into the runtime, `pop` is not.
    return this.#events.length > 1 ? this.#events.shift() : this.#events.pop();
  }

  pollTimeout(): number {
    return this.#deadlineMs;
  }

  /** Answers an `authenticate` event. */
  authenticated(accepted: boolean, nowMs: number): void {
    if (this.#state !== "verdict") return;
    this.#events.push(accepted ? USERPASS_SUCCESS : USERPASS_FAILURE);
    if (!accepted) {
      //= rfc1929#2/close-after-failure
      this.#finish(nowMs);
      return;
    }
    this.#state = "request";
    this.#resume(nowMs);
  }

  /**
   * Answers a `request` event: the target has accepted.
   *
   * @param bndAddr - The local address of the outgoing socket, 4 or 16 bytes, never mapped.
   * @returns What the client sent ahead of the answer: the first payload for the target.
   */
  connected(bndAddr: Uint8Array, bndPort: number): Uint8Array {
    if (this.#state !== "answer") throw new Error(`connected() in state ${this.#state}`);
    this.#state = "open";
    this.#send(encodeSuccess(bndAddr, bndPort));
    const early = this.#input;
    this.#input = NOTHING;
    return early;
  }

  /**
   * Gives the first of BIND's two answers: we listen. `connected`, then with the address of whoever came, or `refused`
   * gives the second.
   *
   * @param bndAddr - Where the expected host can reach us, 4 or 16 bytes, never mapped.
   */
  bound(bndAddr: Uint8Array, bndPort: number): void {
    if (this.#state !== "answer") throw new Error(`bound() in state ${this.#state}`);
    this.#send(encodeSuccess(bndAddr, bndPort));
  }

  /**
   * Answers a `request` event: datagrams are relayed as long as the connection stands. What the client says on it is
   * ignored, and so is what it said ahead.
   *
   * @param bndAddr - Where the client's datagrams are to go, 4 or 16 bytes, never mapped.
   */
  associated(bndAddr: Uint8Array, bndPort: number): void {
    if (this.#state !== "answer") throw new Error(`associated() in state ${this.#state}`);
    this.#state = "associated";
    this.#input = NOTHING;
    this.#send(encodeSuccess(bndAddr, bndPort));
  }

  /** Ends an association: nothing more is said, and the client has its time to close. */
  finish(nowMs: number): void {
    if (this.#state !== "associated") throw new Error(`finish() in state ${this.#state}`);
    this.#finish(nowMs);
  }

  /** Answers a `request` event: it cannot be carried out, for this reason. After `bound` it is the second answer. */
  refused(rep: FailureRep, nowMs: number): void {
    if (this.#state !== "answer") throw new Error(`refused() in state ${this.#state}`);
    this.#send(encodeFailure(rep));
    //= rfc1928#6/failure-closes
    this.#finish(nowMs);
  }

  /** Takes as many messages from `bytes` as are whole and may be judged now; returns what is left, a view. */
  #understand(bytes: Uint8Array, nowMs: number): Uint8Array {
    let rest = bytes;
    for (;;) {
      const used = this.#step(rest, nowMs);
      if (used === 0) return rest;
      // Nearly always: no view is made of nothing.
      if (used === rest.length) return NOTHING;
      rest = rest.subarray(used);
    }
  }

  /** One message; returns how many bytes it took, 0 when there is nothing to do before more bytes or an answer come. */
  #step(bytes: Uint8Array, nowMs: number): number {
    switch (this.#state) {
      case "greeting":
        return this.#takeGreeting(decodeGreeting(bytes), nowMs);
      case "userpass":
        return this.#takeUserPass(decodeUserPass(bytes), nowMs);
      case "request":
        return this.#takeRequest(decodeRequest(bytes, this.#options), nowMs);
      case "verdict":
      case "answer":
      case "open":
      case "associated":
      case "closing":
        return 0;
      default:
        return this.#state satisfies never;
    }
  }

  #takeGreeting(decoded: Decoded<Uint8Array, SocksFault>, nowMs: number): number {
    if (decoded.kind !== "done") return this.#takeNothing(decoded, nowMs);
    this.#select(decoded.value, nowMs);
    return decoded.bytesRead;
  }

  #takeUserPass(decoded: Decoded<Credentials, SocksFault>, nowMs: number): number {
    if (decoded.kind !== "done") return this.#takeNothing(decoded, nowMs);
    this.#state = "verdict";
    this.#events.push({ kind: "authenticate", uname: decoded.value.uname, passwd: decoded.value.passwd });
    return decoded.bytesRead;
  }

  #takeRequest(decoded: Decoded<Request, SocksFault>, nowMs: number): number {
    if (decoded.kind !== "done") return this.#takeNothing(decoded, nowMs);
    this.#state = "answer";
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    this.#events.push({ kind: "request", request: decoded.value });
    return decoded.bytesRead;
  }

  #takeNothing(decoded: Exclude<Decoded<unknown, SocksFault>, { kind: "done" }>, nowMs: number): number {
    if (decoded.kind === "invalid") this.#reject(decoded.fault, nowMs);
    return 0;
  }

  //= rfc1928#3/method-selection
  //= rfc1928#3/no-acceptable-method
  //= rfc1928#3/username-password
  #select(offered: Uint8Array, nowMs: number): void {
    const { usersRequired } = this.#options;
    const wanted = usersRequired ? Method.UsernamePassword : Method.NoAuthenticationRequired;
    if (!offers(offered, wanted)) {
      this.#events.push(SELECT_NONE);
      this.#events.push({ kind: "fault", fault: "no-acceptable-method" });
      this.#finish(nowMs);
      return;
    }
    this.#events.push(usersRequired ? SELECT_USERNAME_PASSWORD : SELECT_NO_AUTHENTICATION);
    //= rfc1928#3/sub-negotiation
    this.#state = usersRequired ? "userpass" : "request";
  }

  #reject(fault: SocksFault, nowMs: number): void {
    // A peer that speaks another protocol would not understand an answer of ours; it gets none before the request.
    if (this.#state === "request" && fault !== "bad-version") {
      const rep = repOfFault(fault);
      this.#send(encodeFailure(rep));
      this.#events.push({ kind: "fault", fault, rep });
    } else {
      if (this.#state === "userpass") this.#events.push(USERPASS_FAILURE);
      this.#events.push({ kind: "fault", fault });
    }
    this.#finish(nowMs);
  }

  #finish(nowMs: number): void {
    this.#state = "closing";
    this.#input = NOTHING;
    //= rfc1928#3/close-after-no-method
    //= rfc1928#6/failure-closes-in-time
    this.#deadlineMs = nowMs + this.#options.closeTimeoutMs;
    this.#events.push({ kind: "finish" });
  }

  #resume(nowMs: number): void {
    const held = this.#input;
    this.#input = NOTHING;
    const rest = this.#understand(held, nowMs);
    // `held` is ours already: a view of it will do.
    if (!this.isClosing) this.#input = rest;
  }

  #hold(bytes: Uint8Array): void {
    if (this.isClosing) return;
    const joined = new Uint8Array(this.#input.length + bytes.length);
    joined.set(this.#input);
    joined.set(bytes, this.#input.length);
    this.#input = joined;
  }

  #send(bytes: Uint8Array): void {
    this.#events.push(sending(bytes));
  }
}

function sending(bytes: Uint8Array): ServerEvent {
  return { kind: "send", bytes };
}

/** For the few bytes that they are, `includes` would cost more: it is a call into the runtime. */
function offers(methods: Uint8Array, wanted: Method): boolean {
  for (let i = 0; i < methods.length; i++) if (methods[i] === wanted) return true;
  return false;
}
