/** Servers that change under a client: another version of HTTP, kept connections that are gone, streams refused. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { constants, createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { TEST_CA } from "../../test/support/doh-server.ts";
import type { HttpClientOptions, HttpOutcome } from "../ports/http-client.ts";
import { formRequest } from "../protocol/dns/doh.ts";
import { encodeQuery } from "../protocol/dns/query.ts";
import { FetchHttpClient } from "./doh-http.ts";

const vectors = join(import.meta.dir, "..", "..", "test", "vectors", "tls");
const TLS = { key: readFileSync(join(vectors, "server.key")), cert: readFileSync(join(vectors, "server.pem")) };
const query = encodeQuery({ name: "a.example", type: "A" });

function clientFor(url: string, options: Partial<HttpClientOptions> = {}): FetchHttpClient {
  return new FetchHttpClient({ origin: url, ca: TEST_CA, version: "auto", bodyBytesMax: 1000, ...options });
}

const post = (client: FetchHttpClient, url: string): Promise<HttpOutcome> =>
  client.send(formRequest(url, "post", query), { address: "127.0.0.1", timeoutMs: 5000 });

const said = (outcome: HttpOutcome): string =>
  outcome.kind === "failed" ? outcome.detail : Buffer.from(outcome.body).toString();

const listen = (server: Server, port = 0): Promise<number> =>
  new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));

function answer(stream: ServerHttp2Stream): void {
  stream.on("data", () => undefined);
  stream.respond({ ":status": 200 });
  stream.end("two");
}

/** Speaks HTTP/2 only. */
function startHttp2(onStream: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void) {
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer(TLS);
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("sessionError", () => undefined);
  server.on("unknownProtocol", (socket) => socket.destroy());
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    if (stream.session !== undefined) onStream(stream, stream.session as ServerHttp2Session);
  });
  const stop = async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, sessions, stop };
}

/** Speaks HTTP/1.1 only. */
function startHttp1() {
  const server = createServer(TLS, (request, response) => {
    request.resume();
    response.end("one");
  });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, stop };
}

describe('http = "auto"', () => {
  test("a server that comes back with only the other version is asked in that one, within the same query", async () => {
    const before = startHttp2(answer);
    const port = await listen(before.server);
    const url = `https://dns.test:${port}/dns-query`;
    const client = clientFor(url);
    expect(said(await post(client, url))).toBe("two");
    await before.stop();
    const between = startHttp1();
    await listen(between.server, port);
    expect(said(await post(client, url))).toBe("one");
    await between.stop();
    const after = startHttp2(answer);
    await listen(after.server, port);
    expect(said(await post(client, url))).toBe("two");
    expect(said(await post(client, url))).toBe("two");
    expect(after.sessions.size).toBe(1);
    await after.stop();
  });

  test("a version that the configuration settles is not left", async () => {
    const server = startHttp2(answer);
    const url = `https://dns.test:${await listen(server.server)}/dns-query`;
    expect(said(await post(clientFor(url, { version: "1.1" }), url))).toBe("EPROTO");
    await server.stop();
  });
});

describe("a connection that is gone before any answer", () => {
  const OK = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none";

  /** Answers `answersMax` requests on each connection, and resets it at the next one. */
  function startForgetful(answersMax: number) {
    let connections = 0;
    const listener = Bun.listen<{ count: number }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          connections += 1;
          socket.data = { count: 0 };
        },
        data: (socket) => {
          socket.data.count += 1;
          if (socket.data.count <= answersMax) socket.write(OK);
          else socket.terminate();
        },
      },
    });
    return { url: `http://127.0.0.1:${listener.port}/`, listener, connectionCount: () => connections };
  }

  test("HTTP/1.1, a kept one: asked again on a fresh one, past all others that are kept", async () => {
    const { url, listener } = startForgetful(1);
    const client = clientFor(url);
    expect((await Promise.all(Array.from({ length: 8 }, () => post(client, url)))).map(said)).toEqual(
      Array.from({ length: 8 }, () => "one"),
    );
    for (let round = 0; round < 8; round++) expect(said(await post(client, url))).toBe("one");
    listener.stop(true);
  });

  test("every connection: asked once more, not without end", async () => {
    const { url, listener, connectionCount } = startForgetful(0);
    expect(said(await post(clientFor(url), url))).toBe("ECONNRESET");
    expect(connectionCount()).toBe(2);
    listener.stop(true);
  });

  test("HTTP/2, streams that GOAWAY leaves out, twice: asked again on the next connection", async () => {
    // Bun asks again by itself, too; either will do.
    let goawaysLeft = 2;
    const held = new Map<ServerHttp2Session, ServerHttp2Stream[]>();
    const server = startHttp2((stream, session) => {
      const streams = [...(held.get(session) ?? []), stream];
      held.set(session, streams);
      if (goawaysLeft === 0) return answer(stream);
      if (streams.length !== 5) return;
      goawaysLeft -= 1;
      session.goaway(0, streams[0]?.id ?? 1);
      for (const first of streams.slice(0, 1)) answer(first);
    });
    const url = `https://dns.test:${await listen(server.server)}/dns-query`;
    const client = clientFor(url, { version: "2" });
    const outcomes = await Promise.all(Array.from({ length: 9 }, () => post(client, url)));
    expect(outcomes.map(said)).toEqual(Array.from({ length: 9 }, () => "two"));
    expect(goawaysLeft).toBe(0);
    await server.stop();
  });

  test("HTTP/2, REFUSED_STREAM: asked again", async () => {
    let isRefusing = true;
    const server = startHttp2((stream) => {
      if (!isRefusing) return answer(stream);
      isRefusing = false;
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    const url = `https://dns.test:${await listen(server.server)}/dns-query`;
    expect(said(await post(clientFor(url, { version: "2" }), url))).toBe("two");
    await server.stop();
  });
});
