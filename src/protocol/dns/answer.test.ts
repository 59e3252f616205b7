import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { a, aaaa, cname, type ResponseParts, response, soa } from "../../../test/support/dns-message.ts";
import { decodeAnswer } from "./answer.ts";
import { ADDRESSES_MAX, CNAME_CHAIN_MAX } from "./constants.ts";
import { encodeQuery } from "./query.ts";

const NAME = "www.example.org";
const question = { name: NAME, type: "A" } as const;
const judge = (parts: ResponseParts) => decodeAnswer(response(NAME, "A", parts), question);
const faultOf = (decoded: ReturnType<typeof decodeAnswer>) =>
  decoded.kind === "invalid" ? decoded.fault.code : "none";

describe("encodeQuery", () => {
  test("is the example of RFC 8484 §4.1.1, with ID 0 [rfc8484#4.1/id-zero]", () => {
    expect(Buffer.from(encodeQuery({ name: "www.example.com", type: "A" })).toString("base64url")).toBe(
      "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB",
    );
  });

  test("asks for AAAA with type 28", () => {
    expect(Buffer.from(encodeQuery({ name: "a", type: "AAAA" })).toString("hex")).toBe(
      "0000010000010000000000000161" + "00" + "001c0001",
    );
  });
});

describe("decodeAnswer: what a server may say", () => {
  test("addresses, each once, with the least TTL", () => {
    const answers = [a(NAME, "192.0.2.1", 300), a(NAME, "192.0.2.2", 60), a(NAME, "192.0.2.1", 300)];
    expect(judge({ answers })).toEqual({
      kind: "done",
      value: { kind: "addresses", addresses: ["192.0.2.1", "192.0.2.2"], ttlS: 60, aliases: [] },
    });
  });

  test("IPv6 addresses in their canonical text, and without wrapped IPv4", () => {
    const answers = [aaaa(NAME, "2001:db8:0:0:0:0:0:1"), aaaa(NAME, "::ffff:192.0.2.9", 20)];
    const six = { name: NAME, type: "AAAA" } as const;
    expect(decodeAnswer(response(NAME, "AAAA", { answers }), six)).toMatchObject({
      value: { kind: "addresses", addresses: ["2001:db8::1"], ttlS: 20 },
    });
    expect(decodeAnswer(response(NAME, "AAAA", { answers: answers.slice(1) }), six)).toEqual({
      kind: "done",
      value: { kind: "no-data", ttlS: 20, aliases: [] },
    });
  });

  test("an owner is the name asked for by its octets alone", () => {
    const kelvin = { name: "key.example.org", type: "A" } as const;
    const foreign = [a("\u212aey.example.org", "203.0.113.1"), a("key.example.org", "192.0.2.1")];
    expect(decodeAnswer(response(kelvin.name, "A", { answers: foreign }), kelvin)).toMatchObject({
      value: { addresses: ["192.0.2.1"] },
    });
    // One label "www.example" in place of two.
    const bytes = Buffer.from(response(NAME, "A", { answers: [a("wwwXexample.org", "203.0.113.1")] }));
    bytes.write(".", bytes.indexOf("wwwXexample") + 3);
    expect(decodeAnswer(bytes, question)).toMatchObject({ value: { kind: "no-data" } });
  });

  test("the target of a CNAME by its octets, and no longer or shorter than its record", () => {
    const alias = (...rdata: number[]) => ({ type: "UNKNOWN_5", name: NAME, ttl: 40, data: Buffer.from(rdata) });
    expect(judge({ answers: [alias(3, 0x61, 0x2e, 0xff, 0)] })).toMatchObject({
      value: { kind: "alias", target: "a\\.\\255" },
    });
    expect(faultOf(judge({ answers: [alias(1, 0x61, 0, 0)] }))).toBe("malformed");
    expect(faultOf(judge({ answers: [alias(1, 0x61), a(NAME, "192.0.2.1")] }))).toBe("none");
    expect(faultOf(judge({ answers: [alias(1, 0x61)], authorities: [soa("org", 1, 1)] }))).toBe("malformed");
  });

  test("follows CNAMEs in any order and any letter case, and takes the least TTL of the chain", () => {
    const answers = [
      a("C.example.net", "192.0.2.3", 300),
      cname("B.Example.net", "c.EXAMPLE.net", 20),
      cname(NAME, "b.example.net", 40),
    ];
    expect(judge({ answers })).toEqual({
      kind: "done",
      value: { kind: "addresses", addresses: ["192.0.2.3"], ttlS: 20, aliases: ["b.example.net", "c.example.net"] },
    });
  });

  test("an alias whose target is not in the answer is to be asked for", () => {
    expect(judge({ answers: [cname(NAME, "b.example.net", 40)] })).toEqual({
      kind: "done",
      value: { kind: "alias", target: "b.example.net", ttlS: 40, aliases: ["b.example.net"] },
    });
  });

  test("NXDOMAIN and no data, with the lesser of the SOA's TTL and MINIMUM", () => {
    expect(judge({ rcode: 3, authorities: [soa("example.org", 60, 900)] })).toEqual({
      kind: "done",
      value: { kind: "no-name", ttlS: 60, aliases: [] },
    });
    expect(judge({ authorities: [soa("example.org", 900, 30)] })).toEqual({
      kind: "done",
      value: { kind: "no-data", ttlS: 30, aliases: [] },
    });
  });

  test("NXDOMAIN with addresses contradicts itself and is no answer", () => {
    expect(faultOf(judge({ rcode: 3, answers: [a(NAME, "192.0.2.1", 300)] }))).toBe("malformed");
    const answers = [cname(NAME, "b.example.net", 40), a("b.example.net", "192.0.2.1", 300)];
    expect(faultOf(judge({ rcode: 3, answers }))).toBe("malformed");
  });

  test("a negative answer without SOA has no TTL", () => {
    expect(judge({ rcode: 3 })).toMatchObject({ value: { kind: "no-name", ttlS: undefined } });
    expect(judge({})).toMatchObject({ value: { kind: "no-data", ttlS: undefined } });
  });

  test("an alias to a name that does not exist", () => {
    const answers = [cname(NAME, "b.example.net", 10)];
    expect(judge({ rcode: 3, answers, authorities: [soa("example.net", 60, 60)] })).toMatchObject({
      value: { kind: "no-name", ttlS: 10, aliases: ["b.example.net"] },
    });
  });

  test("a TTL with the top bit set is 0", () => {
    expect(judge({ answers: [a(NAME, "192.0.2.1", 0x8000_0001)] })).toMatchObject({ value: { ttlS: 0 } });
  });

  test("records of other types, classes and owners are passed over, odd ones too", () => {
    const answers = [
      a("evil.example", "203.0.113.1"),
      aaaa(NAME, "2001:db8::1"),
      { type: "A", class: "CH", name: NAME, data: "203.0.113.2" },
      { type: "UNKNOWN_65280", name: NAME, data: Buffer.of(1, 2, 3) },
      a(NAME, "192.0.2.1"),
    ];
    const additionals = [a(NAME, "203.0.113.3")];
    expect(judge({ answers, additionals })).toMatchObject({ value: { addresses: ["192.0.2.1"] } });
  });

  test("takes no more addresses than the limit", () => {
    const answers = Array.from({ length: ADDRESSES_MAX + 5 }, (_, index) => a(NAME, `192.0.2.${index}`));
    const decoded = judge({ answers });
    expect(decoded.kind === "done" && decoded.value.kind === "addresses" && decoded.value.addresses.length).toBe(
      ADDRESSES_MAX,
    );
  });
});

describe("decodeAnswer: what is no answer", () => {
  const good = { answers: [a(NAME, "192.0.2.1")] };
  test("a query", () => expect(faultOf(decodeAnswer(encodeQuery(question), question))).toBe("mismatch"));
  test("another ID", () => expect(faultOf(judge({ ...good, id: 7 }))).toBe("mismatch"));
  test("another opcode", () => expect(faultOf(judge({ ...good, flags: 0x2180 }))).toBe("mismatch"));
  test("another name", () => {
    const bytes = response("www.example.net", "A", good);
    expect(faultOf(decodeAnswer(bytes, question))).toBe("mismatch");
  });
  test("another type", () => expect(faultOf(decodeAnswer(response(NAME, "AAAA", good), question))).toBe("mismatch"));
  test("no question, and two", () => {
    expect(faultOf(judge({ ...good, questionCount: 0 }))).toBe("mismatch");
    expect(faultOf(judge({ ...good, questionCount: 2 }))).toBe("mismatch");
  });
  test("the question in capitals is the question", () => {
    expect(faultOf(decodeAnswer(response(NAME.toUpperCase(), "A", good), question))).toBe("none");
  });
  test("truncated", () => expect(faultOf(judge({ ...good, flags: 0x0380 }))).toBe("truncated"));
  test("SERVFAIL, REFUSED and codes without a name", () => {
    expect(judge({ rcode: 2 })).toEqual({ kind: "invalid", fault: { code: "rcode", detail: "SERVFAIL" } });
    expect(judge({ rcode: 5 })).toMatchObject({ fault: { detail: "REFUSED" } });
    expect(judge({ rcode: 11 })).toMatchObject({ fault: { detail: "RCODE 11" } });
  });
  test("a refusal need not repeat the question; it may not repeat another one", () => {
    for (const [rcode, detail] of [
      [1, "FORMERR"],
      [2, "SERVFAIL"],
      [5, "REFUSED"],
    ] as const) {
      expect(judge({ rcode, questionCount: 0 })).toEqual({ kind: "invalid", fault: { code: "rcode", detail } });
    }
    expect(faultOf(judge({ rcode: 3, questionCount: 0 }))).toBe("mismatch");
    expect(faultOf(decodeAnswer(response("www.example.net", "A", { rcode: 5 }), question))).toBe("mismatch");
  });
  test("a loop of CNAMEs", () => {
    const answers = [cname(NAME, "b.example"), cname("b.example", NAME)];
    expect(faultOf(judge({ answers }))).toBe("chain");
  });
  test("the longest chain is followed, one more is refused", () => {
    const chain = (length: number) => {
      const names = Array.from({ length: length + 1 }, (_, index) => (index === 0 ? NAME : `n${index}.example`));
      const links = names.slice(0, -1).map((name, index) => cname(name, names[index + 1] as string));
      return [...links, a(names[length] as string, "192.0.2.1")];
    };
    expect(faultOf(judge({ answers: chain(CNAME_CHAIN_MAX) }))).toBe("none");
    expect(faultOf(judge({ answers: chain(CNAME_CHAIN_MAX + 1) }))).toBe("chain");
  });
  test("an address of a wrong length", () => {
    const bytes = response(NAME, "A", { answers: [{ type: "A", name: NAME, data: "192.0.2.1" }] });
    const short = bytes.slice(0, -1);
    short[short.length - 4] = 3;
    expect(decodeAnswer(short, question)).toMatchObject({ fault: { code: "malformed" } });
  });
  test("bytes after the end, and more records than anybody needs", () => {
    const bytes = response(NAME, "A", good);
    expect(faultOf(decodeAnswer(Uint8Array.of(...bytes, 0), question))).toBe("malformed");
    const many = response(NAME, "A", { answers: Array.from({ length: 600 }, () => a(NAME, "192.0.2.1")) });
    expect(faultOf(decodeAnswer(many, question))).toBe("malformed");
  });
  test("a compression pointer to itself", () => {
    const bytes = response(NAME, "A", good);
    bytes[12] = 0xc0;
    bytes[13] = 12;
    expect(faultOf(decodeAnswer(bytes, question))).toBe("malformed");
  });
});

describe("decodeAnswer never throws", () => {
  const whole = response(NAME, "A", {
    answers: [cname(NAME, "b.example"), a("b.example", "192.0.2.1")],
    authorities: [soa("example", 1, 1)],
  });

  test("cut at every byte", () => {
    for (let size = 0; size < whole.length; size++) {
      expect(faultOf(decodeAnswer(whole.subarray(0, size), question))).toBe("malformed");
    }
    expect(faultOf(decodeAnswer(whole, question))).toBe("none");
  });

  test("with any byte changed", () => {
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, (list) => {
        const bytes = whole.slice();
        for (const [at, value] of list) bytes[at] = value;
        const decoded = decodeAnswer(bytes, question);
        if (decoded.kind === "done" && decoded.value.kind === "addresses") {
          expect(decoded.value.addresses.every((address) => /^[0-9.]+$/.test(address))).toBe(true);
        }
      }),
    );
  });

  test("on anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeAnswer(bytes, question).kind).toBe("invalid");
      }),
    );
  });
});
