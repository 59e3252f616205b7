import { describe, expect, test } from "bun:test";
import { settled, within } from "../../../test/support/deadline.ts";
import { AF_UNIX, EPOLLIN, type Libc, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../libc.ts";
import { Epoll } from "./epoll.ts";
import { LoopWake } from "./loop-wake.ts";

const ID = 7;
const BYTE = Uint8Array.of(1);

/** A wake whose epoll instance watches one end of a socket pair. */
async function setUp() {
  const c = libc as Libc;
  const epoll = Epoll.open(c);
  if (epoll === undefined) throw new Error("no descriptors left");
  const pair = new Int32Array(2);
  c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
  const [watched, other] = pair as unknown as [number, number];
  epoll.add(watched, EPOLLIN, ID);
  const state = { wakes: 0, events: 0, next: Promise.withResolvers<void>() };
  const { promise: proven, resolve } = Promise.withResolvers<void>();
  const onReady = (): number => {
    state.wakes++;
    const found = epoll.poll((_, id) => {
      expect(id).toBe(ID);
      state.events++;
      c.read(watched, new Uint8Array(16), 16);
    });
    const { resolve: tell } = state.next;
    state.next = Promise.withResolvers();
    tell();
    return found;
  };
  const wake = new LoopWake(c, epoll, onReady, resolve);
  await within(proven, 5000, "the proof");
  return {
    state,
    wake,
    send: () => void c.write(other, BYTE, 1),
    close: () => {
      wake.close();
      epoll.close();
      c.close(watched);
      c.close(other);
    },
  };
}

describe.skipIf(libc === undefined)("LoopWake", () => {
  test("the event loop hears of what is ready, each time and at once", async () => {
    const { state, wake, send, close } = await setUp();
    expect(wake.isReady).toBe(true);
    for (let time = 1; time <= 100; time++) {
      const { promise } = state.next;
      send();
      await within(promise, 5000, "the event");
      expect(state.events).toBe(time);
    }
    close();
  });

  test("nothing ready, nothing heard", async () => {
    const { state, send, close } = await setUp();
    const { promise } = state.next;
    send();
    await within(promise, 5000, "the event");
    await settled(() => state.wakes);
    expect(state.wakes).toBe(1);
    close();
  });

  test("closed, it is silent", async () => {
    const { state, wake, send, close } = await setUp();
    wake.close();
    expect(wake.isReady).toBe(false);
    send();
    await settled(() => state.wakes);
    expect(state.wakes).toBe(0);
    close();
  });

  test("without a socket pair it is never ready", () => {
    const c: Libc = { ...(libc as Libc), socketpair: () => -1 };
    const epoll = Epoll.open(c) as Epoll;
    const wake = new LoopWake(
      c,
      epoll,
      () => 0,
      () => undefined,
    );
    expect(wake.isReady).toBe(false);
    wake.close();
    epoll.close();
  });
});
