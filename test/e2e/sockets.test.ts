/** Whose sockets serve clients. What the clients see is the same, as the other tests say with `--sockets bun`. */

import { describe, expect, test } from "bun:test";
import { echoOrigin } from "../support/origin.ts";
import { startProxy } from "../support/proxy-process.ts";
import { openTunnel } from "../support/socks-client.ts";
import { watchedOutsideBun } from "../support/watched-descriptors.ts";

/** Opens a tunnel, has a message go there and back, and says how many descriptors are not Bun's. */
async function watchedWith(option: string): Promise<number> {
  await using proxy = await startProxy(["--listen", "127.0.0.1", "--sockets", option, "--admin-udp-port", "0"], {
    withoutCommonOptions: true,
  });
  using origin = echoOrigin();
  const client = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });
  client.send("hello");
  expect(Buffer.from(await client.read(5)).toString()).toBe("hello");
  const watched = watchedOutsideBun(proxy.pid);
  client.reset();
  await proxy.stdout.waitFor((line) => line.includes('"ended":"client-reset"'));
  return watched;
}

describe.skipIf(process.platform !== "linux")("--sockets", () => {
  test("auto: the listener's, the client's and the target's are ours", async () => {
    expect(await watchedWith("auto")).toBe(3);
  });

  test("bun: none is", async () => {
    expect(await watchedWith("bun")).toBe(0);
  });
});
