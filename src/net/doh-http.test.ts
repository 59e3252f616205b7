import { describe, expect, test } from "bun:test";
import { type DohServer, dnsResponse, startDohServer, startRawServer, TEST_CA } from "../../test/support/doh-server.ts";
import type { HttpClientOptions, HttpOutcome } from "../ports/http-client.ts";
import { formRequest } from "../protocol/dns/doh.ts";
import { encodeQuery } from "../protocol/dns/query.ts";
import { FetchHttpClient } from "./doh-http.ts";

const query = encodeQuery({ name: "a.example", type: "A" });
const MESSAGE = Uint8Array.of(1, 2, 3);

function clientFor(url: string, options: Partial<HttpClientOptions> = {}): FetchHttpClient {
  return new FetchHttpClient({ origin: url, ca: undefined, version: "auto", bodyBytesMax: 1000, ...options });
}

const post = (client: FetchHttpClient, url: string, timeoutMs = 5000): Promise<HttpOutcome> =>
  client.send(formRequest(url, "post", query), { address: "127.0.0.1", timeoutMs });

const detailOf = (outcome: HttpOutcome): string => (outcome.kind === "failed" ? outcome.detail : "no failure");

/** Under a name that nobody resolves. */
const named = (server: DohServer): string => server.url.replace("127.0.0.1", "dns.test");

describe("FetchHttpClient", () => {
  test("POST over plain HTTP, connection kept", async () => {
    using server = startDohServer(({ bytes }, request) => {
      expect(request.method).toBe("POST");
      expect(request.headers.get("content-type")).toBe("application/dns-message");
      expect(request.headers.get("accept")).toBe("application/dns-message");
      expect(bytes).toEqual(query);
      return dnsResponse(MESSAGE, { age: "7" });
    });
    const client = clientFor(server.url);
    const outcome = await post(client, server.url);
    expect(outcome).toEqual({
      kind: "response",
      status: 200,
      contentType: "application/dns-message",
      age: "7",
      body: MESSAGE,
    });
    await post(client, server.url);
    await post(client, server.url);
    expect(server.connections.size).toBe(1);
    client.close();
  });

  test("GET, and a name that is never resolved goes into Host", async () => {
    const hosts: (string | null)[] = [];
    using server = startDohServer((_, request) => {
      hosts.push(request.headers.get("host"), request.method);
      return MESSAGE;
    });
    const url = named(server);
    const client = clientFor(url);
    const outcome = await client.send(formRequest(url, "get", query), { address: "127.0.0.1", timeoutMs: 5000 });
    expect(outcome.kind).toBe("response");
    expect(hosts).toEqual([`dns.test:${server.port}`, "GET"]);
    expect(server.asked).toEqual(["A a.example"]);
    client.close();
  });

  test("HTTP/2: one connection for many exchanges at once [rfc8484#5.2/http2]", async () => {
    using server = startDohServer(() => MESSAGE, { tls: true, http2: true });
    const url = named(server);
    const client = clientFor(url, { ca: TEST_CA, version: "2" });
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => post(client, url)));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(Array.from({ length: 50 }, () => "response"));
    expect(server.connections.size).toBe(1);
    client.close();
  });

  test("auto takes HTTP/1.1 where a server does not speak HTTP/2, and keeps to it", async () => {
    using server = startDohServer(() => MESSAGE, { tls: true });
    const url = named(server);
    const client = clientFor(url, { ca: TEST_CA });
    expect((await post(client, url)).kind).toBe("response");
    expect((await post(client, url)).kind).toBe("response");
    expect(server.connections.size).toBe(1);
    const strict = clientFor(url, { ca: TEST_CA, version: "2" });
    expect(detailOf(await post(strict, url))).toBe("HTTP2Unsupported");
    client.close();
  });

  test("a certificate of an unknown authority, and one for another name", async () => {
    using server = startDohServer(() => MESSAGE, { tls: true, http2: true });
    expect(detailOf(await post(clientFor(named(server)), named(server)))).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    const other = server.url.replace("127.0.0.1", "other.test");
    expect(detailOf(await post(clientFor(other, { ca: TEST_CA }), other))).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(server.asked).toEqual([]);
  });

  test("a certificate for the address itself", async () => {
    using server = startDohServer(() => MESSAGE, { tls: true, http2: true });
    expect((await post(clientFor(server.url, { ca: TEST_CA }), server.url)).kind).toBe("response");
  });

  test("a redirect is an answer, not an order [rfc8484#3/configured-uri]", async () => {
    using server = startDohServer(() => Response.redirect("http://127.0.0.1:1/", 307));
    expect(await post(clientFor(server.url), server.url)).toMatchObject({ kind: "response", status: 307 });
  });

  test("a cookie that the server sets does not come back [rfc8484#8.2/no-cookies]", async () => {
    const cookies: (string | null)[] = [];
    using server = startDohServer((_, request) => {
      cookies.push(request.headers.get("cookie"));
      return dnsResponse(MESSAGE, { "set-cookie": "who=you; Path=/" });
    });
    const client = clientFor(server.url);
    await post(client, server.url);
    await post(client, server.url);
    expect(cookies).toEqual([null, null]);
    client.close();
  });

  test("a body is read up to its limit", async () => {
    using server = startDohServer(({ name }) => new Response(new Uint8Array(name.length > 9 ? 1001 : 1000)));
    const client = clientFor(server.url);
    expect(await post(client, server.url)).toMatchObject({ kind: "response", body: { length: 1000 } });
    const long = formRequest(server.url, "post", encodeQuery({ name: "long.a.example", type: "A" }));
    const outcome = await client.send(long, { address: "127.0.0.1", timeoutMs: 5000 });
    expect(detailOf(outcome)).toBe("the body is longer than 1000 bytes");
  });

  test("a body without end is left at its limit", async () => {
    using server = startDohServer(
      () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(400)) })),
    );
    expect(detailOf(await post(clientFor(server.url), server.url))).toBe("the body is longer than 1000 bytes");
  });

  test("nobody answers: before the head, and in the middle of the body", async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    using silent = startDohServer(() => promise);
    expect(detailOf(await post(clientFor(silent.url), silent.url, 50))).toBe("no complete response within 50 ms");
    resolve(MESSAGE);
    using stalling = startDohServer(
      () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(MESSAGE) })),
    );
    expect(detailOf(await post(clientFor(stalling.url), stalling.url, 50))).toBe("no complete response within 50 ms");
  });

  test("a connection that ends in the middle of the body", async () => {
    using server = startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
    expect(detailOf(await post(clientFor(server.url), server.url))).toBe("ECONNRESET");
  });

  test("what is no HTTP, and nobody there", async () => {
    using server = startRawServer("220 mail.example ESMTP\r\n");
    expect((await post(clientFor(server.url), server.url)).kind).toBe("failed");
    const { port } = server;
    server[Symbol.dispose]();
    const gone = `http://127.0.0.1:${port}/dns-query`;
    expect(detailOf(await post(clientFor(gone), gone))).toBe("ECONNREFUSED");
  });

  test("a variable of the environment does not switch the check of certificates off", async () => {
    using server = startDohServer(() => MESSAGE, { tls: true, http2: true });
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      expect(detailOf(await post(clientFor(named(server)), named(server)))).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
      expect(server.asked).toEqual([]);
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
  });

  test("the environment's proxy is left alone", async () => {
    using server = startDohServer(() => MESSAGE);
    const before = process.env["http_proxy"];
    process.env["http_proxy"] = "http://127.0.0.1:1";
    try {
      expect((await post(clientFor(server.url), server.url)).kind).toBe("response");
    } finally {
      if (before === undefined) delete process.env["http_proxy"];
      else process.env["http_proxy"] = before;
    }
  });
});
