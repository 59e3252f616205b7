import { describe, expect, test } from "bun:test";
import { decodesEveryWay, refusesFromByte, survivesRandomBytes } from "../../../test/support/every-way.ts";
import { Atyp, type FailureRep, Rep } from "./constants.ts";
import { repOfFault } from "./fault.ts";
import { decodeReply, encodeFailure, encodeSuccess } from "./reply.ts";

describe("replies", () => {
  test("success with an IPv4 address [rfc1928#6/reply] [rfc1928#6/reserved-zero] [rfc1928#6/rep-succeeded]", () => {
    expect(encodeSuccess(Uint8Array.of(192, 0, 2, 7), 0x1234)).toEqual(
      Uint8Array.of(5, 0, 0, 1, 192, 0, 2, 7, 0x12, 0x34),
    );
  });

  test("success with an IPv6 address [rfc1928#6/reply]", () => {
    const ip = Uint8Array.from({ length: 16 }, (_, index) => index);
    expect(encodeSuccess(ip, 80)).toEqual(Uint8Array.of(5, 0, 0, 4, ...ip, 0, 80));
  });

  test("a failure has the ten bytes that clients wait for [rfc1928#6/reply] [rfc1928#6/reserved-zero]", () => {
    for (const rep of Object.values(Rep)) {
      if (rep === Rep.Succeeded) continue;
      expect(encodeFailure(rep)).toEqual(Uint8Array.of(5, rep, 0, 1, 0, 0, 0, 0, 0, 0));
    }
  });

  test("REP is one of those that the RFC assigns [rfc1928#6/rep-unassigned]", () => {
    const reps = Object.values(Rep);
    expect(reps).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const faults = [
      "bad-version",
      "no-acceptable-method",
      "bad-userpass-version",
      "bad-reserved",
      "bad-command",
      "bad-address-type",
      "empty-name",
    ] as const;
    for (const fault of faults) expect(reps.slice(1)).toContain(repOfFault(fault) satisfies FailureRep);
  });

  test("a client decodes them, and whatever REP another server sends", () => {
    decodesEveryWay(decodeReply, encodeSuccess(Uint8Array.of(192, 0, 2, 7), 80), {
      rep: Rep.Succeeded,
      bnd: { atyp: Atyp.Ipv4, host: "192.0.2.7", isIp: true, port: 80 },
    });
    decodesEveryWay(decodeReply, Uint8Array.of(5, 0x5b, 0, 1, 0, 0, 0, 0, 0, 0), {
      rep: 0x5b,
      bnd: { atyp: Atyp.Ipv4, host: "0.0.0.0", isIp: true, port: 0 },
    });
    refusesFromByte(decodeReply, Uint8Array.of(4, 0, 0, 1, 0, 0, 0, 0, 0, 0), 0, "bad-version");
  });

  test("random bytes never throw", () => survivesRandomBytes(decodeReply, [[5], [5, 0, 0, 1], [5, 0, 0, 3]]));
});
