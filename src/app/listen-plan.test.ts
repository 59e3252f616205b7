import { describe, expect, test } from "bun:test";
import { SilentLog } from "../../test/support/silent-log.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { ListenError } from "../net/tcp-listener.ts";
import { changePlan, openPlan, type Place } from "./listen-plan.ts";

function configOf(socks: string): Config {
  const result = parseConfig({ file: { name: "test", text: `[socks]\n${socks}\n` } });
  if (result.kind !== "done") throw new Error(JSON.stringify(result.mistakes));
  return result.value;
}

/** A machine that opens places: ports that it chooses count up, and some may be in use on some addresses. */
function machine(inUse: readonly string[] = []) {
  const open = new Set<string>();
  let chosen = 40_000;
  return {
    open,
    openPlace: (key: string, { address, port }: ListenConfig): Place => {
      const bound = port || ++chosen;
      const place = `${address} ${bound}`;
      if (inUse.includes(place)) throw new ListenError(address, bound, "EADDRINUSE");
      if (inUse.includes(address)) throw new ListenError(address, bound, "EADDRNOTAVAIL");
      open.add(place);
      return { key, port: bound, close: () => void open.delete(place) };
    },
  };
}

describe("openPlan", () => {
  test("addresses that leave the port to the system share one; another one is tried when it is in use on the next", () => {
    const { open, openPlace } = machine(["::1 40001", "::1 40002"]);
    const places = openPlan(configOf("port = 0"), new SilentLog(), openPlace);
    expect(places.map(({ port }) => port)).toEqual([40_003, 40_003]);
    expect([...open]).toEqual(["127.0.0.1 40003", "::1 40003"]);
  });

  test("a port that the operator has named is not changed, and nothing is left open", () => {
    const { open, openPlace } = machine(["::1 1080"]);
    expect(() => openPlan(configOf("port = 1080"), new SilentLog(), openPlace)).toThrow("::1");
    expect(open.size).toBe(0);
  });

  test("without IPv6 the default has one address, and what was asked for by name is missed", () => {
    expect(openPlan(configOf("port = 1080"), new SilentLog(), machine(["::1"]).openPlace)).toHaveLength(1);
    expect(() => openPlan(configOf('listen = ["::1"]'), new SilentLog(), machine(["::1"]).openPlace)).toThrow("::1");
  });
});

test("changePlan keeps what stays, closes what is gone, and goes on without what cannot be had", () => {
  const { open, openPlace } = machine(["127.0.0.3 1080"]);
  const before = openPlan(configOf('listen = ["127.0.0.1", "127.0.0.2"]'), new SilentLog(), openPlace);
  const listen = 'listen = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]';
  const after = changePlan(configOf(listen), new SilentLog(), before, openPlace);
  expect(after[0]).toBe(before[1] as Place);
  expect([...open]).toEqual(["127.0.0.2 1080", "127.0.0.4 1080"]);
});
