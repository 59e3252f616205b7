import { describe, expect, test } from "bun:test";
import { PATH_MTU_BYTES } from "./constants.ts";
import { writeChecksum } from "./crc32c.ts";
import { Bundle, decodePacket, encodePacket } from "./packet.ts";
import { encodeChunk } from "./tlv.ts";

const HEADER = { sourcePort: 40_000, destinationPort: 8_080, verificationTag: 0x0102_0304 };
const COOKIE_ACK = encodeChunk(11, 0, new Uint8Array(0));

describe("a packet", () => {
  test("comes back as it went, with its checksum [rfc9260#6.8/checksum] [rfc6951#5.3/checksum]", () => {
    const decoded = decodePacket(encodePacket(HEADER, [COOKIE_ACK, encodeChunk(3, 0, Uint8Array.of(1))]));
    expect(decoded).toMatchObject({ kind: "done", value: { ...HEADER, chunks: [{ type: 11 }, { type: 3 }] } });
  });

  test("with a wrong checksum is thrown away, whatever else is wrong with it [rfc9260#6.8/verify-first] [rfc9260#6.8/discard-silently]", () => {
    const packet = encodePacket({ ...HEADER, sourcePort: 0 }, [Uint8Array.of(1, 0, 0, 2)]);
    packet[11] = (packet[11] as number) ^ 1;
    expect(decodePacket(packet)).toEqual({ kind: "invalid", fault: "bad-checksum" });
  });

  test("with a port of 0 is thrown away [rfc9260#3.1/port-zero]", () => {
    for (const ports of [{ sourcePort: 0 }, { destinationPort: 0 }]) {
      expect(decodePacket(encodePacket({ ...HEADER, ...ports }, [COOKIE_ACK]))).toEqual({
        kind: "invalid",
        fault: "bad-port",
      });
    }
  });

  test("too short for a chunk, or too long, is thrown away", () => {
    for (const length of [0, 1, 12, 15, 65_536]) {
      const packet = new Uint8Array(length);
      if (length >= 12) writeChecksum(packet);
      expect(decodePacket(packet)).toEqual({ kind: "invalid", fault: "bad-length" });
    }
  });

  test("whose chunks do not fit is thrown away", () => {
    expect(decodePacket(encodePacket(HEADER, [COOKIE_ACK, Uint8Array.of(3, 0, 0, 9)]))).toEqual({
      kind: "invalid",
      fault: "malformed-chunk",
    });
  });
});

describe("a bundle", () => {
  test("takes chunks up to the path MTU, and the first whatever its size", () => {
    const bundle = new Bundle();
    expect(bundle.add(new Uint8Array(1_100))).toBe(true);
    expect(bundle.room).toBe(PATH_MTU_BYTES - 12 - 1_100);
    expect(bundle.add(new Uint8Array(92))).toBe(false);
    expect(bundle.add(new Uint8Array(88))).toBe(true);
    expect(encodePacket(HEADER, bundle.chunks).length).toBe(PATH_MTU_BYTES);
    expect(new Bundle().add(new Uint8Array(5_000))).toBe(true);
  });
});
