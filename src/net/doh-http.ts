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

/** Codes by which a server says that it does not speak HTTP/2: no ALPN, or a handshake that ends over it. */
const NO_HTTP2: ReadonlySet<string> = new Set(["HTTP2Unsupported", "EPROTO"]);

/** Implements {@link HttpClient}, for the requests of one server. */
export class FetchHttpClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #session: Bun.FetchSession;
  /** What an `https:` server has shown to speak. */
  #knownVersion: Version | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#knownVersion = options.version === "auto" ? undefined : options.version;
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
      return await this.#sendByVersion(request, url, options.address, deadline.signal);
    } catch (error) {
      return { kind: "failed", detail: deadline.signal.aborted ? deadline.signal.reason.message : describe(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#session.close();
  }

  async #sendByVersion(request: HttpRequest, url: URL, address: string, signal: AbortSignal): Promise<HttpOutcome> {
    if (url.protocol === "http:") return this.#exchange(request, url, address, "1.1", signal);
    if (this.#knownVersion !== undefined) return this.#exchange(request, url, address, this.#knownVersion, signal);
    try {
      //= rfc8484#5.2/http2
      const outcome = await this.#exchange(request, url, address, "2", signal);
      this.#knownVersion = "2";
      return outcome;
    } catch (error) {
      if (signal.aborted || !NO_HTTP2.has(codeOf(error))) throw error;
    }
    const outcome = await this.#exchange(request, url, address, "1.1", signal);
    this.#knownVersion = "1.1";
    return outcome;
  }

  async #exchange(
    request: HttpRequest,
    url: URL,
    address: string,
    version: Version,
    signal: AbortSignal,
  ): Promise<HttpOutcome> {
    const target = new URL(url);
    target.hostname = address.includes(":") ? `[${address}]` : address;
    //= rfc8484#8.2/no-cookies
    // A session keeps connections and no cookies.
    const response = await this.#session.fetch(target, {
      method: request.method,
      headers: { ...request.headers, host: url.host },
      body: request.body ?? null,
      redirect: "manual",
      decompress: false,
      signal,
      ...(url.protocol === "https:" ? { protocol: version === "2" ? "http2" : "http1.1" } : {}),
    });
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
