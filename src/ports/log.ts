/** What a log line may carry besides its message. Never a password. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The diagnostics log: what an operator must know. The access log is another thing. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
