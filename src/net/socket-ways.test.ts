/** Bun's sockets and our own, with the same peer that does the same at random: their owners are to hear the same. */

import { beforeAll, describe, expect, test } from "bun:test";
import { readyPoller } from "../../test/support/poller.ts";
import { awaitTcpState, RawPeer, TCP_CLOSE, TCP_CLOSE_WAIT } from "../../test/support/raw-peer.ts";
import { Recorder } from "../../test/support/recorder.ts";
import { SeededRandom } from "../../test/support/seeded-random.ts";
import type { ConnectedSocket } from "../ports/socket.ts";
import type { Poller } from "./epoll/poller.ts";
import { libc } from "./libc.ts";
import { TcpListener } from "./tcp-listener.ts";
import { descriptorOf } from "./tcp-socket.ts";

const SCRIPTS = 400;
const LISTEN = { address: "127.0.0.1", port: 0, backlog: 16, ipv6Only: false, reusePort: false, noDelay: true };
/** Together they fit into the kernel's buffers: nothing that is sent has to wait. */
const SEND_SIZES = [1, 100, 5000, 20_000];

type Step =
  | { readonly kind: "send" | "write"; readonly size: number }
  /** The peer's. */
  | { readonly kind: "finish" | "reset" }
  /** Ours. */
  | { readonly kind: "pause" | "resume" | "shutdown" | "terminate" }
  /** The event loop runs until nothing happens any more. */
  | { readonly kind: "turn" };

/** What a peer and an owner do until both have ended. */
function scriptOf(random: SeededRandom): readonly Step[] {
  const steps: Step[] = [];
  let peer: "open" | "finished" | "reset" = "open";
  let isShut = false;
  const sized = (kind: "send" | "write"): Step => ({ kind, size: SEND_SIZES[random.below(4)] as number });
  for (let count = random.below(14); count > 0; count--) {
    const pick = random.below(100);
    if (pick < 30) steps.push({ kind: "turn" });
    else if (pick < 55 && peer === "open") steps.push(sized("send"));
    else if (pick < 63 && peer === "open") {
      steps.push({ kind: "finish" });
      peer = "finished";
    } else if (pick < 68 && peer !== "reset") {
      steps.push({ kind: "reset" });
      peer = "reset";
    } else if (pick < 78 && !isShut) steps.push(sized("write"));
    else if (pick < 86) steps.push({ kind: "pause" });
    else if (pick < 94) steps.push({ kind: "resume" });
    // What is lost when we end it at the moment of a reset is a matter of who is faster.
    else if (pick < 98 && peer !== "reset") {
      steps.push({ kind: "shutdown" });
      isShut = true;
    } else if (peer !== "reset") return [...steps, { kind: "terminate" }];
  }
  steps.push({ kind: "resume" }, { kind: "turn" });
  if (peer === "open") steps.push({ kind: "finish" }, { kind: "turn" });
  if (peer !== "reset") steps.push({ kind: "shutdown" });
  return steps;
}

/** What the owner knows: with FIN of both, Bun tells of the second one by the close alone. */
interface Known {
  readonly bytes: number;
  readonly isOver: boolean;
  readonly close: string | undefined;
}

async function play(script: readonly Step[], poller: Poller | undefined): Promise<readonly Known[]> {
  const owner = new Recorder();
  const accepted = Promise.withResolvers<ConnectedSocket>();
  const listener = new TcpListener(
    LISTEN,
    (connection) => {
      accepted.resolve(connection);
      return owner;
    },
    poller,
  );
  const peer = RawPeer.open(listener.port);
  const socket = await accepted.promise;
  const known: Known[] = [];
  let isPaused = false;
  let hasFailed = false;
  let peerState: "open" | "finished" | "reset" = "open";
  let isShut = false;
  const note = (): void => {
    const isClosed = owner.isClosed;
    // The code of a reset that a write has met is lost with Bun's sockets.
    const close = isClosed
      ? hasFailed
        ? "somehow"
        : owner.heard.at(-1) === "close without a code"
          ? "well"
          : "ill"
      : undefined;
    known.push({ bytes: owner.bytes, isOver: isClosed || owner.heard.includes("end"), close });
  };
  for (const step of script) {
    switch (step.kind) {
      case "send":
        expect(peer.send(new Uint8Array(step.size))).toBe(step.size);
        break;
      case "finish":
        peer.finish();
        peerState = "finished";
        break;
      case "reset":
        peer.reset();
        peerState = "reset";
        break;
      case "write":
        if (socket.write(new Uint8Array(step.size)) < 0) hasFailed = true;
        break;
      case "pause":
        socket.pause();
        isPaused = true;
        break;
      case "resume":
        socket.resume();
        isPaused = false;
        break;
      case "shutdown":
        socket.shutdown();
        isShut = true;
        break;
      case "terminate":
        socket.terminate();
        break;
      case "turn":
        await quiet(owner);
        // Bun tells a paused socket's owner of a reset at once, ours when it is resumed.
        if (!(isPaused && peerState === "reset")) note();
        break;
      default:
        step satisfies never;
    }
    const fd = descriptorOf(socket);
    if (fd >= 0 && peerState === "reset") awaitTcpState(fd, TCP_CLOSE);
    if (fd >= 0 && peerState === "finished" && !isShut) awaitTcpState(fd, TCP_CLOSE_WAIT);
  }
  await owner.closed();
  await quiet(owner);
  note();
  // Nothing comes after an end but the close, and nothing after that.
  expect(owner.heard.filter((event) => event.startsWith("close"))).toHaveLength(1);
  expect(owner.isClosed).toBe(true);
  const end = owner.heard.indexOf("end");
  if (end >= 0) expect(owner.heard.slice(end + 1).filter((event) => event.startsWith("data"))).toEqual([]);
  peer[Symbol.dispose]();
  listener.close();
  return known;
}

/** Lets the event loop run until nothing has been heard for some turns. */
async function quiet(owner: Recorder): Promise<void> {
  const state = (): string => `${owner.bytes} ${owner.heard.length}`;
  let last = state();
  for (let same = 0; same < 6; same++) {
    await new Promise(setImmediate);
    if (state() !== last) same = -1;
    last = state();
  }
}

describe.skipIf(libc === undefined)("sockets of both kinds", () => {
  let poller: Poller;
  beforeAll(async () => {
    poller = await readyPoller();
  });

  test(`say the same in ${SCRIPTS} random stories`, async () => {
    for (let seed = 0; seed < SCRIPTS; seed++) {
      const script = scriptOf(new SeededRandom(seed));
      const story = script.map((step) => ("size" in step ? `${step.kind} ${step.size}` : step.kind)).join(", ");
      try {
        expect(await play(script, poller)).toEqual(await play(script, undefined));
      } catch (fault) {
        throw new Error(`seed ${seed}: ${story}`, { cause: fault });
      }
    }
  });
});
