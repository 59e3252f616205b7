import { describe, expect, test } from "bun:test";
import { AGE_S_MAX, type DohResponse, formRequest, judgeResponse } from "./doh.ts";
import { encodeQuery } from "./query.ts";

const query = encodeQuery({ name: "www.example.com", type: "A" });
const DNS = "application/dns-message";

describe("formRequest", () => {
  test("POST carries the message and says what it is [rfc8484#4.1/post-content-type] [rfc8484#4.1/accept] [rfc8484#6/post-unencoded]", () => {
    expect(formRequest("https://dns.example/dns-query{?dns}", "post", query)).toEqual({
      method: "POST",
      url: "https://dns.example/dns-query",
      headers: { accept: DNS, "content-type": DNS },
      body: query,
    });
  });

  test("GET carries it in the URL, without padding [rfc8484#6/get-base64url]", () => {
    const request = formRequest("https://dns.example/dns-query{?dns}", "get", query);
    expect(request).toEqual({
      method: "GET",
      url: "https://dns.example/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB",
      headers: { accept: DNS },
      body: undefined,
    });
    const padded = formRequest("http://[::1]:8053/q", "get", encodeQuery({ name: "a.example", type: "AAAA" }));
    expect(padded.url).toMatch(/^http:\/\/\[::1\]:8053\/q\?dns=[A-Za-z0-9_-]+$/);
  });

  test("a URL that has a query already gets another parameter", () => {
    expect(formRequest("https://dns.example/q?ct=x{&dns}", "get", query).url).toStartWith(
      "https://dns.example/q?ct=x&dns=AAAB",
    );
  });
});

describe("judgeResponse", () => {
  const response = (parts: Partial<DohResponse>): DohResponse => ({
    status: 200,
    contentType: DNS,
    age: undefined,
    body: Uint8Array.of(1, 2),
    ...parts,
  });

  test("a 2xx with the media type is a message [rfc8484#4.1/dns-message]", () => {
    expect(judgeResponse(response({}))).toEqual({ kind: "message", message: Uint8Array.of(1, 2), ageS: 0 });
    expect(judgeResponse(response({ status: 203, contentType: "Application/DNS-Message; x=y" })).kind).toBe("message");
  });

  for (const status of [100, 301, 302, 307, 400, 404, 415, 429, 500, 503]) {
    test(`HTTP ${status} is a failure [rfc8484#4.2.1/not-2xx]`, () => {
      const judged = judgeResponse(response({ status }));
      expect(judged.kind === "failed" && judged.detail).toStartWith(`HTTP ${status}`);
    });
  }

  for (const contentType of [undefined, "", "text/html", "application/dns-json", "application/dns-messages"]) {
    test(`the content type ${contentType} is a failure`, () => {
      expect(judgeResponse(response({ contentType })).kind).toBe("failed");
    });
  }

  test("a body longer than any message is a failure [rfc8484#6/size]", () => {
    expect(judgeResponse(response({ body: new Uint8Array(65_535) })).kind).toBe("message");
    expect(judgeResponse(response({ body: new Uint8Array(65_536) })).kind).toBe("failed");
  });

  test("the Age is a number of seconds; what is too large or no number is the greatest one", () => {
    const ageOf = (age: string | undefined) => {
      const judged = judgeResponse(response({ age }));
      return judged.kind === "message" ? judged.ageS : undefined;
    };
    expect([undefined, "0", "250", " 7 ", "007", "5, 10"].map(ageOf)).toEqual([0, 0, 250, 7, 7, 5]);
    for (const age of ["2147483648", "2147483649", "99999999999", "9".repeat(400)]) expect(ageOf(age)).toBe(AGE_S_MAX);
    for (const age of ["-1", "1.5", "1e3", "x", "", ", 5"]) expect(ageOf(age)).toBe(AGE_S_MAX);
  });
});
