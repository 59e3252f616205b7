import { appendAccessLogLine } from "../../src/observe/access-log-line.ts";
import { JsonBytes } from "../../src/observe/json-bytes.ts";
import type { RequestRecord } from "../../src/ports/proxy-events.ts";

/** One for all, as the proxy has it: what a longer line has left behind must not show. */
const out = new JsonBytes();

/** The line of the access log for a request, without its newline, as text. */
export function accessLogLine(record: RequestRecord): string {
  out.cut(0);
  appendAccessLogLine(record, out);
  return out.bytes.toString("utf8", 0, out.length);
}
