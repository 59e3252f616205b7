/** What happens at the admin protocol's door, for the log. No event carries a password, nor a name that was refused. */
export type AdminEvent = {
  /** The client's IP address as text, and its SCTP port. */
  readonly address: string;
  readonly port: number;
} & (
  | { readonly kind: "login-accepted" }
  | { readonly kind: "login-refused"; readonly why: LoginRefusal }
  /** A request was carried out; `summary` says which, with its parameter, `data` what was answered. */
  | { readonly kind: "request-done"; readonly summary: string; readonly data: string }
  /** A request was answered with 254 or 255 and this text. */
  | { readonly kind: "request-refused"; readonly code: number; readonly text: string }
  /** The check of a password, or a command, failed on our side. */
  | { readonly kind: "failed"; readonly stage: "login" | "request"; readonly error: unknown }
  /** A login or a request took longer than the idle limit. */
  | { readonly kind: "idle"; readonly stage: "login" | "request" }
  /** A limit was reached: this association was refused, or given up in favour of a new one. */
  | { readonly kind: "limit-reached"; readonly limit: string; readonly outcome: "refused" | "evicted" }
);

/** Why a login was refused. */
export type LoginRefusal =
  /** Another protocol version. */
  | "version"
  /** An empty name or password. */
  | "empty-field"
  /** A wrong name or a wrong password: which of them is nobody's business. */
  | "credentials"
  /** Right or wrong, this address has failed too often to be heard now. */
  | "too-many-failures";

/** Takes what happened. Must not throw, and must not wait. */
export type AdminEventSink = (event: AdminEvent) => void;
