/** Names that only real DNS-over-HTTP servers know: curl through Sockeye reaches a site by them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, run } from "../support/command.ts";
import { type DnsServers, startDnsServers, ZONE } from "../support/dns-servers.ts";
import { TEST_CA_FILE } from "../support/doh-server.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { type ProxyProcess, runSockeye, startProxy } from "../support/proxy-process.ts";
import { type ScratchDir, scratchDir } from "../support/scratch-dir.ts";

const BODY = "the page\n";

let nginx: Nginx;
let servers: DnsServers;

beforeAll(async () => {
  [nginx, servers] = await Promise.all([startNginx(), startDnsServers()]);
  writeFileSync(join(nginx.directory, "page"), BODY);
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  await nginx[Symbol.asyncDispose]();
});

/** Which server, over which version of HTTP. */
const WAYS = [
  ["unbound", "2"],
  ["unbound", "auto"],
  ["bind", "2"],
  ["bind", "auto"],
  ["dnsdist", "2"],
  ["dnsdist", "1.1"],
  ["dnsdist", "auto"],
  ["dnsdistPlain", "auto"],
] as const;

function configFile(dir: ScratchDir, urls: readonly string[], http: string, method: string): string {
  const tables = urls.map((url) =>
    // The one without TLS is named by its address.
    url.startsWith("http://")
      ? `{ url = "${url}", http = "${http}" }`
      : `{ url = "${url}", addresses = ["127.0.0.1"], ca_file = "${TEST_CA_FILE}", http = "${http}" }`,
  );
  const path = dir.file("sockeye.toml");
  writeFileSync(path, `[dns]\nmethod = "${method}"\nservers = [${tables.join(", ")}]\n`);
  return path;
}

const curl = (proxy: ProxyProcess, host: string): Promise<Outcome> =>
  run([
    ...["curl", "-sS", "--noproxy", "", "--max-time", "20"],
    ...["--socks5-hostname", `127.0.0.1:${proxy.port}`, `http://${host}:${nginx.port}/page`],
  ]);

for (const [server, http] of WAYS) {
  for (const method of ["post", "get"]) {
    describe(`${server}, HTTP ${http}, ${method}`, () => {
      let dir: ScratchDir;
      let proxy: ProxyProcess;

      beforeAll(async () => {
        dir = scratchDir();
        proxy = await startProxy(["--config", configFile(dir, [servers[server]], http, method)]);
      });

      afterAll(async () => {
        expect(await proxy.stop()).toBe(0);
        dir[Symbol.dispose]();
      });

      for (const name of ["www", "alias", "four"]) {
        test(`curl reaches ${name}.${ZONE}`, async () => {
          const outcome = await curl(proxy, `${name}.${ZONE}`);
          expect(outcome.stderr).toBe("");
          expect(outcome.text).toBe(BODY);
        });
      }

      test("a name that does not exist is host unreachable, and the log says why", async () => {
        const outcome = await curl(proxy, `missing.${ZONE}`);
        expect(outcome.status).toBe(97);
        await proxy.stdout.waitFor((line) => line.includes(`missing.${ZONE}`));
        expect(proxy.accessLog().at(-1)).toMatchObject({ reply: 4, detail: "the name does not exist" });
      });
    });
  }
}

describe("several servers", () => {
  test("one of another kind takes over when the first is not there", async () => {
    using dir = scratchDir();
    const path = configFile(dir, ["https://dns.test:1/dns-query", servers.unbound], "auto", "post");
    await using proxy = await startProxy(["--config", path]);
    expect((await curl(proxy, `www.${ZONE}`)).text).toBe(BODY);
  });

  test("one whose certificate is for another name is not believed", async () => {
    using dir = scratchDir();
    const path = configFile(dir, [servers.unbound.replace("dns.test", "other.test")], "auto", "post");
    await using proxy = await startProxy(["--config", path]);
    expect((await curl(proxy, `www.${ZONE}`)).status).toBe(97);
    await proxy.stdout.waitFor((line) => line.includes("ERR_TLS_CERT_ALTNAME_INVALID"));
  });
});

test("sockeye resolve says what each server answers", async () => {
  using dir = scratchDir();
  for (const server of ["unbound", "bind", "dnsdist", "dnsdistPlain"] as const) {
    const path = configFile(dir, [servers[server]], "auto", "post");
    const { status, stdout } = await runSockeye(["resolve", "--config", path, `www.${ZONE}`]);
    expect(status).toBe(0);
    expect(stdout).toContain(`A www.${ZONE}, ${servers[server]} (127.0.0.1): 127.0.0.1 (TTL 300 s)`);
    expect(stdout).toContain(`AAAA www.${ZONE}, ${servers[server]} (127.0.0.1): ::1 (TTL 300 s)`);
  }
});
