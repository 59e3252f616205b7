import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodesEveryWay, refusesFromByte, survivesRandomBytes } from "../../../test/support/every-way.ts";
import { UserPassStatus } from "./constants.ts";
import { decodeUserPass, encodeUserPass, encodeUserPassReply } from "./userpass.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

test("name and password are exactly as long as they say [rfc1929#2/request]", () => {
  const bytes = Uint8Array.of(1, 5, ...bytesOf("alice"), 3, ...bytesOf("pw!"));
  decodesEveryWay(decodeUserPass, bytes, { uname: bytesOf("alice"), passwd: bytesOf("pw!") });
});

test("1 to 255 octets of any value, NUL and what is no UTF-8 included [rfc1929#2/uname-passwd-lengths]", () => {
  const octets = Uint8Array.from({ length: 255 }, (_, index) => index);
  decodesEveryWay(decodeUserPass, encodeUserPass({ uname: octets, passwd: octets }), { uname: octets, passwd: octets });
  const one = Uint8Array.of(0);
  decodesEveryWay(decodeUserPass, encodeUserPass({ uname: one, passwd: one }), { uname: one, passwd: one });
});

test("a length of 0 is read, so that it is answered and not waited for", () => {
  const empty = Uint8Array.of();
  decodesEveryWay(decodeUserPass, Uint8Array.of(1, 0, 0), { uname: empty, passwd: empty });
  decodesEveryWay(decodeUserPass, Uint8Array.of(1, 1, 0x61, 0), { uname: Uint8Array.of(0x61), passwd: empty });
});

test("another version is refused at its first byte, 5 included [rfc1929#2/version]", () => {
  for (const version of [0, 2, 5, 255]) {
    refusesFromByte(decodeUserPass, Uint8Array.of(version, 1, 0x61, 1, 0x62), 0, "bad-userpass-version");
  }
});

test("random bytes never throw", () => survivesRandomBytes(decodeUserPass, [[1], [1, 255]]));

test("what a client encodes, the server reads", () => {
  const field = fc.uint8Array({ minLength: 1, maxLength: 255 });
  fc.assert(
    fc.property(field, field, (uname, passwd) => {
      const bytes = encodeUserPass({ uname, passwd });
      expect(decodeUserPass(bytes)).toEqual({ kind: "done", value: { uname, passwd }, bytesRead: bytes.length });
    }),
  );
});

test("the answer is VER 1 and STATUS, 0 for success alone [rfc1929#2/version] [rfc1929#2/status-failure]", () => {
  expect(encodeUserPassReply(UserPassStatus.Success)).toEqual(Uint8Array.of(1, 0));
  expect(encodeUserPassReply(UserPassStatus.Failure)).toEqual(Uint8Array.of(1, 1));
});
