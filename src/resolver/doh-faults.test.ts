/** Every way in which a server can fail, over real HTTP: never a success, always an end in bounded time, always a reason. */

import { describe, expect, test } from "bun:test";
import { a, cname, response } from "../../test/support/dns-message.ts";
import {
  type DohScript,
  dnsResponse,
  type DohServer as ScriptedServer,
  startDohServer,
  startRawServer,
} from "../../test/support/doh-server.ts";
import { FetchHttpClient } from "../net/doh-http.ts";
import { systemClock } from "../net/system-clock.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { Resolver } from "../ports/resolver.ts";
import { MESSAGE_BYTES_MAX } from "../protocol/dns/constants.ts";
import type { Outcome } from "./answer-source.ts";
import { DohServer } from "./doh-server.ts";
import { DohSource } from "./doh-source.ts";
import { QUERIES_UNDER_WAY_MAX } from "./query-places.ts";

const NAME = "www.example.org";
/** For servers that answer, be it nonsense: no busy machine shall make silence of it. */
const PATIENT = { queryMs: 5000, resolutionMs: 10_000 };
/** For servers that fall silent: what is waited for. */
const IMPATIENT = { queryMs: 500, resolutionMs: 10_000 };
const nobody: Resolver = { resolve: () => Promise.reject(new Error("the system's resolver was asked")) };

/** Asks for {@link NAME} at these servers, in this order. */
async function ask(
  timeouts: typeof PATIENT,
  ...servers: readonly ScriptedServer[]
): Promise<{ outcome: Outcome; steps: string[] }> {
  const steps: string[] = [];
  const clients = servers.map(
    ({ url }) => new FetchHttpClient({ origin: url, ca: undefined, version: "auto", bodyBytesMax: MESSAGE_BYTES_MAX }),
  );
  const ours = servers.map(({ url }, index) => {
    const client = clients[index];
    if (client === undefined) throw new Error("as many clients as servers");
    return new DohServer({ template: url, method: "post", addresses: [] }, client, nobody, systemClock);
  });
  const source = new DohSource(ours, timeouts, systemClock, zeroDnsCounters());
  const { outcome } = await source.ask({ name: NAME, type: "A" }, (step) => steps.push(step.detail));
  for (const client of clients) client.close();
  return { outcome, steps };
}

const good: DohScript = ({ name }) => response(name, "A", { answers: [a(name, "192.0.2.1")] });
const stuck = (): Promise<never> => new Promise(() => undefined);

/** Sends `bytes` and then nothing more, without an end. */
const stalling = (bytes: Uint8Array): Response =>
  new Response(new ReadableStream({ start: (controller) => controller.enqueue(bytes) }), {
    headers: { "content-type": "application/dns-message" },
  });

/** Sends a byte again and again, each long before anybody could call it silence. */
function dripping(): Response {
  let timer: ReturnType<typeof setInterval> | undefined;
  const body = new ReadableStream({
    start: (controller) => {
      timer = setInterval(() => controller.enqueue(Uint8Array.of(0)), 20);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "content-type": "application/dns-message" } });
}

const faults: [string, () => ScriptedServer, RegExp][] = [
  ["another question", () => startDohServer(() => response("other.example", "A", {})), /answers another question/],
  ["garbage", () => startDohServer(() => new Uint8Array(300).fill(0xff)), /: more than 512 records/],
  [
    "garbage behind a header",
    () =>
      startDohServer(() => Buffer.concat([Buffer.from("000081800001000000000000", "hex"), Buffer.alloc(300, 0xff)])),
    /: malformed: a name points forward/,
  ],
  ["an empty body", () => startDohServer(() => new Uint8Array()), /0 bytes are no DNS message/],
  [
    "cut off",
    () => startDohServer(async (question, request) => ((await good(question, request)) as Uint8Array).slice(0, -2)),
    /malformed/,
  ],
  ["truncated (TC)", () => startDohServer(({ name }) => response(name, "A", { flags: 0x0380 })), /truncated/],
  [
    "a loop of CNAMEs",
    () => startDohServer(({ name }) => response(name, "A", { answers: [cname(name, name)] })),
    /CNAMEs/,
  ],
  ["SERVFAIL", () => startDohServer(({ name }) => response(name, "A", { rcode: 2 })), /SERVFAIL/],
  ["hanging", () => startDohServer(stuck), /no complete response within \d+ ms/],
  [
    "stalling in the middle of the body",
    () => startDohServer(() => stalling(Uint8Array.of(0, 0))),
    /no complete response within/,
  ],
  ["never silent and never done", () => startDohServer(() => dripping()), /no complete response within/],
  ["oversized", () => startDohServer(() => dnsResponse(new Uint8Array(MESSAGE_BYTES_MAX + 1))), /longer than/],
  [
    "dropped in mid-body",
    () => startRawServer("HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\ncontent-length: 60\r\n\r\n\0\0"),
    /ECONNRESET/,
  ],
  ["no HTTP", () => startRawServer("SSH-2.0-OpenSSH_9.2\r\n"), /: Malformed_HTTP_Response/],
  ["404", () => startDohServer(() => new Response("no", { status: 404 })), /HTTP 404/],
  ["500", () => startDohServer(() => new Response("no", { status: 500 })), /HTTP 500/],
  [
    "a redirect",
    () => startDohServer(() => Response.redirect("/elsewhere", 302)),
    /HTTP 302: redirects are not followed/,
  ],
  [
    "a web page",
    () => startDohServer(() => new Response("<html>", { headers: { "content-type": "text/html" } })),
    /content type is "text\/html"/,
  ],
  ["a bad certificate", () => startDohServer(good, { tls: true, http2: true }), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
];

test("a server that is slow, and in time: its answer counts, and the next server is not asked", async () => {
  const asked = Promise.withResolvers<void>();
  const rest = Promise.withResolvers<void>();
  using server = startDohServer(async (question, request) => {
    const bytes = (await good(question, request)) as Uint8Array;
    const body = new ReadableStream({
      start: async (controller) => {
        controller.enqueue(bytes.slice(0, 20));
        asked.resolve();
        await rest.promise;
        controller.enqueue(bytes.slice(20));
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "application/dns-message" } });
  });
  using second = startDohServer(good);
  const answer = ask(PATIENT, server, second);
  await asked.promise;
  rest.resolve();
  expect((await answer).outcome).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
  expect(second.asked).toEqual([]);
});

describe("a server that fails", () => {
  for (const [what, start, detail] of faults) {
    const timeouts = detail.source.includes("no complete response") ? IMPATIENT : PATIENT;

    test(`${what}: never a success, and the reason is said`, async () => {
      using server = start();
      const startedMs = systemClock.nowMs();
      const { outcome, steps } = await ask(timeouts, server);
      expect(outcome.kind).toBe("failed");
      expect(outcome.kind === "failed" && outcome.detail).toMatch(detail);
      expect(steps.length).toBeGreaterThan(0);
      expect(steps[0]).toMatch(detail);
      // The deadline, and room for a busy machine.
      expect(systemClock.nowMs() - startedMs).toBeLessThan(timeouts.resolutionMs + 5000);
    });

    test(`${what}: the next server answers`, async () => {
      using server = start();
      using second = startDohServer(good);
      expect((await ask(timeouts, server, second)).outcome).toEqual({ kind: "addresses", addresses: ["192.0.2.1"] });
    });
  }

  test("silent, with more questions than Bun sends at once: the next server answers all that are not stuck", async () => {
    using silent = startDohServer(stuck);
    using second = startDohServer(good);
    const urls = [silent.url, second.url];
    const clients = urls.map(
      (origin) => new FetchHttpClient({ origin, ca: undefined, version: "auto", bodyBytesMax: MESSAGE_BYTES_MAX }),
    );
    const servers = clients.map((client, index) => {
      const options = { template: urls[index] ?? "", method: "post", addresses: [] } as const;
      return new DohServer(options, client, nobody, systemClock);
    });
    // Nobody's time is over in this test: what is answered is answered beside the queries that are stuck.
    const timeouts = { queryMs: 60_000, resolutionMs: 120_000 };
    const source = new DohSource(servers, timeouts, systemClock, zeroDnsCounters());
    const enough = Promise.withResolvers<void>();
    let answered = 0;
    const answers = Array.from({ length: 400 }, async (_, index) => {
      const { outcome } = await source.ask({ name: `n${index}.example`, type: "A" });
      answered += 1;
      if (answered === 400 - QUERIES_UNDER_WAY_MAX / 2) enough.resolve();
      return outcome.kind;
    });
    await enough.promise;
    // Those that were stuck go on to the next server.
    silent[Symbol.dispose]();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["addresses"]));
    for (const client of clients) client.close();
  });

  test("TLS was wanted and plain HTTP found", async () => {
    using server = startDohServer(good);
    const tls = { ...server, url: server.url.replace("http:", "https:") };
    const { outcome } = await ask(PATIENT, tls);
    expect(outcome.kind).toBe("failed");
  });
});
