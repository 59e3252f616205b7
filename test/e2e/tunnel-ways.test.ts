/**
 * Tunnels through Bun's sockets, through our own and through the splicer, whose peers do the same at random: they are to see
 * the same, and the tunnel is to end for the same reason.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Poller } from "../../src/net/epoll/poller.ts";
import { gentleReset } from "../../src/net/gentle-reset.ts";
import { type Libc, libc, SO_ERROR, SOL_SOCKET } from "../../src/net/libc.ts";
import { Splicer } from "../../src/net/splice/splicer.ts";
import { systemClock } from "../../src/net/system-clock.ts";
import { TcpListener } from "../../src/net/tcp-listener.ts";
import type { ConnectedSocket } from "../../src/ports/socket.ts";
import { type BulkOptions, Tunnel } from "../../src/relay/tunnel.ts";
import { settled } from "../support/deadline.ts";
import { readyPoller } from "../support/poller.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { Recorder } from "../support/recorder.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const STORIES = 120;
/** So many that the tunnels get into each other's way, and so few that none waits long for its turn. */
const AT_ONCE = 20;
const LISTEN = { address: "127.0.0.1", port: 0, backlog: 16, ipv6Only: false, reusePort: false, noDelay: true };
/** Together they fit into the kernel's buffers. */
const SEND_SIZES = [1, 300, 5000, 20_000];

type Step =
  | { readonly kind: "send"; readonly who: Who; readonly size: number }
  | { readonly kind: "finish" | "reset"; readonly who: Who }
  /** The event loop runs until nothing happens any more. */
  | { readonly kind: "turn" };
type Who = "client" | "target";

function storyOf(random: SeededRandom): readonly Step[] {
  const steps: Step[] = [];
  const state: Record<Who, "open" | "finished" | "reset"> = { client: "open", target: "open" };
  for (let count = random.below(10); count > 0; count--) {
    const who: Who = random.chance(0.5) ? "client" : "target";
    const pick = random.below(100);
    if (pick < 30) steps.push({ kind: "turn" });
    else if (pick < 70 && state[who] === "open") {
      steps.push({ kind: "send", who, size: SEND_SIZES[random.below(4)] as number });
    } else if (pick < 85 && state[who] === "open") {
      steps.push({ kind: "finish", who });
      state[who] = "finished";
      // A reset that comes as one with the other side's end is a race.
    } else if (pick >= 85 && state[who] !== "reset") {
      steps.push({ kind: "turn" }, ...(random.chance(0.5) ? [] : ([{ kind: "finish", who }] as const)));
      return [...steps, { kind: "reset", who }, { kind: "turn" }];
    }
  }
  const late = (who: Who): Step[] => (state[who] === "open" ? [{ kind: "finish", who }] : []);
  return [...steps, ...late("client"), { kind: "turn" }, ...late("target"), { kind: "turn" }];
}

/** What a peer that has not reset has received in the end. */
function received(peer: RawPeer): string {
  if (peer.fd < 0) return "gone";
  let bytes = 0;
  let last = peer.receive();
  for (; last !== "" && last !== "FIN" && !/^E[A-Z]+$/.test(last); last = peer.receive()) bytes += last.length;
  const error = new Int32Array(1);
  libc?.getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, error, Uint32Array.of(4));
  const isReset = last.startsWith("E") || error[0] !== 0;
  return `${bytes} bytes, ${isReset ? "reset" : last === "FIN" ? "finished" : "open"}`;
}

async function play(
  story: readonly Step[],
  poller: Poller | undefined,
  bulk: BulkOptions | undefined,
): Promise<Record<string, unknown>> {
  const accepted: ConnectedSocket[] = [];
  let arrived = Promise.withResolvers<void>();
  const early = [new Recorder(), new Recorder()] as const;
  const listener = new TcpListener(
    LISTEN,
    (socket) => {
      accepted.push(socket);
      arrived.resolve();
      return early[accepted.length - 1] as Recorder;
    },
    poller,
  );
  const client = RawPeer.open(listener.port);
  await arrived.promise;
  arrived = Promise.withResolvers<void>();
  const target = RawPeer.open(listener.port);
  await arrived.promise;
  listener.close();
  const [clientSocket, targetSocket] = accepted as [ConnectedSocket, ConnectedSocket];
  const totals = { bytes: 0 };
  const ends: string[] = [];
  let events = 0;
  const tunnel = new Tunnel(clientSocket, targetSocket, {
    settings: { bufferSize: 65_536 },
    totals,
    bulk,
    nowMs: () => ++events,
    reset: gentleReset(systemClock),
    onHalfClosed: () => events++,
    onHome: () => events++,
    onEnded: (end) => ends.push(end),
  });
  clientSocket.data = tunnel.client;
  targetSocket.data = tunnel.target;
  tunnel.start();
  const peers = { client, target };
  const notes: string[] = [];
  for (const step of story) {
    if (step.kind === "turn") {
      await settled(() => `${events} ${ends.length}`);
      notes.push(`${tunnel.client.bytesWritten} down, ${tunnel.target.bytesWritten} up, over ${ends.length}`);
    } else if (step.kind === "send") peers[step.who].send(new Uint8Array(step.size));
    else peers[step.who][step.kind]();
  }
  const outcome = { notes, ends, client: received(client), target: received(target) };
  tunnel.kill("killed");
  client.reset();
  target.reset();
  return outcome;
}

describe.skipIf(libc === undefined)("tunnels", () => {
  let poller: Poller;
  let splicer: Splicer;
  beforeAll(async () => {
    poller = await readyPoller();
    splicer = new Splicer(libc as Libc, poller, { pipes: 64, keepsSmall: true });
  });
  afterAll(() => {
    splicer.close();
    poller.close();
  });

  async function compare(seed: number): Promise<void> {
    const story = storyOf(new SeededRandom(seed));
    const [bun, copied, spliced] = await Promise.all([
      play(story, undefined, undefined),
      play(story, poller, undefined),
      play(story, poller, { mover: splicer, when: "always" }),
    ]);
    const told = story.map((step) => Object.values(step).join(" ")).join(", ");
    expect({ seed, told, ...copied }).toEqual({ seed, told, ...bun });
    expect({ seed, told, ...spliced }).toEqual({ seed, told, ...bun });
    expect(copied["ends"]).toHaveLength(1);
  }

  test(`end alike in ${STORIES} random stories`, async () => {
    for (let first = 0; first < STORIES; first += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => compare(first + index)));
    }
    expect(splicer.tunnels).toBe(0);
    expect(splicer.pipes.taken).toBe(0);
  }, 60_000);
});
