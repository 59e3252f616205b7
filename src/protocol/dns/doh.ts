/** DNS queries over HTTP (RFC 8484): the forms of a request, and what a response is worth. Also over plain HTTP. */

import { MESSAGE_BYTES_MAX } from "./constants.ts";

/** The media type of DNS messages (RFC 8484 §6). */
export const DNS_MESSAGE_TYPE = "application/dns-message";

export type DohMethod = "post" | "get";

/** An HTTP request for one query, but for the connection that carries it. */
export interface DohRequest {
  readonly method: "POST" | "GET";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The query itself, a view, with POST; nothing with GET. */
  readonly body: Uint8Array | undefined;
}

/** The template's variable in the one form that servers publish; it may also be left away. */
const TEMPLATE_VARIABLE = /\{[?&]dns\}$/;

/** A server's URL without the template's variable (RFC 8484 §3, RFC 6570). */
export function urlOfTemplate(template: string): string {
  return template.replace(TEMPLATE_VARIABLE, "");
}

/**
 * Forms the request that carries `query`.
 *
 * @param template - The server's URL, or the URI template of RFC 8484 §3 with `{?dns}` at its end.
 * @param query - The DNS message; not copied.
 */
export function formRequest(template: string, method: DohMethod, query: Uint8Array): DohRequest {
  const url = urlOfTemplate(template);
  //= rfc8484#4.1/accept
  if (method === "post") {
    //= rfc8484#4.1/post-content-type
    //= rfc8484#6/post-unencoded
    const headers = { accept: DNS_MESSAGE_TYPE, "content-type": DNS_MESSAGE_TYPE };
    return { method: "POST", url, headers, body: query };
  }
  //= rfc8484#6/get-base64url
  const dns = Buffer.from(query.buffer, query.byteOffset, query.byteLength).toString("base64url");
  const separator = url.includes("?") ? "&" : "?";
  return { method: "GET", url: `${url}${separator}dns=${dns}`, headers: { accept: DNS_MESSAGE_TYPE }, body: undefined };
}

/** The parts of an HTTP response that count. */
export interface DohResponse {
  readonly status: number;
  readonly contentType: string | undefined;
  /** The Age header as it came. */
  readonly age: string | undefined;
  readonly body: Uint8Array;
}

export type JudgedResponse =
  | { readonly kind: "message"; readonly message: Uint8Array; readonly ageS: number }
  | { readonly kind: "failed"; readonly detail: string };

/** Judges an HTTP response: only a 2xx with the media type of DNS carries a message, whatever its RCODE. */
export function judgeResponse(response: DohResponse): JudgedResponse {
  const { status, body } = response;
  //= rfc8484#3/configured-uri
  //= rfc8484#4.2.1/not-2xx
  if (status >= 300 && status < 400) return { kind: "failed", detail: `HTTP ${status}: redirects are not followed` };
  if (status < 200 || status > 299) return { kind: "failed", detail: `HTTP ${status}` };
  const type = response.contentType?.split(";")[0]?.trim().toLowerCase();
  //= rfc8484#4.1/dns-message
  if (type !== DNS_MESSAGE_TYPE) {
    return {
      kind: "failed",
      detail: `the content type is ${type === undefined ? "missing" : JSON.stringify(type.slice(0, 80))}`,
    };
  }
  //= rfc8484#6/size
  if (body.length > MESSAGE_BYTES_MAX) return { kind: "failed", detail: "the body is longer than any DNS message" };
  return { kind: "message", message: body, ageS: ageOf(response.age) };
}

/** The greatest age, for whatever is greater (RFC 9111 §1.2.2); more than any TTL. */
export const AGE_S_MAX: number = 2 ** 31;

/**
 * How long the response has lain in HTTP caches, in seconds. Of several values the first counts (RFC 9111 §5.1). What is no
 * number counts as the greatest age: an HTTP cache may pass over it, but here it is known only that the answer has been kept
 * by somebody who cannot count, so that it serves once and is not kept again.
 */
function ageOf(age: string | undefined): number {
  if (age === undefined) return 0;
  const first = age.split(",", 1)[0]?.trim() ?? "";
  return /^\d+$/.test(first) ? Math.min(Number(first), AGE_S_MAX) : AGE_S_MAX;
}
