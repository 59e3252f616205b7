/** Where a CNAME may lead: a query for its target leaves only when a client's name of this kind would be asked for, too. */

import { describe, expect, test } from "bun:test";
import { cname, type Rr, response } from "../../test/support/dns-message.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { zeroDnsCounters } from "../ports/dns-counters.ts";
import type { HttpClient } from "../ports/http-client.ts";
import { DohServer } from "./doh-server.ts";
import { DohSource } from "./doh-source.ts";

const NAME = "www.example.org";

/** Asks for {@link NAME}, of which the server says that it is this alias. */
async function ask(alias: Rr) {
  let queries = 0;
  const http: HttpClient = {
    send: async () => {
      queries += 1;
      const body = response(NAME, "A", { answers: [alias] });
      return { kind: "response", status: 200, contentType: "application/dns-message", age: undefined, body };
    },
    close: () => undefined,
  };
  const nobody = { resolve: () => Promise.reject(new Error("the system's resolver was asked")) };
  const clock = new ManualClock();
  const options = { template: "http://192.0.2.53/", method: "post", addresses: [] } as const;
  const server = new DohServer(options, http, nobody, clock);
  const source = new DohSource([server], { queryMs: 1000, resolutionMs: 3000 }, clock, zeroDnsCounters());
  return { answer: await source.ask({ name: NAME, type: "A" }), queries };
}

/** A CNAME whose target has one label of these octets. */
const raw = (...label: number[]): Rr => ({
  type: "UNKNOWN_5",
  name: NAME,
  ttl: 40,
  data: Buffer.of(label.length, ...label, 0),
});

describe("an alias of what is no host name: there is none, the detail says why, and nothing is sent", () => {
  const targets: [string, Rr, RegExp][] = [
    ["an address", cname(NAME, "127.0.0.1", 40), /alias of 127\.0\.0\.1, which is not asked for: the last label is a/],
    ["localhost", cname(NAME, "LOCALHOST", 40), /alias of localhost, which is not asked for$/],
    ["what is below it", cname(NAME, "a.localhost", 40), /alias of a\.localhost, which is not asked for$/],
    ["a hidden service", cname(NAME, "a.onion", 40), /RFC 7686/],
    ["the root", { type: "UNKNOWN_5", name: NAME, ttl: 40, data: Buffer.of(0) }, /alias of \., .*the name is empty/],
    ["control characters", raw(0x1b, 0x5b, 0x0a), /alias of \\027\[\\010, .*characters that no host name has/],
    ["octets beyond ASCII", raw(0x61, 0xff), /alias of a\\255, /],
    ["a dot inside of a label", raw(0x61, 0x2e, 0x62), /alias of a\\\.b, /],
  ];
  for (const [what, alias, detail] of targets) {
    test(what, async () => {
      const { answer, queries } = await ask(alias);
      expect(answer).toEqual({ outcome: { kind: "none", detail: expect.stringMatching(detail) }, ttlS: 40 });
      expect(queries).toBe(1);
    });
  }
});
