import { Poller } from "../../src/net/epoll/poller.ts";
import { type Libc, libc } from "../../src/net/libc.ts";
import { within } from "./deadline.ts";

const LIMIT_MS = 5000;

/** A poller that is ready. Linux only. @param nowMs - Its clock, when not the machine's. */
export async function readyPoller(c?: Libc, nowMs?: () => number): Promise<Poller> {
  const poller = Poller.open(c, nowMs);
  if (poller === undefined) throw new Error("no descriptors left");
  const { promise, resolve } = Promise.withResolvers<void>();
  poller.whenSettled(resolve);
  await within(promise, LIMIT_MS, "the poller");
  if (!poller.isReady) throw new Error("no way into the event loop");
  return poller;
}

let shared: Promise<Poller> | undefined;

/** Bun's sockets, and our own where there are any: for tests that both must pass. */
export const SOCKET_WAYS: readonly [name: string, poller: () => Promise<Poller | undefined>][] = [
  ["Bun's", () => Promise.resolve(undefined)],
  ...(libc === undefined
    ? []
    : ([["our own", () => (shared ??= readyPoller())]] satisfies [string, () => Promise<Poller>][])),
];
