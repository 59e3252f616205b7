import { expect, test } from "bun:test";
import { ParameterType } from "./constants.ts";
import { decodeParameters, REPORT_BYTES_MAX, stateCookieParameter } from "./parameters.ts";
import { encodeTlv, joinTlvs } from "./tlv.ts";

function decode(...parameters: Uint8Array[]) {
  const decoded = decodeParameters(joinTlvs(parameters));
  if (decoded.kind === "invalid") throw new Error(decoded.fault);
  return decoded.value;
}

const COOKIE = stateCookieParameter(Uint8Array.of(1, 2, 3));

test("an unknown parameter with its highest bit clear ends the reading [rfc9260#3.2.1/stop]", () => {
  for (const type of [0x0fff, 0x4fff]) {
    expect(decode(encodeTlv(type, new Uint8Array(2)), COOKIE).stateCookie).toBeUndefined();
  }
  for (const type of [0x8fff, 0xcfff]) {
    expect(decode(encodeTlv(type, new Uint8Array(2)), COOKIE).stateCookie).toEqual(Uint8Array.of(1, 2, 3));
  }
});

test("an unknown parameter with its second bit set is to be reported, whole [rfc9260#3.2.1/report]", () => {
  const reports = [0x0fff, 0x4fff, 0x8fff, 0xcfff].map(
    (type) => decode(encodeTlv(type, Uint8Array.of(9))).unrecognized,
  );
  expect(reports).toEqual([[], [encodeTlv(0x4fff, Uint8Array.of(9))], [], [encodeTlv(0xcfff, Uint8Array.of(9))]]);
});

test("reports are bounded", () => {
  const many = Array.from({ length: 50 }, () => encodeTlv(0xcfff, Uint8Array.of(1, 2, 3, 4)));
  const bytes = decode(...many).unrecognized.reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBeLessThanOrEqual(REPORT_BYTES_MAX);
  expect(bytes).toBeGreaterThan(REPORT_BYTES_MAX - 8);
});

test("addresses and the like are passed over; an address by name is noted", () => {
  const passed = [5, 6, 8, 9, 12].map((type) => encodeTlv(type, new Uint8Array(4)));
  expect(decode(...passed, COOKIE)).toMatchObject({ unrecognized: [], hostName: undefined });
  const name = encodeTlv(ParameterType.HostNameAddress, Uint8Array.of(65, 0));
  expect(decode(name).hostName).toEqual(name);
});

test("the first cookie counts", () => {
  expect(decode(COOKIE, stateCookieParameter(Uint8Array.of(4))).stateCookie).toEqual(Uint8Array.of(1, 2, 3));
});

test("a length that does not fit is malformed", () => {
  expect(decodeParameters(Uint8Array.of(0, 7, 0, 3)).kind).toBe("invalid");
  expect(decodeParameters(Uint8Array.of(0, 7, 0, 0)).kind).toBe("invalid");
});
