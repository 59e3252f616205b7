import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { METHODS } from "./commands/table.ts";
import { RefusalCode } from "./constants.ts";
import { decodeRequest, encodeRequest, REQUEST_BYTES_MAX } from "./request.ts";
import { decodeResponse, encodeResponse } from "./response.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The refusal that `bytes` meets, as its code and text. */
function refusalOf(bytes: readonly number[]): string {
  const decoded = decodeRequest(Uint8Array.from(bytes));
  return decoded.kind === "invalid" ? `${decoded.fault.code} ${decoded.fault.text}` : decoded.kind;
}

function summaryOf(bytes: Uint8Array): string {
  const decoded = decodeRequest(bytes);
  return decoded.kind === "done" ? `${decoded.value.summary}, ${decoded.bytesRead} bytes` : decoded.kind;
}

describe("decodeRequest", () => {
  test.each([
    [0, "historical"],
    [1, "concurrent"],
    [2, "bytes"],
  ])("method %d is its first two bytes, whatever follows", (code, name) => {
    expect(summaryOf(Uint8Array.of(code))).toBe("incomplete");
    expect(summaryOf(Uint8Array.of(code, 0))).toBe(`${name}, 2 bytes`);
    expect(summaryOf(Uint8Array.of(code, 0, 7, 7, 7))).toBe(`${name}, 2 bytes`);
  });

  test("method 3, cut at every byte and with more behind it", () => {
    const frame = encodeRequest(3, [ascii("4096")]);
    expect([...frame]).toEqual([3, 1, 4, 0x34, 0x30, 0x39, 0x36]);
    for (let n = 0; n < frame.length; n++) expect(summaryOf(frame.subarray(0, n))).toBe("incomplete");
    expect(summaryOf(frame)).toBe("buffer-size 4096, 7 bytes");
    expect(summaryOf(Uint8Array.from([...frame, 1, 2, 3]))).toBe("buffer-size 4096, 7 bytes");
  });

  test.each(["300", "16777216", "000300", `${"0".repeat(247)}16777216`])("size %s is accepted", (digits) => {
    expect(summaryOf(encodeRequest(3, [ascii(digits)]))).toStartWith(`buffer-size ${BigInt(digits)},`);
  });

  test.each(["299", "16777217", "0", "000", "-300", "+300", "300 ", " 300", "3e2", "300.0", "0x1000", "9".repeat(255)])(
    "size %s is 254",
    (digits) => {
      expect(refusalOf([...encodeRequest(3, [ascii(digits)])])).toMatch(
        /^254 the buffer size must be a whole number from 300 to 16777216 in ASCII digits: it was ('.{1,24}'|255 characters)$/,
      );
    },
  );

  test("another NPARAM than the method's is 254 at the second byte", () => {
    expect(refusalOf([0, 1])).toBe("254 method 0 takes no parameter: NPARAM was 1");
    expect(refusalOf([3, 0])).toBe("254 method 3 takes one parameter: NPARAM was 0");
    expect(refusalOf([3, 2, 3, 0x33, 0x30, 0x30])).toBe("254 method 3 takes one parameter: NPARAM was 2");
    expect(refusalOf([2, 255])).toBe("254 method 2 takes no parameter: NPARAM was 255");
  });

  test("a parameter of length 0 is 254 at once", () => {
    expect(refusalOf([3, 1, 0])).toBe("254 parameter 1 of method 3 is empty: its length must be 1 to 255");
  });

  test("every other code is 255 at the first byte, 254 and 255 included", () => {
    for (let code = 4; code <= 255; code++) {
      expect(refusalOf([code])).toBe(`255 no method ${code}: methods are 0 to 3`);
      for (const paramCount of [0, 1, 2, 255]) {
        expect(refusalOf([code, paramCount])).toBe(`255 no method ${code}: methods are 0 to 3`);
      }
    }
  });

  test("a refusal's text is fit for the wire, whatever was sent", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, sized) => {
        const request = sized ? encodeRequest(3, [Uint8Array.from([0, ...bytes.subarray(0, 254)])]) : bytes;
        const decoded = decodeRequest(request);
        if (decoded.kind === "invalid") encodeResponse(decoded.fault.code, decoded.fault.text);
      }),
    );
  });

  test("what is longer than REQUEST_BYTES_MAX has been judged by then", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: REQUEST_BYTES_MAX, maxLength: REQUEST_BYTES_MAX }), (bytes) => {
        bytes[0] = (bytes[0] ?? 0) % 5;
        expect(decodeRequest(bytes).kind).not.toBe("incomplete");
      }),
    );
  });
});

describe("the table of methods", () => {
  test("codes are 0 to 3, in order, and each command reaches its own part of the proxy", () => {
    const sizes: number[] = [];
    const engine = {
      historical: () => 11,
      concurrent: () => 22,
      bytes: () => Number.MAX_SAFE_INTEGER,
      setBufferSize: (size: number) => void sizes.push(size),
    };
    const data = METHODS.map((method, code) => {
      expect(method.code).toBe(code as 0 | 1 | 2 | 3);
      const command = method.parse(method.paramCount === 0 ? [] : [ascii("0512")]);
      return command.kind === "command" ? command.execute(engine) : command.text;
    });
    expect(data).toEqual(["11", "22", "9007199254740991", "512"]);
    expect(sizes).toEqual([512]);
  });
});

describe("response", () => {
  test("round trip, cut at every byte, with more behind it", () => {
    const frame = encodeResponse(2, "1048576");
    expect([...frame]).toEqual([2, 7, ...ascii("1048576")]);
    for (let n = 0; n < frame.length; n++) expect(decodeResponse(frame.subarray(0, n), 2).kind).toBe("incomplete");
    expect(decodeResponse(Uint8Array.from([...frame, 0]), 2)).toEqual({
      kind: "done",
      value: { code: 2, data: ascii("1048576") },
      bytesRead: frame.length,
    });
  });

  test("a refusal answers every request; another method's answer none", () => {
    for (const code of Object.values(RefusalCode)) expect(decodeResponse(Uint8Array.of(code, 0), 1).kind).toBe("done");
    expect(decodeResponse(Uint8Array.of(0), 1)).toEqual({ kind: "invalid", fault: "code" });
    expect(decodeResponse(Uint8Array.of(1, 0), 1)).toEqual({ kind: "invalid", fault: "empty" });
  });

  test("text that the wire cannot carry throws: it is a bug of ours", () => {
    expect(() => encodeResponse(0, "")).toThrow(RangeError);
    expect(() => encodeResponse(0, "x".repeat(256))).toThrow(RangeError);
    expect(() => encodeResponse(0, "größe")).toThrow(RangeError);
  });
});
