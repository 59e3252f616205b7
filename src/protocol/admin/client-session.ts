/**
 * The client's side of one association: log in, ask once, read the answer (docs/admin-protocol.md §2).
 *
 * ```txt
 *  authenticating ──STATUS 0──▶ asking ──response──▶ closed
 *        │ other STATUS, bad reply, server gone, late  ▲
 *        └──────────────────────┴──────────────────────┘
 * ```
 *
 * The request waits for STATUS 0: a server that refuses the login closes, and need not have read further.
 */

import type { Machine } from "../machine.ts";
import { decodeAscii } from "./ascii.ts";
import { type Credentials, decodeAuthReply, encodeAuth } from "./auth.ts";
import { AuthStatus, FIELD_BYTES_MAX, RefusalCode } from "./constants.ts";
import { encodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";

/** What the client asks. */
export interface ClientRequest {
  readonly code: number;
  /** At most two, each 1 to 255 bytes. */
  readonly params: readonly Uint8Array[];
}

/** How the conversation ended. */
export type ClientOutcome =
  /** The server did it; DATA, printable ASCII. */
  | { readonly kind: "done"; readonly data: string }
  /** The server answered 254 or 255, with this text. */
  | { readonly kind: "refused"; readonly code: RefusalCode; readonly text: string }
  /** The login failed: any STATUS but 0. */
  | { readonly kind: "login-refused"; readonly status: AuthStatus }
  /** The server broke the protocol. */
  | { readonly kind: "protocol-error"; readonly detail: string }
  /** The server closed, or was lost, before it had answered. */
  | { readonly kind: "gone"; readonly during: "login" | "request" }
  /** The server did not answer within the limit. */
  | { readonly kind: "timeout"; readonly during: "login" | "request" };

/** What the driver is to do. */
export type ClientEvent =
  /** Send these bytes as one message. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** It is over; close the association. The last event. */
  | { readonly kind: "ended"; readonly outcome: ClientOutcome };

export interface ClientSessionOptions {
  readonly credentials: Credentials;
  readonly request: ClientRequest;
  /** How long the whole conversation may take, in milliseconds; 0 is no limit. */
  readonly timeoutMs: number;
}

type State = "login" | "request" | "closed";

/** CODE, LEN and the longest DATA: nothing that we read is longer. */
const INPUT_BYTES_MAX = 2 + FIELD_BYTES_MAX;

export class ClientSession implements Machine<ClientEvent> {
  readonly #request: ClientRequest;
  readonly #deadlineMs: number;
  #state: State = "login";
  /** BOUNDED by the longest login reply and response together. */
  readonly #input: Uint8Array = new Uint8Array(2 + INPUT_BYTES_MAX);
  #inputBytes = 0;
  /** BOUNDED by the conversation: two messages and the end. */
  readonly #events: ClientEvent[] = [];

  /** Begins at once: the association is open when the session is made. */
  constructor({ credentials, request, timeoutMs }: ClientSessionOptions, nowMs: number) {
    this.#request = request;
    this.#deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
    this.#events.push({ kind: "send", bytes: encodeAuth(credentials) });
  }

  /** @inheritdoc */
  handleInput(bytes: Uint8Array, nowMs: number): void {
    this.handleTimeout(nowMs);
    if (this.#state === "closed") return;
    const kept = bytes.subarray(0, this.#input.length - this.#inputBytes);
    this.#input.set(kept, this.#inputBytes);
    this.#inputBytes += kept.length;
    if (this.#state === "login") this.#readAuthReply();
    if (this.#state === "request") this.#readResponse();
  }

  /** Takes the news that the server has closed, or that the association is lost. */
  handleEnd(): void {
    if (this.#state !== "closed") this.#end({ kind: "gone", during: this.#state });
  }

  /** @inheritdoc */
  handleTimeout(nowMs: number): void {
    if (this.#state !== "closed" && nowMs >= this.#deadlineMs) this.#end({ kind: "timeout", during: this.#state });
  }

  /** @inheritdoc */
  pollEvent(): ClientEvent | undefined {
    return this.#events.shift();
  }

  /** @inheritdoc */
  pollTimeout(): number {
    return this.#state === "closed" ? Number.POSITIVE_INFINITY : this.#deadlineMs;
  }

  #readAuthReply(): void {
    const decoded = decodeAuthReply(this.#input.subarray(0, this.#inputBytes));
    if (decoded.kind === "incomplete") return;
    if (decoded.kind === "invalid") {
      this.#end({ kind: "protocol-error", detail: `the login reply has an unknown ${decoded.fault}` });
      return;
    }
    if (decoded.value !== AuthStatus.Successful) {
      this.#end({ kind: "login-refused", status: decoded.value });
      return;
    }
    this.#input.copyWithin(0, decoded.bytesRead, this.#inputBytes);
    this.#inputBytes -= decoded.bytesRead;
    this.#state = "request";
    this.#events.push({ kind: "send", bytes: encodeRequest(this.#request.code, this.#request.params) });
  }

  #readResponse(): void {
    const decoded = decodeResponse(this.#input.subarray(0, this.#inputBytes), this.#request.code);
    if (decoded.kind === "incomplete") return;
    if (decoded.kind === "invalid") {
      const what = decoded.fault === "code" ? "answers another request" : "carries no data";
      this.#end({ kind: "protocol-error", detail: `the response ${what}` });
      return;
    }
    const { code, data } = decoded.value;
    const text = decodeAscii(data);
    if (code === RefusalCode.InvalidParam || code === RefusalCode.InvalidMethod) {
      this.#end({ kind: "refused", code, text });
    } else {
      this.#end({ kind: "done", data: text });
    }
  }

  #end(outcome: ClientOutcome): void {
    this.#state = "closed";
    this.#events.push({ kind: "ended", outcome });
  }
}
