/**
 * HTTP for DNS over HTTP, by Bun's `fetch`: kept-alive HTTP/1.1, and HTTP/2 with one connection for all exchanges. The
 * address to connect to is given by the caller, while the name in the URL goes into Host, SNI and the certificate's
 * check, so that the server's name is never resolved on the way.
 */

import { isIP } from "node:net";
import type { HttpClient, HttpClientOptions, HttpOutcome, HttpRequest, HttpSendOptions } from "../ports/http-client.ts";

type Version = "1.1" | "2";

/** Seconds that an idle connection is kept. */
const IDLE_S = 60;
/** Idle connections that are kept, of HTTP/1.1. */
const IDLE_SOCKETS_MAX = 16;

/** Codes that say that a server does not speak the version asked for: another one chosen, or a handshake that ends over it. */
const OTHER_VERSION: ReadonlySet<string> = new Set(["HTTP2Unsupported", "EPROTO"]);

/**
 * Codes of a connection that went away under a request: a kept one that the server has closed meanwhile, or a stream that it
 * refused, with GOAWAY (RFC 9113 §6.8) or alone (§8.7; Bun tells that as a protocol error).
 */
const GONE: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ConnectionClosed",
  "HTTP2RefusedStream",
  "HTTP2StreamReset",
  "HTTP2ProtocolError",
]);

/** Implements {@link HttpClient}, for the requests of one server. */
export class FetchHttpClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #session: Bun.FetchSession;
  /** What an `https:` server has shown to speak, with "auto". */
  #knownVersion: Version | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const { hostname, protocol } = new URL(options.origin);
    const serverName = protocol === "https:" && isIP(bare(hostname)) === 0 ? hostname : undefined;
    this.#session = new Bun.FetchSession({
      // The proxy of the environment is for others: a resolver that goes through it may go through us.
      proxy: false,
      keepAlive: { idleTimeout: IDLE_S, maxIdleSockets: IDLE_SOCKETS_MAX },
      tls: {
        // Said, so that no variable of the environment says otherwise.
        rejectUnauthorized: true,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(serverName === undefined ? {} : { serverName }),
      },
    });
  }

  async send(request: HttpRequest, options: HttpSendOptions): Promise<HttpOutcome> {
    const url = new URL(request.url);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new DeadlineError(options.timeoutMs)), options.timeoutMs);
    try {
      return await this.#sendByVersion({ request, url, address: options.address, signal: deadline.signal });
    } catch (error) {
      if (deadline.signal.aborted) return { kind: "failed", detail: deadline.signal.reason.message, isTimeout: true };
      return { kind: "failed", detail: describe(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#session.close();
  }

  async #sendByVersion(query: Query): Promise<HttpOutcome> {
    if (query.url.protocol === "http:") return this.#exchange(query, "1.1");
    const { version } = this.#options;
    if (version !== "auto") return this.#exchange(query, version);
    //= rfc8484#5.2/http2
    const wanted = this.#knownVersion ?? "2";
    try {
      return await this.#find(query, wanted);
    } catch (error) {
      if (query.signal.aborted || !OTHER_VERSION.has(codeOf(error))) throw error;
    }
    // It may be another server by now than the one that showed what it speaks.
    this.#knownVersion = undefined;
    return this.#find(query, wanted === "2" ? "1.1" : "2");
  }

  async #find(query: Query, version: Version): Promise<HttpOutcome> {
    const outcome = await this.#exchange(query, version);
    this.#knownVersion = version;
    return outcome;
  }

  async #exchange(query: Query, version: Version): Promise<HttpOutcome> {
    const response = await this.#headOf(query, version);
    const body = await this.#collect(response);
    if (body === undefined) {
      return { kind: "failed", detail: `the body is longer than ${this.#options.bodyBytesMax} bytes` };
    }
    return {
      kind: "response",
      status: response.status,
      contentType: response.headers.get("content-type") ?? undefined,
      age: response.headers.get("age") ?? undefined,
      body,
    };
  }

  /** Asks once more when the connection was gone before any answer: asking twice does no harm. */
  async #headOf({ request, url, address, signal }: Query, version: Version): Promise<Response> {
    const target = new URL(url);
    target.hostname = address.includes(":") ? `[${address}]` : address;
    const init: BunFetchRequestInit = {
      method: request.method,
      headers: { ...request.headers, host: url.host },
      body: request.body ?? null,
      redirect: "manual",
      decompress: false,
      signal,
      ...(url.protocol === "https:" ? { protocol: version === "2" ? "http2" : "http1.1" } : {}),
    };
    //= rfc8484#8.2/no-cookies
    // A session keeps connections and no cookies.
    try {
      return await this.#session.fetch(target, init);
    } catch (error) {
      if (signal.aborted || !GONE.has(codeOf(error))) throw error;
    }
    // Of HTTP/1.1 there may be more kept connections that are gone; of HTTP/2, there is one, which is left when it is gone.
    return this.#session.fetch(target, version === "2" ? init : { ...init, keepalive: false });
  }

  /** The whole body, or `undefined` when it is too long; then the rest of it is not read. */
  async #collect(response: Response): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      // Leaving the loop cancels the body.
      if (size > this.#options.bodyBytesMax) return undefined;
      chunks.push(chunk);
    }
    const [only] = chunks;
    return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, size);
  }
}

/** One request on its way: where it goes, and until when. */
interface Query {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly address: string;
  readonly signal: AbortSignal;
}

/** An IPv6 address of a URL without its brackets. */
const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1");

class DeadlineError extends Error {
  constructor(timeoutMs: number) {
    super(`no complete response within ${timeoutMs} ms`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Bun appends advice for programmers to its messages; the code alone says it better. */
function describe(error: unknown): string {
  const code = codeOf(error);
  if (code !== "") return code;
  return error instanceof Error ? error.message : String(error);
}
