/** The buffer size is changed by the admin protocol while a tunnel is full of data: no byte is lost, doubled or moved. */

import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { connectAdmin } from "../../src/admin/client.ts";
import { sourceOrigin } from "../support/origin.ts";
import { type ProxyProcess, startProxy } from "../support/proxy-process.ts";
import { openTunnel } from "../support/socks-client.ts";

const CHANGES = 1000;
const GIB = 1024 ** 3;
const PIECE_BYTES = 1024 ** 2;
/** The reader waits for the changes when they fall so many behind its share of the bytes, so that they are spread over all of it. */
const LAG_MAX = 10;
const SIZES = [300, 16_777_216, 1000, 65_536, 4096, 1_000_000, 301] as const;

/** 1 GiB, each piece of it different. */
function* pieces(): Generator<Uint8Array> {
  const random = randomBytes(PIECE_BYTES);
  for (let index = 0; index < GIB / PIECE_BYTES; index++) {
    const piece = Buffer.from(random);
    piece.writeUInt32BE(index, 0);
    hash.update(piece);
    yield piece;
  }
}
const hash = createHash("sha256");

function adminOf({ stderr }: ProxyProcess): { port: number; udpPort: number } {
  const ready = stderr.objects().find((line) => String(line["message"]).startsWith("ready"));
  if (ready === undefined) throw new Error(`no ready line in:\n${stderr.text()}`);
  const [first] = ready["admin"] as string[];
  return { port: Number(first?.split(":").at(-1)), udpPort: Number(ready["admin_udp_port"]) };
}

test("1,000 changes of the buffer size during 1 GiB: equal SHA-256", async () => {
  const proxy = await startProxy(["--admin", "root:secret", "--admin-transport", "udp"]);
  using origin = sourceOrigin(pieces);
  const login = { transport: "udp", username: "root", password: "secret" } as const;
  const admin = await connectAdmin({ ...adminOf(proxy), ...login });
  const tunnel = await openTunnel({ proxyPort: proxy.port, host: origin.host, port: origin.port });

  let received = 0;
  let changes = 0;
  let wake = (): void => undefined;
  const isLagging = (): boolean => changes < (received / GIB) * CHANGES - LAG_MAX;
  const changing = (async () => {
    for (; changes < CHANGES; changes++) {
      const size = SIZES[changes % SIZES.length] ?? SIZES[0];
      expect(await admin.setBufferSize(size)).toBe(size);
      if (!isLagging()) tunnel.resume();
      // The other way round, changes wait for bytes: none of them is to come after the last.
      while (changes > (received / GIB) * CHANGES) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  })();
  const heard = createHash("sha256");
  const end = await tunnel.readToEnd((bytes) => {
    heard.update(bytes);
    received += bytes.length;
    if (isLagging()) tunnel.pause();
    wake();
  });
  await changing;

  expect({ end, received, changes }).toEqual({ end: "fin", received: GIB, changes: CHANGES });
  expect(heard.digest("hex")).toBe(hash.digest("hex"));
  expect(await admin.bytes()).toBe(GIB);
  tunnel.finish();
  expect(await proxy.stop()).toBe(0);
}, 120_000);
