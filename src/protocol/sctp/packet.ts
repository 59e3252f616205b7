/**
 * The SCTP packet (RFC 9260 §3.1): a common header, then chunks.
 *
 * ```txt
 *  0                   1                   2                   3
 * +-------------------------------+-------------------------------+
 * |      Source Port Number       |    Destination Port Number    |
 * +-------------------------------+-------------------------------+
 * |                       Verification Tag                        |
 * +---------------------------------------------------------------+
 * |                           Checksum                            |
 * +---------------------------------------------------------------+
 * |                           Chunks …                            |
 * +---------------------------------------------------------------+
 * ```
 */

import type { PacketDecoded } from "../../bytes/decoded.ts";
import { readU16, readU32 } from "../../bytes/read.ts";
import { writeBytes, writeU16, writeU32 } from "../../bytes/write.ts";
import type { Oddity } from "./api.ts";
import { COMMON_HEADER_BYTES, PACKET_BYTES_MAX, PATH_MTU_BYTES, TLV_HEADER_BYTES } from "./constants.ts";
import { checksumFits, writeChecksum } from "./crc32c.ts";
import { decodeChunks, type RawChunk } from "./tlv.ts";

/** The common header without its checksum. */
export interface PacketHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly verificationTag: number;
}

/** A packet whose checksum fits and whose chunks have proper lengths. There is at least one chunk. */
export interface Packet extends PacketHeader {
  readonly chunks: readonly RawChunk[];
}

/** Checks and cuts a packet. The chunks are views of it. */
export function decodePacket(bytes: Uint8Array): PacketDecoded<Packet, Oddity> {
  //= rfc9260#3.3.3/large
  if (bytes.length < COMMON_HEADER_BYTES + TLV_HEADER_BYTES || bytes.length > PACKET_BYTES_MAX) {
    return { kind: "invalid", fault: "bad-length" };
  }
  //= rfc9260#6.8/verify-first
  //= rfc9260#6.8/discard-silently
  if (!checksumFits(bytes)) return { kind: "invalid", fault: "bad-checksum" };
  const sourcePort = readU16(bytes, 0);
  const destinationPort = readU16(bytes, 2);
  //= rfc9260#3.1/port-zero
  if (sourcePort === 0 || destinationPort === 0) return { kind: "invalid", fault: "bad-port" };
  const chunks = decodeChunks(bytes.subarray(COMMON_HEADER_BYTES));
  //= rfc9260#6.10/partial
  if (chunks.kind === "invalid") return chunks;
  return {
    kind: "done",
    value: { sourcePort, destinationPort, verificationTag: readU32(bytes, 4), chunks: chunks.value },
  };
}

/** A packet in fresh bytes, with its checksum. Each of `chunks` is padded already. */
export function encodePacket(header: PacketHeader, chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, COMMON_HEADER_BYTES));
  let at = writeU16(out, 0, header.sourcePort);
  at = writeU16(out, at, header.destinationPort);
  writeU32(out, at, header.verificationTag);
  at = COMMON_HEADER_BYTES;
  for (const chunk of chunks) at = writeBytes(out, at, chunk);
  //= rfc9260#6.8/checksum
  //= rfc6951#5.3/checksum
  writeChecksum(out);
  return out;
}

/** Collects chunks up to the path MTU (RFC 9260 §6.10). */
export class Bundle {
  readonly chunks: Uint8Array[] = [];
  #bytes: number = COMMON_HEADER_BYTES;

  /** The bytes that are free. */
  get room(): number {
    return PATH_MTU_BYTES - this.#bytes;
  }

  /** Takes a chunk that fits, or the first whatever its size. */
  add(chunk: Uint8Array): boolean {
    //= rfc9260#6.10/mtu
    if (chunk.length > this.room && this.chunks.length > 0) return false;
    this.chunks.push(chunk);
    this.#bytes += chunk.length;
    return true;
  }
}
