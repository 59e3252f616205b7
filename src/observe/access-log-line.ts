/**
 * One finished request as a line of the access log: JSON, its keys always in the same order and of the same meaning
 * (docs/access-log.md). Fit to answer who reached a site, and when.
 */

import type { AttemptRecord, RequestRecord, UdpRecord } from "../ports/proxy-events.ts";
import type { ResolutionStep } from "../ports/resolver.ts";
import { escapeControls } from "./escape-controls.ts";
import { isoTime } from "./iso-time.ts";

/** The line, without its newline. */
export function formatAccessLogLine(record: RequestRecord): string {
  const line = {
    start: isoTime(record.startedWallMs),
    end: isoTime(record.endedWallMs),
    client: endpoint(record.clientAddress, record.clientPort),
    user: record.user,
    command: record.command,
    destination: endpointOrNone(record.host, record.port),
    connected: connectedOf(record),
    reply: record.reply,
    lookups: record.lookups === undefined || record.lookups.length === 0 ? undefined : record.lookups.map(lookupOf),
    attempts: record.attempts.map(attemptOf),
    bytes_up: record.bytesUp,
    bytes_down: record.bytesDown,
    udp: record.udp === undefined ? undefined : udpOf(record.udp),
    ended: record.end,
    detail: record.detail,
  };
  return escapeControls(JSON.stringify(line));
}

function connectedOf({ connectedAddress, connectedPort, port }: RequestRecord): string | undefined {
  return endpointOrNone(connectedAddress, connectedPort ?? port);
}

function udpOf({ datagramsUp, datagramsDown, targets, dropped }: UdpRecord): object {
  return { datagrams_up: datagramsUp, datagrams_down: datagramsDown, targets, dropped };
}

function attemptOf({ address, startMs, outcome, ms }: AttemptRecord): object {
  return { address, start_ms: startMs, outcome, ms };
}

function lookupOf({ source, detail, ms }: ResolutionStep): object {
  return { source, detail, ms: Math.round(ms * 1000) / 1000 };
}

function endpointOrNone(host: string | undefined, port: number | undefined): string | undefined {
  return host === undefined || port === undefined ? undefined : endpoint(host, port);
}

function endpoint(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
