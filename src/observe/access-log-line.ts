/**
 * One finished request as a line of the access log: JSON, its keys always in the same order and of the same meaning
 * (docs/access-log.md). Fit to answer who reached a site, and when.
 */

import type { AttemptRecord, RequestRecord, UdpRecord } from "../ports/proxy-events.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import { appendIsoTime } from "./iso-time.ts";
import { type JsonBytes, type Piece, piece } from "./json-bytes.ts";

const COLON = 0x3a;

const START = piece('{"start":"');
const END = piece('","end":"');
const CLIENT = piece('","client":');
const USER = piece(',"user":');
const COMMAND = piece(',"command":');
const DESTINATION = piece(',"destination":');
const CONNECTED = piece(',"connected":');
const REPLY = piece(',"reply":');
const LOOKUPS = piece(',"lookups":[');
const SOURCE = piece('{"source":');
const LOOKUP_DETAIL = piece(',"detail":');
const MS = piece(',"ms":');
const ATTEMPTS = piece(',"attempts":[');
const ADDRESS = piece('{"address":');
const START_MS = piece(',"start_ms":');
const OUTCOME = piece(',"outcome":');
const BYTES_UP = piece('],"bytes_up":');
const BYTES_DOWN = piece(',"bytes_down":');
const UDP = piece(',"udp":');
const ENDED = piece(',"ended":');
const DETAIL = piece(',"detail":');
const COMMA = piece(",");
const CLOSE_BRACE = piece("}");
const CLOSE_BRACKET = piece("]");
const QUOTE = piece('"');
const BEFORE_PORT = piece(":");
const QUOTE_BRACKET = piece('"[');
const BRACKET_BEFORE_PORT = piece("]:");

/** Appends the line, without its newline. */
export function appendAccessLogLine(record: RequestRecord, out: JsonBytes): void {
  out.raw(START);
  appendIsoTime(record.startedWallMs, out);
  out.raw(END);
  appendIsoTime(record.endedWallMs, out);
  out.raw(CLIENT);
  appendEndpoint(record.clientAddress, record.clientPort, out);
  if (record.user !== undefined) appendString(USER, record.user, out);
  if (record.command !== undefined) appendString(COMMAND, record.command, out);
  appendEndpointIf(DESTINATION, record.host, record.port, out);
  appendEndpointIf(CONNECTED, record.connectedAddress, record.connectedPort ?? record.port, out);
  if (record.reply !== undefined) appendNumber(REPLY, record.reply, out);
  if (record.lookups !== undefined && record.lookups.length > 0) appendLookups(record.lookups, out);
  out.raw(ATTEMPTS);
  appendAttempts(record.attempts, out);
  appendNumber(BYTES_UP, record.bytesUp, out);
  appendNumber(BYTES_DOWN, record.bytesDown, out);
  if (record.udp !== undefined) appendUdp(record.udp, out);
  appendString(ENDED, record.end, out);
  if (record.detail !== undefined) appendString(DETAIL, record.detail, out);
  out.raw(CLOSE_BRACE);
}

function appendString(key: Piece, text: string, out: JsonBytes): void {
  out.raw(key);
  out.string(text);
}

function appendNumber(key: Piece, value: number, out: JsonBytes): void {
  out.raw(key);
  out.number(value);
}

function appendLookups(lookups: readonly ResolutionStep[], out: JsonBytes): void {
  let key = LOOKUPS;
  for (const { source, detail, ms } of lookups) {
    out.raw(key);
    key = COMMA;
    appendString(SOURCE, source, out);
    appendString(LOOKUP_DETAIL, detail, out);
    appendNumber(MS, Math.round(ms * 1000) / 1000, out);
    out.raw(CLOSE_BRACE);
  }
  out.raw(CLOSE_BRACKET);
}

function appendAttempts(attempts: readonly AttemptRecord[], out: JsonBytes): void {
  let isFirst = true;
  for (const { address, startMs, outcome, ms } of attempts) {
    if (!isFirst) out.raw(COMMA);
    isFirst = false;
    appendString(ADDRESS, address, out);
    appendNumber(START_MS, startMs, out);
    appendString(OUTCOME, outcome, out);
    appendNumber(MS, ms, out);
    out.raw(CLOSE_BRACE);
  }
}

function appendUdp({ datagramsUp, datagramsDown, targets, dropped }: UdpRecord, out: JsonBytes): void {
  out.raw(UDP);
  out.value({ datagrams_up: datagramsUp, datagrams_down: datagramsDown, targets, dropped });
}

function appendEndpointIf(key: Piece, host: string | undefined, port: number | undefined, out: JsonBytes): void {
  if (host === undefined || port === undefined) return;
  out.raw(key);
  appendEndpoint(host, port, out);
}

/** `host:port`, or `[host]:port` where the host has a colon. */
function appendEndpoint(host: string, port: number, out: JsonBytes): void {
  const start = out.length;
  const isBracketed = hasColon(host);
  out.raw(isBracketed ? QUOTE_BRACKET : QUOTE);
  if (!out.plain(host)) {
    out.cut(start);
    out.value(isBracketed ? `[${host}]:${port}` : `${host}:${port}`);
    return;
  }
  out.raw(isBracketed ? BRACKET_BEFORE_PORT : BEFORE_PORT);
  out.number(port);
  out.raw(QUOTE);
}

/** For the short texts that they are, `includes` would cost more: it is a call into the runtime. */
function hasColon(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === COLON) return true;
  return false;
}
