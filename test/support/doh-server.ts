/** A DNS-over-HTTP server that answers as a script says. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { name as nameCodec } from "dns-packet";
import type { AddressType } from "../../src/protocol/dns/constants.ts";

const vectors = join(import.meta.dir, "..", "vectors", "tls");

/** The certificate of the authority behind {@link startDohServer}'s certificate, which is for `dns.test` and loopback. */
export const TEST_CA: string = readFileSync(join(vectors, "ca.pem"), "utf8");
export const TEST_CA_FILE: string = join(vectors, "ca.pem");

export interface DohQuestion {
  readonly name: string;
  readonly type: AddressType;
  /** The whole query. */
  readonly bytes: Uint8Array;
}

/** What to answer: a DNS message, or a whole HTTP response. */
export type DohScript = (
  question: DohQuestion,
  request: Request,
) => Uint8Array | Response | Promise<Uint8Array | Response>;

export interface DohServer extends Disposable {
  readonly port: number;
  /** `http://127.0.0.1:port/dns-query`, or `https://`. */
  readonly url: string;
  /** Questions in the order in which they came, as "A name". */
  readonly asked: string[];
  /** Where the requests came from: as many different ones as there were connections. */
  readonly connections: Set<string>;
}

export interface DohServerOptions {
  readonly tls?: boolean;
  /** Speaks HTTP/2 beside HTTP/1.1; only with `tls`. */
  readonly http2?: boolean;
}

export function startDohServer(script: DohScript, options: DohServerOptions = {}): DohServer {
  const asked: string[] = [];
  const connections = new Set<string>();
  const tls = {
    key: readFileSync(join(vectors, "server.key"), "utf8"),
    cert: readFileSync(join(vectors, "server.pem"), "utf8"),
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(options.tls ? { tls } : {}),
    ...(options.http2 ? { http2: true } : {}),
    fetch: async (request) => {
      const peer = server.requestIP(request);
      connections.add(`${peer?.address} ${peer?.port}`);
      const question = await readQuestion(request);
      asked.push(`${question.type} ${question.name}`);
      const answer = await script(question, request);
      return answer instanceof Response ? answer : dnsResponse(answer);
    },
  });
  const { port } = server;
  if (port === undefined) throw new Error("the scripted server has no port");
  return {
    port,
    url: `${options.tls ? "https" : "http"}://127.0.0.1:${port}/dns-query`,
    asked,
    connections,
    [Symbol.dispose]: () => {
      server.stop(true);
    },
  };
}

/** A response as a good server gives it. */
export function dnsResponse(message: Uint8Array, headers: Record<string, string> = {}): Response {
  return new Response(message, { headers: { "content-type": "application/dns-message", ...headers } });
}

async function readQuestion(request: Request): Promise<DohQuestion> {
  const dns = new URL(request.url).searchParams.get("dns");
  const bytes = request.method === "POST" ? await request.bytes() : new Uint8Array(Buffer.from(dns ?? "", "base64url"));
  const message = Buffer.from(bytes);
  const name = nameCodec.decode(message, 12);
  const type = message.readUInt16BE(12 + nameCodec.decode.bytes);
  return { name, type: type === 28 ? "AAAA" : "A", bytes };
}

/** A server that says `reply` to whatever comes first, and then closes. */
export function startRawServer(reply: string): DohServer {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket) => {
        socket.write(reply);
        socket.end();
      },
    },
  });
  const url = `http://127.0.0.1:${listener.port}/dns-query`;
  return {
    port: listener.port,
    url,
    asked: [],
    connections: new Set(),
    [Symbol.dispose]: () => listener.stop(true),
  };
}
