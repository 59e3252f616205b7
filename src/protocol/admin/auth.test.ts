import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AUTH_BYTES_MAX, decodeAuth, decodeAuthReply, encodeAuth, encodeAuthReply } from "./auth.ts";
import { AuthStatus } from "./constants.ts";

const field = fc.uint8Array({ minLength: 1, maxLength: 255 });

describe("decodeAuth", () => {
  test("whole, cut at every byte, and with more behind it", () => {
    fc.assert(
      fc.property(field, field, fc.uint8Array(), (username, password, more) => {
        const frame = encodeAuth({ username, password });
        const whole = { kind: "done" as const, value: { username, password }, bytesRead: frame.length };
        expect(decodeAuth(frame)).toEqual(whole);
        expect(decodeAuth(Uint8Array.from([...frame, ...more]))).toEqual(whole);
        for (let n = 0; n < frame.length; n++) expect(decodeAuth(frame.subarray(0, n)).kind).toBe("incomplete");
      }),
      { numRuns: 50 },
    );
  });

  test("the longest frame is AUTH_BYTES_MAX long", () => {
    const longest = new Uint8Array(255).fill(0x61);
    expect(encodeAuth({ username: longest, password: longest })).toHaveLength(AUTH_BYTES_MAX);
  });

  test.each([0, 2, 5, 0x16, 0x47, 255])("VER %d is judged at the first byte", (version) => {
    expect(decodeAuth(Uint8Array.of(version))).toEqual({ kind: "invalid", fault: AuthStatus.InvalidProtocol });
  });

  test("ULEN 0 and PLEN 0 are judged at once", () => {
    const refused = { kind: "invalid" as const, fault: AuthStatus.InvalidCredentials };
    expect(decodeAuth(Uint8Array.of(1, 0))).toEqual(refused);
    expect(decodeAuth(Uint8Array.of(1, 1, 0x61, 0))).toEqual(refused);
  });

  test("random bytes never throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void decodeAuth(bytes)));
  });
});

describe("encodeAuth", () => {
  test.each([0, 256])("a field of %d bytes throws, and the message does not show it", (length) => {
    const password = new Uint8Array(length).fill(0x73);
    expect(() => encodeAuth({ username: Uint8Array.of(1), password })).toThrow(`field of ${length} bytes`);
  });
});

describe("auth reply", () => {
  test.each(Object.values(AuthStatus))("STATUS %d, byte by byte", (status) => {
    const reply = encodeAuthReply(status);
    expect([...reply]).toEqual([1, status]);
    expect(decodeAuthReply(reply.subarray(0, 1)).kind).toBe("incomplete");
    expect(decodeAuthReply(Uint8Array.from([...reply, 9]))).toEqual({ kind: "done", value: status, bytesRead: 2 });
  });

  test("another version and an unknown status are faults", () => {
    expect(decodeAuthReply(Uint8Array.of(2))).toEqual({ kind: "invalid", fault: "version" });
    expect(decodeAuthReply(Uint8Array.of(1, 4))).toEqual({ kind: "invalid", fault: "status" });
  });
});
