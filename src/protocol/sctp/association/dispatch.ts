/** Gives each chunk of a packet with the right tag to its procedure, and each timer to its own. */

import { causeName, unrecognizedChunkType } from "../causes.ts";
import { type CausesChunk, decodeCauses, encodeError } from "../chunks/abort.ts";
import { isBare } from "../chunks/bare.ts";
import { decodeData } from "../chunks/data.ts";
import type { ChunkDecoded } from "../chunks/decoded.ts";
import { decodeHeartbeat } from "../chunks/heartbeat.ts";
import { decodeInit } from "../chunks/init.ts";
import { decodeSack } from "../chunks/sack.ts";
import { decodeShutdown } from "../chunks/shutdown.ts";
import { CauseCode, ChunkType } from "../constants.ts";
import type { RawChunk } from "../tlv.ts";
import type { Association } from "./association.ts";
import { handleCookieAck, handleInitAck, handleStaleCookie, onT1Cookie, onT1Init } from "./connect.ts";
import { handleHeartbeat, handleHeartbeatAck, onHeartbeat, onHeartbeatAnswer } from "./heartbeat.ts";
import { handleShutdown, handleShutdownAck, handleShutdownComplete, noteSignOfLife, onT2, onT5 } from "./shutdown.ts";
import type { TimerName } from "./timers.ts";
import { afterDataPacket, handleData, handleSack, onSackTimer, onT3 } from "./transfer.ts";

/** In the type of an unknown chunk: go on with the next one (RFC 9260 §3.2). */
const SKIP_BIT = 0x80;
/** In the type of an unknown chunk: report it (RFC 9260 §3.2). */
const REPORT_BIT = 0x40;

/** Chunks that travel alone (RFC 9260 §6.10). */
const ALONE: ReadonlySet<number> = new Set([ChunkType.Init, ChunkType.InitAck, ChunkType.ShutdownComplete]);

/** Whether a chunk that must travel alone is in company. */
export function isBadlyBundled(chunks: readonly RawChunk[]): boolean {
  //= rfc9260#6.10/alone
  return chunks.length > 1 && chunks.some(({ type }) => ALONE.has(type));
}

/** Takes the chunks of a packet in their order. */
export function handleChunks(association: Association, chunks: readonly RawChunk[], nowMs: number): void {
  association.beginAnswers();
  let hasData = false;
  let hasSack = false;
  //= rfc9260#6.10/in-order
  for (const chunk of chunks) {
    if (association.state.name === "CLOSED") return;
    if (chunk.type === ChunkType.Data) hasData = true;
    if (chunk.type === ChunkType.Sack) {
      // No honest packet has two, and each may cost a look at all that is outstanding.
      if (hasSack) {
        association.host.count("unexpected-chunk");
        continue;
      }
      hasSack = true;
    }
    if (!handleChunk(association, chunk, nowMs)) break;
  }
  if (association.state.name === "CLOSED") return;
  if (hasData) afterDataPacket(association, nowMs);
  noteSignOfLife(association, nowMs);
  association.deliver();
}

/** Takes one chunk. False when the rest of the packet is to be left. */
function handleChunk(association: Association, chunk: RawChunk, nowMs: number): boolean {
  /** Calls `handle` with the decoded chunk, or counts that it is malformed. */
  const decoded = <Value>(result: ChunkDecoded<Value>, handle: (value: Value) => void): true => {
    if (result.kind === "done") handle(result.value);
    else association.host.count("malformed-chunk");
    return true;
  };
  const bare = (handle: () => void): true => {
    if (isBare(chunk)) handle();
    else association.host.count("malformed-chunk");
    return true;
  };
  switch (chunk.type) {
    case ChunkType.Data:
      return decoded(decodeData(chunk), (data) => handleData(association, data));
    case ChunkType.InitAck:
      return decoded(decodeInit(chunk), (initAck) => handleInitAck(association, initAck, nowMs));
    case ChunkType.Sack:
      return decoded(decodeSack(chunk), (sack) => handleSack(association, sack, nowMs));
    case ChunkType.Heartbeat:
      return decoded(decodeHeartbeat(chunk), (heartbeat) => handleHeartbeat(association, heartbeat));
    case ChunkType.HeartbeatAck:
      return decoded(decodeHeartbeat(chunk), (heartbeat) => handleHeartbeatAck(association, heartbeat, nowMs));
    case ChunkType.Abort:
      //= rfc9260#3.3.7/format
      decoded(decodeCauses(chunk), (abort) => handleAbort(association, abort));
      // What stands behind an ABORT does not count; with the T bit, not even its tag would be right.
      return false;
    case ChunkType.Shutdown:
      return decoded(decodeShutdown(chunk), (shutdown) => handleShutdown(association, shutdown, nowMs));
    case ChunkType.ShutdownAck:
      return bare(() => handleShutdownAck(association));
    case ChunkType.Error:
      return decoded(decodeCauses(chunk), (error) => handleError(association, error, nowMs));
    case ChunkType.CookieAck:
      return bare(() => handleCookieAck(association, nowMs));
    case ChunkType.ShutdownComplete:
      return bare(() => handleShutdownComplete(association));
    case ChunkType.Init:
    case ChunkType.CookieEcho:
      //= rfc9260#3.2.2/cookie-echo-first
      // INIT alone, and COOKIE ECHO at the head of its packet, never come here.
      association.host.count("unexpected-chunk");
      return true;
    default:
      return handleUnknown(association, chunk);
  }
}

function handleUnknown(association: Association, { type, bytes }: RawChunk): boolean {
  association.host.count("unknown-chunk");
  const { name } = association.state;
  //= rfc9260#5.1/nothing-before-cookie-ack
  const isUp = name !== "COOKIE-WAIT" && name !== "COOKIE-ECHOED";
  //= rfc9260#3.2/report
  if ((type & REPORT_BIT) !== 0 && isUp) association.answer(encodeError([unrecognizedChunkType(bytes)]));
  //= rfc9260#3.2/stop
  return (type & SKIP_BIT) !== 0;
}

/** ABORT with a tag that §8.5.1 allows. */
function handleAbort(association: Association, { causes: [cause] }: CausesChunk): void {
  //= rfc9260#9.1/remove
  //= rfc9260#3.3.7/no-answer
  association.close("peer-aborted", cause === undefined ? "no cause given" : causeName(cause.type));
}

/** ERROR. Nothing but a stale cookie concerns us: we send nothing that a peer could complain about and live on. */
function handleError(association: Association, { causes }: CausesChunk, nowMs: number): void {
  if (causes.some(({ type }) => type === CauseCode.StaleCookie)) handleStaleCookie(association, nowMs);
}

const TIMER_ACTIONS: Readonly<Record<TimerName, (association: Association, nowMs: number) => void>> = {
  "t1-init": onT1Init,
  "t1-cookie": onT1Cookie,
  "t2-shutdown": onT2,
  "t3-rtx": onT3,
  "t5-guard": onT5,
  sack: onSackTimer,
  heartbeat: onHeartbeat,
  "heartbeat-answer": onHeartbeatAnswer,
};

/** Acts on a timer that expired. */
export function handleTimer(association: Association, name: TimerName, nowMs: number): void {
  TIMER_ACTIONS[name](association, nowMs);
}
