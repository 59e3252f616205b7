/** Why a request to the admin protocol came to nothing. */
export const AdminErrorCode = {
  /** The server answered 254 or 255; `replyCode` and the message say which and why. Nothing has changed. */
  Refused: "ERR_ADMIN_REFUSED",
  /** The server refused the login; `status` says how. */
  Login: "ERR_ADMIN_LOGIN",
  /** No server there, or none that can be reached. */
  Unreachable: "ERR_ADMIN_UNREACHABLE",
  /** The server went away, or fell silent, before it had answered. Whether the request was carried out is unknown. */
  Gone: "ERR_ADMIN_GONE",
  /** What answered does not speak the protocol. */
  Protocol: "ERR_ADMIN_PROTOCOL",
} as const;
export type AdminErrorCode = (typeof AdminErrorCode)[keyof typeof AdminErrorCode];

/** A request to the admin protocol came to nothing. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  /** Stable: a program may rest on it. */
  readonly code: AdminErrorCode;
  /** 254 or 255, when the request was refused. */
  readonly replyCode: number | undefined;
  /** The STATUS of the authentication reply, when the login was refused. */
  readonly status: number | undefined;

  constructor(
    code: AdminErrorCode,
    message: string,
    details: { readonly replyCode?: number; readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.replyCode = details.replyCode;
    this.status = details.status;
  }
}
