/** How connections leave: source address, interface and mark, for everybody and for each user; and families. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { type StartedWorld, startWorld } from "../support/started-world.ts";

/** Takes SYNs and says nothing. */
const SILENT = "198.51.100.77";
const HALF_A_SECOND = '[timeouts]\nconnect = "500ms"';

let world: StartedWorld;

beforeAll(async () => {
  world = await startWorld();
  // What carries this mark may not leave.
  await world.space.run("ip", "rule", "add", "fwmark", "7", "prohibit");
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A proxy in the namespace with this configuration, which names the DNS server already. */
async function withProxy(config: string, act: (proxy: ProxyProcess) => Promise<void>): Promise<void> {
  using dir = scratchDir();
  writeFileSync(dir.file("sockeye.toml"), `${config}\n[dns]\nservers = ["${world.doh}"]\n`);
  await using proxy = await startProxy(["--config", dir.file("sockeye.toml")], { prefix: world.space.prefix });
  await act(proxy);
}

/** From which address the next connection to the live address comes. */
async function sourceOf(proxy: ProxyProcess, user?: string): Promise<string | undefined> {
  const from = world.events.lines.length;
  expect(await world.connect(proxy.port, "live.test", user)).toBe("connected");
  const line = await world.events.waitFor((said) => said.startsWith("accepted "), 10_000, from);
  return line.split(" from ")[1];
}

const USERS = `[[users]]
name = "alice"
password = "secret"
outgoing = { source = ["192.0.2.11"] }
[[users]]
name = "bob"
password = "secret"
outgoing = { mark = 7 }
[[users]]
name = "carol"
password = "secret"
outgoing = { family = "ipv6-only" }
[[users]]
name = "dave"
password = "secret"
`;

describe("outgoing connections", () => {
  test("leave from the configured source address", async () => {
    await withProxy("", async (proxy) => expect(await sourceOf(proxy)).toBe("192.0.2.10"));
    await withProxy('[outgoing]\nsource = ["192.0.2.11", "2001:db8:2::9"]', async (proxy) =>
      expect(await sourceOf(proxy)).toBe("192.0.2.11"),
    );
  });

  test("of users leave as each user's do", async () => {
    await withProxy(USERS, async (proxy) => {
      expect(await sourceOf(proxy, "alice")).toBe("192.0.2.11");
      expect(await world.connect(proxy.port, SILENT, "bob")).toBe("refused 2");
      expect(await world.connect(proxy.port, "live.test", "carol")).toBe("refused 4");
      expect(await world.connect(proxy.port, "192.0.2.10", "carol")).toBe("refused 3");
      expect(await sourceOf(proxy, "dave")).toBe("192.0.2.10");
    });
  });

  test("carry the configured mark", async () => {
    await withProxy("[outgoing]\nmark = 7", async (proxy) =>
      expect(await world.connect(proxy.port, SILENT)).toBe("refused 2"),
    );
    await withProxy(`[outgoing]\nmark = 8\n${HALF_A_SECOND}`, async (proxy) =>
      expect(await world.connect(proxy.port, SILENT)).toBe("refused 6"),
    );
  });

  test("leave by the configured interface", async () => {
    // Without a route the kernel says so at once; bound to an interface, it tries its luck there, where nobody answers.
    await withProxy("", async (proxy) => expect(await world.connect(proxy.port, "203.0.113.1")).toBe("refused 3"));
    await withProxy(`[outgoing]\ninterface = "v0"\n${HALF_A_SECOND}`, async (proxy) =>
      expect(await world.connect(proxy.port, "203.0.113.1")).toBe("refused 6"),
    );
    await withProxy('[outgoing]\ninterface = "nosuch0"', async (proxy) =>
      expect(await world.connect(proxy.port, "live.test")).toBe("refused 1"),
    );
  });

  test("keep to one family, or prefer one", async () => {
    await withProxy('[outgoing]\nfamily = "ipv4-only"', async (proxy) => {
      expect(await world.connect(proxy.port, "race.test")).toBe("connected");
      await proxy.stdout.waitFor((line) => line.includes("race.test"));
      const [line] = proxy.accessLog();
      expect(line).toMatchObject({ attempts: [{ address: SILENT }, { address: "192.0.2.10" }] });
      expect(line?.["lookups"]).toHaveLength(1);
    });
    await withProxy('[outgoing]\nfamily = "prefer-ipv4"', async (proxy) => {
      expect(await world.connect(proxy.port, "race.test")).toBe("connected");
      await proxy.stdout.waitFor((line) => line.includes("race.test"));
      expect(proxy.accessLog()).toMatchObject([
        { attempts: [{ address: SILENT }, { address: "2001:db8:1::77" }, { address: "192.0.2.10" }] },
      ]);
    });
  });
});
