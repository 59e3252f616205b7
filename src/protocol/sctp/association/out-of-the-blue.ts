/** Packets that belong to no association (RFC 9260 §8.4), and how to know that one does (§8.5). */

import type { Oddity, Path } from "../api.ts";
import { decodeCauses, encodeAbort, T_BIT } from "../chunks/abort.ts";
import { encodeShutdownComplete } from "../chunks/bare.ts";
import { CauseCode, ChunkType } from "../constants.ts";
import type { Packet } from "../packet.ts";
import type { RawChunk } from "../tlv.ts";
import type { Association } from "./association.ts";

/** What is needed to answer without an association. */
export interface Answerer {
  count(oddity: Oddity): void;
  /** Answers `packet` with one chunk, to where it came from. */
  reply(to: Path, packet: Packet, verificationTag: number, chunk: Uint8Array): void;
}

function isStaleCookieError(chunk: RawChunk): boolean {
  if (chunk.type !== ChunkType.Error) return false;
  const result = decodeCauses(chunk);
  return result.kind === "done" && result.value.causes.some(({ type }) => type === CauseCode.StaleCookie);
}

/** The answer to a packet that has these chunks; `undefined` where one would go on for ever. The rules in their order. */
function answerTo(chunks: readonly RawChunk[]): Uint8Array | undefined {
  const has = (type: ChunkType): boolean => chunks.some((chunk) => chunk.type === type);
  //= rfc9260#8.4/abort-silent
  if (has(ChunkType.Abort)) return undefined;
  //= rfc9260#8.4/shutdown-ack
  if (has(ChunkType.ShutdownAck)) return encodeShutdownComplete(true);
  //= rfc9260#8.4/complete-silent
  if (has(ChunkType.ShutdownComplete)) return undefined;
  //= rfc9260#8.4/cookie-ack-silent
  if (has(ChunkType.CookieAck) || chunks.some(isStaleCookieError)) return undefined;
  //= rfc9260#8.4/otherwise-abort
  return encodeAbort(true, []);
}

/** Answers a packet for which there is no association, and that brings none into being. */
export function answerOutOfTheBlue(answerer: Answerer, packet: Packet, from: Path): void {
  answerer.count("out-of-the-blue");
  const { chunks, verificationTag } = packet;
  const answer = answerTo(chunks);
  if (answer !== undefined) answerer.reply(from, packet, verificationTag, answer);
}

/** Whether the packet carries a tag that makes it part of the association. If not, it has been dealt with. */
export function hasRightTag(answerer: Answerer, association: Association, packet: Packet, from: Path): boolean {
  const { chunks, verificationTag } = packet;
  const { localTag, peerTag, state } = association;
  const first = chunks[0];
  const isReflected = first !== undefined && (first.flags & T_BIT) !== 0;
  const carriesTBit = first?.type === ChunkType.Abort || first?.type === ChunkType.ShutdownComplete;
  //= rfc9260#8.5.1/abort-tag
  //= rfc9260#8.5.1/shutdown-complete-tag
  const expected = carriesTBit && isReflected ? peerTag : localTag;
  const isConnecting = state.name === "COOKIE-WAIT" || state.name === "COOKIE-ECHOED";
  if (isConnecting && chunks.some(({ type }) => type === ChunkType.ShutdownAck)) {
    //= rfc9260#8.5.1/shutdown-ack-connecting
    answerOutOfTheBlue(answerer, packet, from);
    return false;
  }
  const hidesReflected = chunks.some(
    ({ type, flags }, at) => at > 0 && type === ChunkType.Abort && (flags & T_BIT) !== 0,
  );
  // 0 stands for a peer's tag that we do not know yet.
  if (expected !== 0 && verificationTag === expected && !hidesReflected) return true;
  //= rfc9260#8.5/wrong-tag
  answerer.count("wrong-tag");
  return false;
}
