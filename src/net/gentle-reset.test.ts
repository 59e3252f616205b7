import { expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { manualOrigin } from "../../test/support/manual-origin.ts";
import type { TestConnection } from "../../test/support/socks-client.ts";
import type { Stream } from "../ports/socket.ts";
import { gentleReset } from "./gentle-reset.ts";
import { libc } from "./libc.ts";

/** A connection whose near end we reset; its far end reads when the test lets it. */
async function pair() {
  const origin = manualOrigin();
  const near = await new Promise<Stream>((resolve) => {
    void Bun.connect({
      hostname: origin.host,
      port: origin.port,
      socket: { open: (socket) => resolve(socket), data: () => undefined },
    });
  });
  const far: TestConnection = await origin.accept();
  return { near, far, [Symbol.dispose]: () => origin[Symbol.dispose]() };
}

test("at once, where the peer has everything", async () => {
  const clock = new ManualClock();
  using ends = await pair();
  gentleReset(clock)(ends.near);
  expect(clock.pendingCount).toBe(0);
  expect(await ends.far.readToEnd()).toBe("reset");
});

test.skipIf(libc === undefined)("later, where it has not; and never once it is called off", async () => {
  const clock = new ManualClock();
  using ends = await pair();
  const { near, far } = ends;
  far.pause();
  const piece = new Uint8Array(1 << 20);
  let sent = 0;
  for (let taken = piece.length; taken === piece.length; sent += taken) taken = near.write(piece);

  const callOff = gentleReset(clock)(near);
  expect(clock.pendingCount).toBe(1);
  callOff();
  expect(clock.pendingCount).toBe(0);

  gentleReset(clock)(near);
  clock.advance(60_000);
  expect(clock.pendingCount).toBe(1);
  far.resume();
  // Everything arrives, and only then is there nothing left to wait for.
  await far.read(sent);
  while (clock.pendingCount > 0) {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await far.readToEnd()).toBe("reset");
});
