/** Listening or connecting over SCTP failed. `code` is the operating system's name for it, such as EADDRINUSE. */
export class SctpError extends Error {
  override readonly name = "SctpError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
