/** What a DNS server says that nobody should believe: the proxy and `sockeye resolve` take it for the same. */

import { describe, expect, test } from "bun:test";
import { a, aaaa, response, soa } from "../support/dns-message.ts";
import { type DohServer, startDohServer } from "../support/doh-server.ts";
import { echoOrigin } from "../support/origin.ts";
import { runSockeye, startProxy } from "../support/proxy-process.ts";
import { openTunnel, Refused } from "../support/socks-client.ts";
import { askProxy, datagramHeader } from "../support/socks-request.ts";
import { startUdpEcho, TestDatagrams } from "../support/test-datagrams.ts";

const nothing = { authorities: [soa("test", 60, 60)] };

describe("an IPv4 address wrapped in an AAAA record", () => {
  /** `six.test` has nothing else, `both.test` has an A record, too. */
  const startZone = (): DohServer =>
    startDohServer(({ name, type }) => {
      if (type === "AAAA") return response(name, type, { answers: [aaaa(name, "::ffff:127.0.0.1")] });
      return response(name, type, name === "both.test" ? { answers: [a(name, "127.0.0.9")] } : nothing);
    });

  test("is not there: for a cold cache, for a warm one, for datagrams, and for `sockeye resolve`", async () => {
    using zone = startZone();
    using origin = echoOrigin("127.0.0.9");
    await using proxy = await startProxy(["--doh", zone.url], { withoutCommonOptions: true });
    const connect = async (host: string) => {
      const tunnel = await openTunnel({ proxyPort: proxy.port, host, port: origin.port }).catch((error) => error);
      if (tunnel instanceof Refused) return `refused ${tunnel.code}`;
      tunnel.close();
      return "connected";
    };
    const said = [];
    for (const host of ["six.test", "six.test", "both.test", "both.test"]) said.push(await connect(host));
    expect(said).toEqual(["refused 4", "refused 4", "connected", "connected"]);
    expect(zone.asked.length).toBe(4);
    await proxy.stdout.waitFor(() => proxy.accessLog().length >= 4);
    const tried = proxy.accessLog().map((line) => line["attempts"] as { address: string }[] | undefined);
    expect(tried.flatMap((attempts) => (attempts ?? []).map(({ address }) => address))).toEqual([
      "127.0.0.9",
      "127.0.0.9",
    ]);

    // The cache knows the name by now, so that the datagrams come in their order, if they come.
    using echo = await startUdpEcho();
    const { control, reply } = await askProxy({ proxyPort: proxy.port, cmd: "udp" });
    using socket = await TestDatagrams.open("127.0.0.1");
    for (const host of ["six.test", "127.0.0.1"]) {
      socket.send([...datagramHeader(host, echo.port), ...Buffer.from(`by ${host}`)], reply.port, reply.address);
    }
    expect(Buffer.from((await socket.receive()).bytes).toString("latin1")).toEndWith("by 127.0.0.1");
    control.close();

    const six = await runSockeye(["resolve", "--doh", zone.url, "six.test"]);
    expect(six.status).toBe(1);
    expect(six.stdout).not.toContain("127.0.0.1 ");
    const both = await runSockeye(["resolve", "--doh", zone.url, "both.test"]);
    expect(both.stdout.match(/^ {2}\d+ ms +\S+/gm)).toEqual(["  0 ms      127.0.0.9"]);
  });
});
