/** CRC32c, the checksum of SCTP packets (RFC 9260 §6.8 and appendix A). */

/** The Castagnoli polynomial 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc >>> 0;
});

/** Where the checksum stands in the common header. */
const CHECKSUM_AT = 8;
const CHECKSUM_BYTES = 4;

function update(crc: number, byte: number): number {
  return (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
}

/** The CRC32c of `bytes`, 0 to 2^32 - 1. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = update(crc, byte);
  return ~crc >>> 0;
}

/** The checksum of a packet of at least 12 bytes, reckoned with zeros in its own place. */
function checksumOf(packet: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let at = 0; at < CHECKSUM_AT; at++) crc = update(crc, packet[at] as number);
  for (let at = 0; at < CHECKSUM_BYTES; at++) crc = update(crc, 0);
  for (let at = CHECKSUM_AT + CHECKSUM_BYTES; at < packet.length; at++) crc = update(crc, packet[at] as number);
  return ~crc >>> 0;
}

/** Whether the packet, of at least 12 bytes, carries the checksum of its bytes. */
export function checksumFits(packet: Uint8Array): boolean {
  let found = 0;
  // The checksum travels with its low byte first, unlike everything else (appendix A).
  for (let at = CHECKSUM_BYTES - 1; at >= 0; at--) found = (found << 8) | (packet[CHECKSUM_AT + at] as number);
  return found >>> 0 === checksumOf(packet);
}

/** Writes the checksum into a packet that is otherwise complete. */
export function writeChecksum(packet: Uint8Array): void {
  const checksum = checksumOf(packet);
  for (let at = 0; at < CHECKSUM_BYTES; at++) packet[CHECKSUM_AT + at] = checksum >>> (8 * at);
}
