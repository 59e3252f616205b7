import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { stopSignal } from "./stop-signal.ts";

/** A program that waits for signals, and what has become of it. */
function waiting(isUnderNpm: boolean) {
  const clock = new ManualClock();
  const listeners = new Map<string, () => void>();
  let exits = 0;
  const on = (name: string, listener: () => void) => void listeners.set(name, listener);
  const stopped = stopSignal({ clock, isUnderNpm, on, exit: () => void exits++ });
  return { clock, stopped, send: (name: string) => listeners.get(name)?.(), exits: () => exits };
}

describe("stopSignal", () => {
  test.each(["SIGTERM", "SIGINT"])("%s stops; any second signal ends at once", async (name) => {
    for (const second of ["SIGTERM", "SIGINT"]) {
      const program = waiting(false);
      program.send(name);
      await program.stopped;
      expect(program.exits()).toBe(0);
      program.send(second);
      expect(program.exits()).toBe(1);
    }
  });

  test("under npm, the SIGINT that npm passes on is the same Ctrl-C; the next one is another", async () => {
    const program = waiting(true);
    program.send("SIGINT");
    await program.stopped;
    program.clock.advance(499);
    program.send("SIGINT");
    expect(program.exits()).toBe(0);
    program.clock.advance(1);
    program.send("SIGINT");
    expect(program.exits()).toBe(1);
  });

  test("under npm, a second SIGTERM is nobody's echo", async () => {
    const program = waiting(true);
    program.send("SIGTERM");
    await program.stopped;
    program.send("SIGTERM");
    expect(program.exits()).toBe(1);
  });
});
