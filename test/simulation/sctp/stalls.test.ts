/**
 * How long an exchange takes on a bad network, in virtual time, with our SCTP on both sides. The figures and what bounds
 * them stand in docs/adr/0040-own-sctp.md; here they are held.
 */

import { expect, test } from "bun:test";
import { Program } from "../../support/sctp-conversation.ts";
import { CALM, VirtualNet } from "../../support/virtual-net.ts";

const SERVER = { address: "127.0.0.1", udpPort: 9_899 };
const CLIENT = { address: "127.0.0.1", udpPort: 50_000 };
const PORT = 8_080;

/** Times in ms until the server's last byte was with the client, shortest first; failures count as endless. */
function timesOf(count: number, loss: number, clientSends: number[], serverSends: number[]): number[] {
  const times: number[] = [];
  for (let seed = 0; seed < count; seed++) {
    const net = new VirtualNet(seed, { ...CALM, loss });
    const awaits = serverSends.length;
    const ended = { messages: serverSends, shutsDown: true, awaits: clientSends.length };
    new Program("S", net, SERVER, () => ended, PORT);
    const client = new Program("C", net, CLIENT, () => ({ messages: clientSends, shutsDown: false, awaits }));
    client.connect(SERVER, 0, PORT);
    let doneMs = Number.POSITIVE_INFINITY;
    while (client.live.length > 0) {
      net.run(net.nowMs + 10);
      if (client.records[0]?.received.length === awaits) {
        doneMs = net.nowMs;
        break;
      }
    }
    times.push(doneMs);
  }
  return times.sort((left, right) => left - right);
}

function share(times: number[], part: number): number {
  return times[Math.floor(part * (times.length - 1))] ?? Number.NaN;
}

test("a short exchange at 15 % loss: what the doubling of T1 costs, and no more", () => {
  const times = timesOf(1_000, 0.15, [20, 12], [12, 40]);
  expect(share(times, 0.5)).toBeLessThan(100);
  // k lost round trips in a row cost 2^k - 1 seconds; at 15 % each way one in a hundred exchanges loses four.
  expect(share(times, 0.9)).toBeLessThan(4_000);
  expect(share(times, 0.99)).toBeLessThan(20_000);
  expect(share(times, 1)).toBeLessThan(130_000);
});

test("a short exchange at 30 % loss", () => {
  const times = timesOf(1_000, 0.3, [20, 12], [12, 40]);
  expect(share(times, 0.5)).toBeLessThan(4_000);
  expect(share(times, 0.9)).toBeLessThan(32_000);
  // Nine INITs in a row are lost now and then: such a connect fails, as it should.
  expect(times.filter((ms) => ms === Number.POSITIVE_INFINITY).length).toBeLessThan(10);
});

test("30,000 bytes each way at 15 % loss", () => {
  const times = timesOf(400, 0.15, [30_000], [30_000]);
  expect(share(times, 0.5)).toBeLessThan(4_000);
  expect(share(times, 0.99)).toBeLessThan(40_000);
  expect(share(times, 1)).toBeLessThan(60_000);
});
