/** One HTTP exchange, as much of it as DNS over HTTP needs. Implementations: Bun's `fetch`, a script in tests. */

export interface HttpRequest {
  readonly method: "POST" | "GET";
  /** An absolute `http:` or `https:` URL. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

export type HttpOutcome =
  /** The whole response. A redirect is one, too: none is followed. */
  | {
      readonly kind: "response";
      readonly status: number;
      readonly contentType: string | undefined;
      readonly age: string | undefined;
      readonly body: Uint8Array;
    }
  /** There is no response: nobody there, a bad certificate, an end in the middle, too long, too late. */
  | {
      readonly kind: "failed";
      readonly detail: string;
      /** Whether it is the time that was over. */
      readonly isTimeout?: boolean;
    };

export interface HttpSendOptions {
  /** The IP address to connect to, as text without brackets, in place of the URL's host. */
  readonly address: string;
  /** For the whole exchange, from connecting to the last byte of the body. */
  readonly timeoutMs: number;
}

/** Keeps connections to one server and its settings. */
export interface HttpClient {
  /** Sends `request` and collects the response. Never rejects. */
  send(request: HttpRequest, options: HttpSendOptions): Promise<HttpOutcome>;
  /** Closes idle connections; exchanges under way come to their end. */
  close(): void;
}

/** What a client must know of its server before the first request. */
export interface HttpClientOptions {
  /** A URL of the server; its name is the one that a certificate must have. */
  readonly origin: string;
  /** Certificates (PEM) of the authorities to trust in place of the system's. */
  readonly ca: string | undefined;
  /** "auto" asks an `https:` server for HTTP/2 first, and remembers what it speaks until that fails. `http:` is 1.1. */
  readonly version: "auto" | "1.1" | "2";
  /** The longest body that is read, in bytes; the exchange fails at one more. */
  readonly bodyBytesMax: number;
}
