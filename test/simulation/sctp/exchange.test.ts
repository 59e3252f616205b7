/**
 * Two endpoints on bad networks: whatever the network does, every association ends, no byte is lost or doubled, and nothing
 * is left behind.
 */

import { describe, expect, test } from "bun:test";
import { expectFaithful, expectNothingLeft, type Plan, Program } from "../../support/sctp-conversation.ts";
import type { SeededRandom } from "../../support/seeded-random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { type NetConditions, VirtualNet } from "../../support/virtual-net.ts";

const SERVER = { address: "2001:db8::1", udpPort: 9_899 };
const CLIENT = { address: "2001:db8::2", udpPort: 50_000 };
const PORT = 8_080;
const HOUR_MS = 3_600_000;

function badNet(seed: number): VirtualNet {
  const dice = new VirtualNet(seed, { loss: 0, duplication: 0, corruption: 0, delayMinMs: 0, delayMaxMs: 0 }).random;
  const conditions: NetConditions = {
    loss: dice.below(31) / 100,
    duplication: dice.below(21) / 100,
    corruption: dice.below(11) / 100,
    delayMinMs: dice.below(50),
    delayMaxMs: 50 + dice.below(400),
  };
  return new VirtualNet(seed, conditions);
}

/** Mostly short messages, some of many fragments. */
function someMessages(random: SeededRandom, countMax: number): number[] {
  return Array.from({ length: random.below(countMax + 1) }, () =>
    random.chance(0.2) ? 12 + random.below(12_000) : 12 + random.below(300),
  );
}

/** What one side sent in an association that both closed in peace is what the other side received. */
function expectComplete(client: Program, server: Program): void {
  for (const [index, mine] of client.records.entries()) {
    const theirs = server.records[index];
    if (theirs === undefined) continue;
    if (mine.reason === "shutdown") expect(theirs.received.length).toBe(mine.sent.length);
    if (theirs.reason === "shutdown") expect(mine.received.length).toBe(theirs.sent.length);
  }
}

describe("simulation", () => {
  test("one side shuts down when it has all, or both do at any time", () => {
    let peacefulCount = 0;
    forEachSeed(3_000, (seed) => {
      const net = badNet(seed);
      const { random } = net;
      const fromClient = someMessages(random, 6);
      const fromServer = someMessages(random, 6);
      const bothEnd = random.chance(0.3);
      const clientEnds = bothEnd || random.chance(0.5);
      const plan = (messages: number[], shutsDown: boolean, awaits: number) => (): Plan => {
        return { messages, shutsDown, awaits: bothEnd ? 0 : awaits };
      };
      const server = new Program("S", net, SERVER, plan(fromServer, bothEnd || !clientEnds, fromClient.length), PORT);
      const client = new Program("C", net, CLIENT, plan(fromClient, clientEnds, fromServer.length));
      client.connect(SERVER, 0, PORT);
      expect(net.run(HOUR_MS)).toBe(true);
      expectFaithful(client, server);
      expectNothingLeft(client, server);
      if (server.records.length === 1) {
        expectComplete(client, server);
        if (client.records[0]?.reason === "shutdown") peacefulCount++;
      }
    });
    expect(peacefulCount).toBeGreaterThan(0);
  });

  test("both connect to one another at once, from the same ports", () => {
    let connectedCount = 0;
    forEachSeed(1_000, (seed) => {
      const net = badNet(seed);
      const messages = someMessages(net.random, 3);
      const plan = (): Plan => ({ messages, shutsDown: true, awaits: messages.length });
      const left = new Program("L", net, SERVER, plan);
      const right = new Program("R", net, CLIENT, plan);
      left.connect(CLIENT, PORT, PORT);
      net.run(net.random.below(60));
      right.connect(SERVER, PORT, PORT);
      expect(net.run(HOUR_MS)).toBe(true);
      expectFaithful(left, right);
      expectNothingLeft(left, right);
      if (left.records.some(({ wasConnected }) => wasConnected)) connectedCount++;
    });
    expect(connectedCount).toBeGreaterThan(0);
  });

  test("either side dies and starts again, at any time", () => {
    forEachSeed(1_500, (seed) => {
      const net = badNet(seed);
      const { random } = net;
      const plan = (): Plan => ({ messages: someMessages(random, 5), shutsDown: random.chance(0.7), awaits: 0 });
      const server = new Program("S", net, SERVER, plan, PORT);
      const client = new Program("C", net, CLIENT, plan);
      const localPort = 40_000;
      client.connect(SERVER, localPort, PORT);
      for (let deaths = 1 + random.below(3); deaths > 0; deaths--) {
        net.run(net.nowMs + random.below(5_000));
        const victim = random.chance(0.5) ? server : client;
        victim.restart();
        // The same ports: to the server this is a restart (RFC 9260 §5.2.4), unless the old association has ended.
        if (victim === client) client.connect(SERVER, localPort, PORT);
      }
      // Associations without a plan to end them end here: the last act is the operator's.
      net.run(net.nowMs + 60_000);
      for (const program of [server, client]) {
        for (const { association } of program.live) program.endpoint.shutdown(association, net.nowMs);
      }
      expect(net.run(net.nowMs + 2 * HOUR_MS)).toBe(true);
      expectFaithful(client, server);
      expectNothingLeft(client, server);
    });
  });

  test("the network dies for good: both notice", () => {
    forEachSeed(500, (seed) => {
      const net = badNet(seed);
      const { random } = net;
      const plan = (): Plan => ({ messages: someMessages(random, 5), shutsDown: random.chance(0.2), awaits: 1 });
      const server = new Program("S", net, SERVER, plan, PORT);
      const client = new Program("C", net, CLIENT, plan);
      client.connect(SERVER, 0, PORT);
      net.run(random.below(4_000));
      net.tap = () => false;
      expect(net.run(HOUR_MS)).toBe(true);
      expectFaithful(client, server);
      expectNothingLeft(client, server);
    });
  });

  test("readers pause and resume: the window shuts and opens, and nothing is lost", () => {
    forEachSeed(150, (seed) => {
      const net = badNet(seed);
      const { random } = net;
      const messages = Array.from({ length: 8 }, () => 30_000);
      const server = new Program("S", net, SERVER, () => ({ messages: [], shutsDown: false, awaits: 0 }), PORT);
      const client = new Program("C", net, CLIENT, () => ({ messages, shutsDown: true, awaits: 0 }));
      net.conditions = { ...net.conditions, loss: Math.min(net.conditions.loss, 0.05) };
      client.connect(SERVER, 0, PORT);
      for (let turn = 0; turn < 6; turn++) {
        net.run(net.nowMs + random.below(3_000));
        for (const { association } of server.live) server.endpoint.pause(association);
        net.run(net.nowMs + random.below(20_000));
        for (const { association } of server.live) server.endpoint.resume(association, net.nowMs);
      }
      expect(net.run(net.nowMs + HOUR_MS)).toBe(true);
      expectFaithful(client, server);
      expectNothingLeft(client, server);
      if (server.records.length === 1) expectComplete(client, server);
    });
  });

  test("twenty clients behind one address: none sees anything of another", () => {
    forEachSeed(60, (seed) => {
      const net = badNet(seed);
      const { random } = net;
      const server = new Program("S", net, SERVER, () => ({ messages: [40, 2_000], shutsDown: true, awaits: 2 }), PORT);
      const clients = Array.from({ length: 20 }, (_, index) => {
        const path = { address: CLIENT.address, udpPort: 50_000 + index };
        const plan = () => ({ messages: [20, 12 + random.below(3_000)], shutsDown: false, awaits: 0 });
        // Names of one letter keep the account of who sent what.
        return new Program(String.fromCharCode(97 + index), net, path, plan);
      });
      for (const [index, client] of clients.entries()) {
        client.connect(SERVER, 40_000 + index, PORT);
        net.run(net.nowMs + random.below(200));
      }
      expect(net.run(HOUR_MS)).toBe(true);
      expectFaithful(server, ...clients);
      expectNothingLeft(server, ...clients);
      const senders = server.records.flatMap(({ received }) => received.slice(0, 1).map(({ sender }) => sender));
      expect(new Set(senders).size).toBe(senders.length);
      expect(senders.length).toBeGreaterThan(15);
    });
  });
});
