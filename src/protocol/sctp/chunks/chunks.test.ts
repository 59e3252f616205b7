/** Every codec: bytes written out by hand from the RFC's diagrams, there and back, and cut at every length. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChunkType } from "../constants.ts";
import { stateCookieParameter } from "../parameters.ts";
import type { Tsn } from "../serial.ts";
import { decodeChunks, type RawChunk } from "../tlv.ts";
import { decodeCauses, encodeAbort, encodeError } from "./abort.ts";
import { encodeCookieAck, encodeShutdownAck, encodeShutdownComplete, isBare } from "./bare.ts";
import { encodeCookieEcho } from "./cookie-echo.ts";
import { DataFlag, decodeData, encodeData, USER_DATA_BYTES_MAX } from "./data.ts";
import { decodeHeartbeat, encodeHeartbeat, encodeHeartbeatAck } from "./heartbeat.ts";
import { decodeInit, encodeInit, isAcceptable } from "./init.ts";
import { decodeSack, encodeSack } from "./sack.ts";
import { decodeShutdown, encodeShutdown } from "./shutdown.ts";

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** The one chunk in these bytes. */
function raw(bytes: Uint8Array): RawChunk {
  const chunks = decodeChunks(bytes);
  const chunk = chunks.kind === "done" ? chunks.value[0] : undefined;
  if (chunk === undefined) throw new Error("there is no chunk");
  return chunk;
}

const DATA = {
  tsn: 0xfffe_fdfc as Tsn,
  streamId: 1,
  streamSeq: 2,
  ppid: 3,
  flags: DataFlag.Beginning | DataFlag.End | DataFlag.Immediate,
  userData: Uint8Array.of(0xaa),
};
const DATA_BYTES = hex("000b0011 fffefdfc 00010002 00000003 aa000000");
const SACK = {
  cumulativeTsnAck: 0x0102_0304 as Tsn,
  aRwnd: 0x0001_0000,
  gapAckBlocks: [
    { start: 2, end: 3 },
    { start: 5, end: 5 },
  ],
  duplicateTsns: [7 as Tsn],
};
const SACK_BYTES = hex("0300001c 01020304 00010000 00020001 00020003 00050005 00000007");
const INIT = {
  initiateTag: 0x1122_3344,
  aRwnd: 0x0002_0000,
  outboundStreams: 1,
  inboundStreams: 2,
  initialTsn: 0xffff_ffff as Tsn,
};
const INIT_BYTES = hex("01000014 11223344 00020000 00010002 ffffffff");

describe("DATA", () => {
  test("there and back", () => {
    expect(encodeData(DATA)).toEqual(DATA_BYTES);
    expect(decodeData(raw(DATA_BYTES))).toEqual({ kind: "done", value: DATA });
  });

  test("user data that fills a packet exactly", () => {
    expect(encodeData({ ...DATA, userData: new Uint8Array(USER_DATA_BYTES_MAX) }).length).toBe(1_188);
  });
});

describe("INIT", () => {
  test("there and back, with and without a cookie", () => {
    expect(encodeInit(ChunkType.Init, INIT, [])).toEqual(INIT_BYTES);
    expect(decodeInit(raw(INIT_BYTES))).toMatchObject({ kind: "done", value: INIT });
    const initAck = encodeInit(ChunkType.InitAck, INIT, [stateCookieParameter(Uint8Array.of(9))]);
    expect(initAck).toEqual(hex("02000019 11223344 00020000 00010002 ffffffff 00070005 09000000"));
    expect(decodeInit(raw(initAck))).toMatchObject({
      kind: "done",
      value: { ...INIT, parameters: { stateCookie: Uint8Array.of(9) } },
    });
  });

  test("what can be", () => {
    expect(isAcceptable({ ...INIT, aRwnd: 1_500 })).toBe(true);
    expect(isAcceptable({ ...INIT, aRwnd: 1_499 })).toBe(false);
    expect(isAcceptable({ ...INIT, outboundStreams: 0 })).toBe(false);
    expect(isAcceptable({ ...INIT, inboundStreams: 0 })).toBe(false);
  });
});

describe("SACK", () => {
  test("there and back", () => {
    expect(encodeSack(SACK)).toEqual(SACK_BYTES);
    expect(decodeSack(raw(SACK_BYTES))).toEqual({ kind: "done", value: SACK });
  });

  test("counts that do not fill the chunk, and blocks that cannot be, are malformed", () => {
    const off = [0x0c, 0x0d, 0x0e, 0x0f].map((at) => {
      const bytes = SACK_BYTES.slice();
      bytes[at] = (bytes[at] as number) + 1;
      return decodeSack(raw(bytes)).kind;
    });
    expect(off).toEqual(["invalid", "invalid", "invalid", "invalid"]);
    for (const block of ["00000001", "00030002"]) {
      expect(decodeSack(raw(hex(`03000014 00000001 00000001 00010000 ${block}`))).kind).toBe("invalid");
    }
  });
});

describe("HEARTBEAT", () => {
  test("there and back, and its answer has the same information", () => {
    const bytes = hex("04000009 00010005 aa000000");
    expect(encodeHeartbeat(Uint8Array.of(0xaa))).toEqual(bytes);
    const decoded = decodeHeartbeat(raw(bytes));
    expect(decoded).toMatchObject({ kind: "done", value: { info: Uint8Array.of(0xaa) } });
    if (decoded.kind === "done") expect(encodeHeartbeatAck(decoded.value)).toEqual(hex("05000009 00010005 aa000000"));
  });

  test("without information is malformed", () => {
    expect(decodeHeartbeat(raw(hex("04000004"))).kind).toBe("invalid");
    expect(decodeHeartbeat(raw(hex("04000008 00020004"))).kind).toBe("invalid");
  });
});

describe("ABORT and ERROR", () => {
  test("there and back", () => {
    const cause = hex("000c0004");
    expect(encodeAbort(true, [cause])).toEqual(hex("06010008 000c0004"));
    expect(encodeAbort(false, [])).toEqual(hex("06000004"));
    expect(encodeError([cause])).toEqual(hex("09000008 000c0004"));
    expect(decodeCauses(raw(hex("06000008 000c0004")))).toMatchObject({
      kind: "done",
      value: { causes: [{ type: 12 }] },
    });
  });

  test("causes that cannot be are malformed", () => {
    expect(decodeCauses(raw(hex("06000008 000c0003"))).kind).toBe("invalid");
    expect(decodeCauses(raw(hex("06000008 000c0005"))).kind).toBe("invalid");
  });
});

describe("the small ones", () => {
  test("there and back", () => {
    expect(encodeShutdown(0x0102_0304 as Tsn)).toEqual(hex("07000008 01020304"));
    expect(decodeShutdown(raw(hex("07000008 01020304")))).toEqual({
      kind: "done",
      value: { cumulativeTsnAck: 0x0102_0304 as Tsn },
    });
    expect(decodeShutdown(raw(hex("0700000c 01020304 00000000"))).kind).toBe("invalid");
    expect(encodeCookieEcho(Uint8Array.of(1, 2))).toEqual(hex("0a000006 01020000"));
    expect(encodeCookieAck()).toEqual(hex("0b000004"));
    expect(encodeShutdownAck()).toEqual(hex("08000004"));
    expect(encodeShutdownComplete(true)).toEqual(hex("0e010004"));
    expect(isBare(raw(hex("0b000004")))).toBe(true);
    expect(isBare(raw(hex("0b000005 00000000")))).toBe(false);
  });
});

describe("every decoder", () => {
  const decoders = { decodeData, decodeInit, decodeSack, decodeHeartbeat, decodeCauses, decodeShutdown };

  test("of a chunk cut at any length: no throw, and nothing below its fixed fields is taken", () => {
    const samples: [keyof typeof decoders, Uint8Array, number][] = [
      ["decodeData", DATA_BYTES, 12],
      ["decodeInit", INIT_BYTES, 16],
      ["decodeSack", SACK_BYTES, 24],
      ["decodeShutdown", hex("07000008 01020304"), 4],
    ];
    for (const [name, bytes, least] of samples) {
      const chunk = raw(bytes);
      for (let length = 0; length < least; length++) {
        const cut = { ...chunk, value: chunk.value.subarray(0, length) };
        expect([name, length, decoders[name](cut).kind]).toEqual([name, length, "invalid"]);
      }
    }
  });

  test("of any bytes: no throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 0, max: 255 }), (value, flags) => {
        for (const decode of Object.values(decoders)) {
          expect(["done", "invalid"]).toContain(decode({ type: 0, flags, value, bytes: value }).kind);
        }
      }),
    );
  });
});
