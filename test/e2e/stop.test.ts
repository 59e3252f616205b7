/** How the program ends with clients in it. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { echoOrigin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { scratchDir } from "../support/scratch-dir.ts";
import { openTunnel, TestConnection } from "../support/socks-client.ts";

async function proxyWithDrain(drain: string): Promise<ProxyProcess> {
  using dir = scratchDir();
  writeFileSync(dir.file("sockeye.toml"), `[timeouts]\ndrain = "${drain}"\n`);
  return await startProxy(["--config", dir.file("sockeye.toml")]);
}

async function echoes(tunnel: TestConnection, text: string): Promise<void> {
  tunnel.send(text);
  expect(Buffer.from(await tunnel.read(text.length)).toString()).toBe(text);
}

/** Resolves when nobody accepts there any more: with workers, when the last of them has heard of the end. */
async function refusesClients(proxy: ProxyProcess): Promise<void> {
  await proxy.stderr.waitFor((line) => line.includes("waiting for open connections"));
  for (let isRefused = false; !isRefused; ) {
    isRefused = await TestConnection.open(proxy.port).then(
      (late) => {
        late.reset();
        return false;
      },
      () => true,
    );
  }
}

describe("SIGTERM", () => {
  test("accepts nobody any more, lets tunnels go on to their end, and then ends with 0", async () => {
    await using proxy = await proxyWithDrain("30s");
    using origin = echoOrigin();
    const tunnel = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
    await echoes(tunnel, "before");
    const ended = proxy.stop();
    await refusesClients(proxy);
    await echoes(tunnel, "while it stops");
    tunnel.finish();
    expect(await tunnel.readToEnd()).toBe("fin");
    expect(await ended).toBe(0);
    expect(proxy.accessLog()).toMatchObject([{ ended: "finished", bytes_up: 20, bytes_down: 20 }]);
  });

  test("resets what is left when the time to drain is over, whatever it was doing, and ends with 0", async () => {
    await using proxy = await proxyWithDrain("300ms");
    using origin = echoOrigin();
    const tunnel = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
    const silent = await TestConnection.open(proxy.port);
    silent.send(Uint8Array.of(5, 1, 0));
    await silent.read(2);
    const ended = proxy.stop();
    expect(await tunnel.readToEnd()).toBe("reset");
    expect(await silent.readToEnd()).toBe("reset");
    expect(await ended).toBe(0);
    expect(proxy.accessLog()).toMatchObject([{ ended: "shutdown" }]);
  });

  test("a second one ends it at once", async () => {
    await using proxy = await proxyWithDrain("30s");
    using origin = echoOrigin();
    const tunnel = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
    proxy.kill("SIGTERM");
    await refusesClients(proxy);
    expect(await proxy.stop("SIGTERM", 5000)).toBe(130);
    await tunnel.readToEnd();
  });
});
