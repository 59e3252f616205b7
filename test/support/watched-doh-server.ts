/** A DNS-over-HTTP server by Node, which tells what Bun's does not: when a connection to it ends. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { name as nameCodec } from "dns-packet";
import { a, response, soa } from "./dns-message.ts";

export interface WatchedDohServer extends Disposable {
  /** `http://127.0.0.1:port/`. */
  readonly url: string;
  /** Resolves when the first connection has ended. The server itself ends none before it is disposed of. */
  readonly closed: Promise<void>;
  /** Resolves when both questions about `held.test` have come. */
  readonly held: Promise<void>;
}

/** Knows every name, at 127.0.0.1; but about `held.test` it never says anything. */
export async function startWatchedDohServer(): Promise<WatchedDohServer> {
  const closed = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let heldCount = 0;
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const query = Buffer.concat(chunks);
      const name = nameCodec.decode(query, 12);
      if (name === "held.test") {
        heldCount += 1;
        if (heldCount === 2) held.resolve();
        return;
      }
      const isA = query.readUInt16BE(12 + nameCodec.decode.bytes) === 1;
      reply.setHeader("content-type", "application/dns-message");
      if (isA) reply.end(response(name, "A", { answers: [a(name, "127.0.0.1")] }));
      else reply.end(response(name, "AAAA", { authorities: [soa("test", 60, 60)] }));
    });
  });
  server.keepAliveTimeout = 0;
  server.on("connection", (socket) => socket.on("close", () => closed.resolve()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    closed: closed.promise,
    held: held.promise,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
