import { expect, test } from "bun:test";
import { checksumFits, crc32c, writeChecksum } from "./crc32c.ts";

// The vectors of RFC 3720 §B.4, and the one that every CRC catalogue has.
test.each([
  ["zeros", new Uint8Array(32), 0x8a91_36aa],
  ["ones", new Uint8Array(32).fill(0xff), 0x62a8_ab43],
  ["rising", Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd_794e],
  ["falling", Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113f_db5c],
  ["123456789", new TextEncoder().encode("123456789"), 0xe306_9283],
  ["nothing", new Uint8Array(0), 0],
])("the CRC32c of %s", (_, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});

test("a packet with its checksum fits; with any bit changed it does not", () => {
  const packet = Uint8Array.from({ length: 40 }, (_, at) => at * 5);
  writeChecksum(packet);
  expect(checksumFits(packet)).toBe(true);
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const changed = packet.slice();
    changed[bit >> 3] = (packet[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(checksumFits(changed)).toBe(false);
  }
});

test("the checksum travels with its low byte first", () => {
  const packet = new Uint8Array(12);
  writeChecksum(packet);
  const crc = crc32c(new Uint8Array(12));
  expect(new DataView(packet.buffer).getUint32(8, true)).toBe(crc);
});
