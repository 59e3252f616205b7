import { describe, expect, test } from "bun:test";
import { SeededRandom } from "../../../../test/support/seeded-random.ts";
import { endpointBasics } from "../../../../test/support/virtual-net.ts";
import type { Tsn } from "../serial.ts";
import { CookieJar } from "./cookie.ts";

const FIELDS = {
  localTag: 1,
  peerTag: 2,
  localInitialTsn: 3 as Tsn,
  peerInitialTsn: 0xffff_ffff as Tsn,
  localTieTag: 5,
  peerTieTag: 6,
  peerRwnd: 7,
};
const BINDING = { path: { address: "::1", udpPort: 9 }, localPort: 10, remotePort: 11 };

function newJar(): CookieJar {
  return new CookieJar(endpointBasics(new SeededRandom(1)), 600_000);
}

describe("a cookie", () => {
  test("tells what it was told, and its age", () => {
    const jar = newJar();
    const cookie = jar.seal(FIELDS, BINDING, 1_000.75);
    expect(jar.open(cookie, BINDING, 1_100.75)).toEqual({ kind: "genuine", fields: FIELDS, ageMs: 100 });
    expect(cookie.length).toBe(52);
  });

  test("is good only for whom it was made", () => {
    const jar = newJar();
    const cookie = jar.seal(FIELDS, BINDING, 0);
    const others = [
      { ...BINDING, path: { address: "::2", udpPort: 9 } },
      { ...BINDING, path: { address: "::1", udpPort: 8 } },
      { ...BINDING, localPort: 9 },
      { ...BINDING, remotePort: 9 },
    ];
    for (const binding of others) expect(jar.open(cookie, binding, 0).kind).toBe("forged");
  });

  test("of another jar, or changed in any bit, or of another length, is forged", () => {
    const jar = newJar();
    const cookie = jar.seal(FIELDS, BINDING, 0);
    const other = new CookieJar(endpointBasics(new SeededRandom(2)), 600_000);
    other.seal(FIELDS, BINDING, 0);
    expect(other.open(cookie, BINDING, 0).kind).toBe("forged");
    for (let bit = 0; bit < cookie.length * 8; bit++) {
      const changed = cookie.slice();
      changed[bit >> 3] = (cookie[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(jar.open(changed, BINDING, 0).kind).toBe("forged");
    }
    for (let length = 0; length < cookie.length; length++) {
      expect(jar.open(cookie.subarray(0, length), BINDING, 0).kind).toBe("forged");
    }
  });

  test("outlives its key by one change of keys, and not by two [rfc9260#5.1.3/key-changes]", () => {
    const jar = newJar();
    jar.seal(FIELDS, BINDING, 0);
    const cookie = jar.seal(FIELDS, BINDING, 599_999);
    expect(jar.open(cookie, BINDING, 610_000)).toMatchObject({ kind: "genuine", ageMs: 10_001 });
    jar.seal(FIELDS, BINDING, 700_000);
    expect(jar.open(cookie, BINDING, 1_150_000).kind).toBe("genuine");
    expect(jar.open(cookie, BINDING, 1_250_000).kind).toBe("forged");
  });

  test("of a key that slept too long is forged", () => {
    const jar = newJar();
    const cookie = jar.seal(FIELDS, BINDING, 0);
    expect(jar.open(cookie, BINDING, 1_200_000).kind).toBe("forged");
  });
});
