/** Tunnels that have fallen silent, and whose sockets are watched by the kernel alone. Nobody may notice. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { until } from "../support/deadline.ts";
import { type ManualOrigin, manualOrigin } from "../support/manual-origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, type TestConnection } from "../support/socks-client.ts";
import { socketsOutsideBun } from "../support/watched-descriptors.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

interface ParkedTunnel {
  readonly proxy: ProxyProcess;
  readonly client: TestConnection;
  readonly target: TestConnection;
}

async function withProxy(relay: string, use: (proxy: ProxyProcess, origin: ManualOrigin) => Promise<void>) {
  using dir = scratchDir();
  writeFileSync(dir.file("config.toml"), relay);
  using origin = manualOrigin();
  await using proxy = await startProxy(["--config", dir.file("config.toml")], { withoutCommonOptions: true });
  await use(proxy, origin);
}

/** Opens a tunnel, has one byte go each way, and waits until it is parked. */
async function parkedTunnel(proxy: ProxyProcess, origin: ManualOrigin): Promise<ParkedTunnel> {
  const client = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
  const target = await origin.accept();
  client.send("?");
  expect(text(await target.read(1))).toBe("?");
  target.send("!");
  expect(text(await client.read(1))).toBe("!");
  await until(() => socketsOutsideBun(proxy.pid) === 2, 10_000, "the tunnel to be parked");
  return { proxy, client, target };
}

const PARK = '[relay]\npark = "50ms"\n';

describe.skipIf(process.platform !== "linux")("a parked tunnel", () => {
  const parked = (name: string, use: (tunnel: ParkedTunnel) => Promise<void>): void =>
    test(name, () =>
      withProxy(PARK, async (proxy, origin) => {
        await use(await parkedTunnel(proxy, origin));
      }),
    );

  parked("passes on what either side says", async ({ client, target, proxy }) => {
    target.send("from the target");
    expect(text(await client.read(15))).toBe("from the target");
    client.send("from the client");
    expect(text(await target.read(15))).toBe("from the client");
    client.finish();
    expect(await target.readToEnd()).toBe("fin");
    target.finish();
    expect(await client.readToEnd()).toBe("fin");
    await proxy.stdout.waitFor((line) => line.includes('"ended":"finished"'));
    expect(proxy.accessLog()).toMatchObject([{ bytes_up: 16, bytes_down: 16, ended: "finished" }]);
    expect(socketsOutsideBun(proxy.pid)).toBe(0);
  });

  parked("passes on a FIN, and then the other half of the conversation", async ({ client, target }) => {
    client.finish();
    expect(await target.readToEnd()).toBe("fin");
    target.send("one last word");
    target.finish();
    let said = "";
    expect(await client.readToEnd((bytes) => (said += text(bytes)))).toBe("fin");
    expect(said).toBe("one last word");
  });

  parked("passes on a RST of the client", async ({ client, target, proxy }) => {
    client.reset();
    expect(await target.readToEnd()).toBe("reset");
    await proxy.stdout.waitFor((line) => line.includes('"ended":"client-reset"'));
  });

  parked("passes on a RST of the target", async ({ client, target, proxy }) => {
    target.reset();
    expect(await client.readToEnd()).toBe("reset");
    await proxy.stdout.waitFor((line) => line.includes('"ended":"target-reset"'));
  });

  parked(
    "goes home when it has become a conversation, and is parked again after it",
    async ({ client, target, proxy }) => {
      let turns = 0;
      while (socketsOutsideBun(proxy.pid) > 0) {
        expect(++turns).toBeLessThan(1000);
        client.send("ping");
        await target.read(4);
        target.send("pong");
        await client.read(4);
      }
      await until(() => socketsOutsideBun(proxy.pid) === 2, 10_000, "the tunnel to be parked again");
      client.send("x");
      expect(text(await target.read(1))).toBe("x");
    },
  );

  parked("moves much, too", async ({ client, target }) => {
    const bytes = new Uint8Array(32 * 1_048_576).fill(7);
    client.send(bytes);
    client.finish();
    let received = 0;
    expect(
      await target.readToEnd((chunk) => {
        received += chunk.length;
      }),
    ).toBe("fin");
    expect(received).toBe(bytes.length);
  });

  test("ends at the idle limit", () =>
    withProxy(`${PARK}[timeouts]\nidle = "700ms"\n`, async (proxy, origin) => {
      const { client, target } = await parkedTunnel(proxy, origin);
      expect(await client.readToEnd()).toBe("reset");
      expect(await target.readToEnd()).toBe("reset");
      await proxy.stdout.waitFor((line) => line.includes('"ended":"idle-timeout"'));
    }));

  test("does not keep the proxy from stopping", () =>
    withProxy(`${PARK}[timeouts]\ndrain = "200ms"\n`, async (proxy, origin) => {
      const { client } = await parkedTunnel(proxy, origin);
      expect(await proxy.stop()).toBe(0);
      expect(await client.readToEnd()).toBe("reset");
    }));

  test("five hundred that fall silent together all pass on what comes", () =>
    withProxy(PARK, async (proxy, origin) => {
      const tunnels: ParkedTunnel[] = [];
      for (let index = 0; index < 500; index++) {
        const client = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
        tunnels.push({ proxy, client, target: await origin.accept() });
      }
      await until(() => socketsOutsideBun(proxy.pid) === 1000, 20_000, "all to be parked");
      for (const [index, { client }] of tunnels.entries()) client.send(`${index}`.padStart(3, "0"));
      for (const [index, { target }] of tunnels.entries()) {
        expect(text(await target.read(3))).toBe(`${index}`.padStart(3, "0"));
      }
      for (const { client, target } of tunnels) {
        client.close();
        target.close();
      }
    }));
});
