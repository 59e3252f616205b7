import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { Resolution } from "../ports/resolver.ts";
import { FIRST_RETRY_MS, REFRESH_MS_MIN, ServerAddresses } from "./server-addresses.ts";

const found = (...addresses: string[]): Resolution => ({ kind: "addresses", addresses });
const address = (text: string) => ({ kind: "address", address: text }) as const;

/** A system's resolver whose look-ups come to their end when the test says so. */
function setUp(given: readonly string[] = []) {
  const clock = new ManualClock();
  const lookUps: ((resolution: Resolution) => void)[] = [];
  const bootstrap = { resolve: () => new Promise<Resolution>((resolve) => lookUps.push(resolve)) };
  const addresses = new ServerAddresses("dns.example", given, bootstrap, clock);
  const end = async (resolution: Resolution) => {
    lookUps.at(-1)?.(resolution);
    await Bun.sleep(0);
  };
  const start = async (...known: string[]) => {
    const first = addresses.current(1000);
    await end(found(...known));
    expect(await first).toEqual(address(known[0] ?? ""));
  };
  return { clock, lookUps, addresses, end, start };
}

describe("ServerAddresses", () => {
  test("the first look-up is waited for, is one for all, and goes on for later ones", async () => {
    const { clock, lookUps, addresses, end } = setUp();
    const hasty = addresses.current(100);
    const patient = addresses.current(1000);
    clock.advance(100);
    const detail = "the server's name was not resolved within 100 ms";
    expect(await hasty).toEqual({ kind: "none", detail, isTimeout: true });
    await end(found("192.0.2.1"));
    expect(await patient).toEqual(address("192.0.2.1"));
    expect(lookUps.length).toBe(1);
  });

  test("that fails: asked again, but not more often than FIRST_RETRY_MS says", async () => {
    const { clock, lookUps, addresses, end } = setUp();
    const first = addresses.current(1000);
    await end({ kind: "failed", detail: "no network" });
    const failure = { kind: "none", detail: "the server's name: no network", isTimeout: false } as const;
    expect(await first).toEqual(failure);
    expect(await addresses.current(1000)).toEqual(failure);
    expect(lookUps.length).toBe(1);
    clock.advance(FIRST_RETRY_MS);
    const second = addresses.current(1000);
    await end(found("192.0.2.1"));
    expect(await second).toEqual(address("192.0.2.1"));
  });

  test("after an hour, the known address is used while the system is asked", async () => {
    const { clock, lookUps, addresses, end, start } = setUp();
    await start("192.0.2.1");
    clock.advance(3_600_000);
    expect(await addresses.current(1000)).toEqual(address("192.0.2.1"));
    expect(await addresses.current(1000)).toEqual(address("192.0.2.1"));
    expect(lookUps.length).toBe(2);
    await end(found("192.0.2.9"));
    expect(await addresses.current(1000)).toEqual(address("192.0.2.9"));
  });

  test("after a failure, too: at most every REFRESH_MS_MIN, one at a time, and never waited for", async () => {
    const { clock, lookUps, addresses, end, start } = setUp();
    await start("192.0.2.1", "192.0.2.2");
    addresses.noteFailure("192.0.2.1");
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
    expect(lookUps.length).toBe(1);
    clock.advance(REFRESH_MS_MIN);
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
    expect(lookUps.length).toBe(2);
    // The system hangs.
    clock.advance(REFRESH_MS_MIN);
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
    expect(lookUps.length).toBe(2);
    // It does not know: what is known does, and it is asked again later.
    await end({ kind: "failed", detail: "gone" });
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
    expect(lookUps.length).toBe(3);
    // The one in use is kept when it is still one.
    await end(found("192.0.2.3", "192.0.2.2"));
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
    clock.advance(REFRESH_MS_MIN);
    await addresses.current(1000);
    expect(lookUps.length).toBe(3);
  });

  test("failures of one address that were under way together go on by one", async () => {
    const { addresses } = setUp(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    addresses.noteFailure("192.0.2.1");
    addresses.noteFailure("192.0.2.1");
    expect(await addresses.current(1000)).toEqual(address("192.0.2.2"));
  });

  test("given ones are never asked for", async () => {
    const { clock, lookUps, addresses } = setUp(["192.0.2.1"]);
    addresses.noteFailure("192.0.2.1");
    clock.advance(3_600_000);
    expect(await addresses.current(1000)).toEqual(address("192.0.2.1"));
    expect(lookUps).toEqual([]);
  });
});
