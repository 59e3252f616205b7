/** Diagnostics as lines of text for people and as lines of JSON for machines. */

import type { LogFields } from "../ports/log.ts";
import { escapeControls } from "./escape-controls.ts";

/** From the least to the most important. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** `{"time":"…","level":"…","message":"…", …}`: the fields come after the three, and cannot replace them. */
export function formatJson({ wallMs, level, message, fields }: LogEntry): string {
  const entry: Record<string, unknown> = { time: new Date(wallMs).toISOString(), level, message };
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) entry[name in entry ? `field_${name}` : name] = plain(value);
  }
  return escapeControls(JSON.stringify(entry));
}

const COLOURS: Readonly<Record<LogLevel, string>> = { debug: "2", info: "32", warn: "33", error: "31" };

/** `12:34:56.789 info  message name=value`, the level in colour if wanted. One line, whatever is in it. */
export function formatText({ wallMs, level, message, fields }: LogEntry, colour: boolean): string {
  const time = new Date(wallMs).toISOString().slice(11, 23);
  const shownLevel = colour ? `\u001b[${COLOURS[level]}m${level.padEnd(5)}\u001b[0m` : level.padEnd(5);
  const shownFields = Object.entries(fields ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${textOf(plain(value))}`);
  return `${time} ${shownLevel} ${escapeControls(message)}${shownFields.join("")}`;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return escapeControls(/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
  return escapeControls(JSON.stringify(value) ?? "");
}

/** What JSON can carry: an error becomes its message and its code, a big integer a number or text. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return "code" in value ? `${value.message} (${String(value.code)})` : value.message;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value;
}
