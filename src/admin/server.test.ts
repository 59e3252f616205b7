import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { ManualControl } from "../../test/support/manual-control.ts";
import type { Association, AssociationHandler } from "../net/sctp-listener.ts";
import type { AdminEvent } from "../ports/admin-events.ts";
import { encodeAuth } from "../protocol/admin/auth.ts";
import { encodeRequest } from "../protocol/admin/request.ts";
import { ADMIN_LIMITS, type AdminLimits } from "./limits.ts";
import { AdminServer } from "./server.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const LOGIN = encodeAuth({ username: ascii("root"), password: ascii("secret") });
const WRONG_LOGIN = encodeAuth({ username: ascii("root"), password: ascii("wrong") });

/** An association that a test plays the peer of. */
class FakeAssociation implements Association {
  readonly peer: { readonly address: string; readonly port: number };
  readonly sent: string[] = [];
  handler: AssociationHandler | undefined;
  state: "open" | "closed" | "aborted" = "open";

  constructor(address: string, port: number) {
    this.peer = { address, port };
  }

  write(message: Uint8Array): void {
    this.sent.push(Buffer.from(message).toString("latin1"));
  }

  close(): void {
    this.state = "closed";
  }

  abort(): void {
    this.state = "aborted";
    this.handler?.end();
  }
}

class Stage {
  readonly clock = new ManualClock();
  readonly control = new ManualControl();
  readonly events: AdminEvent[] = [];
  readonly server: AdminServer;
  failing: Error | undefined;
  #port = 1000;

  constructor(limits: Partial<AdminLimits> = {}) {
    this.server = new AdminServer({
      control: this.control,
      clock: this.clock,
      limits: { ...ADMIN_LIMITS, ...limits },
      events: (event) => this.events.push(event),
      credentials: {
        check: async ({ password }) => {
          if (this.failing !== undefined) throw this.failing;
          return Buffer.from(password).toString() === "secret";
        },
      },
    });
  }

  join(address = "192.0.2.1"): FakeAssociation {
    const association = new FakeAssociation(address, this.#port++);
    association.handler = this.server.accept(association);
    return association;
  }

  /** Plays a whole conversation; returns what the server sent. */
  async say(...messages: Uint8Array[]): Promise<FakeAssociation> {
    const association = this.join();
    for (const message of messages) {
      association.handler?.data(message);
      await settle();
    }
    return association;
  }

  kinds(): string[] {
    return this.events.map((event) => {
      if (event.kind === "login-refused") return `${event.kind} ${event.why}`;
      if (event.kind === "limit-reached") return `${event.limit} ${event.outcome} :${event.port}`;
      return event.kind;
    });
  }
}

/** Lets the promises of a check settle. */
async function settle(): Promise<void> {
  for (let n = 0; n < 5; n++) await Promise.resolve();
}

describe("AdminServer", () => {
  test("answers the metrics and sets the buffer size", async () => {
    const stage = new Stage();
    expect((await stage.say(LOGIN, encodeRequest(0, []))).sent).toEqual(["\x01\x00", "\x00\x041234"]);
    expect((await stage.say(LOGIN, encodeRequest(1, []))).sent).toEqual(["\x01\x00", "\x01\x017"]);
    expect((await stage.say(LOGIN, encodeRequest(2, []))).sent[1]).toBe("\x02\x109007199254740991");
    const last = await stage.say(LOGIN, encodeRequest(3, [ascii("4096")]));
    expect(last.sent[1]).toBe("\x03\x044096");
    expect(last.state).toBe("closed");
    expect(stage.control.sizes).toEqual([4096]);
    expect(stage.events.at(-1)).toEqual({
      kind: "request-done",
      address: "192.0.2.1",
      port: 1003,
      summary: "buffer-size 4096",
      data: "4096",
    });
  });

  test("a refused request changes nothing and is logged", async () => {
    const stage = new Stage();
    const { sent } = await stage.say(LOGIN, encodeRequest(3, [ascii("299")]));
    expect(sent[1]).toStartWith("\xfe");
    expect(stage.control.sizes).toEqual([]);
    expect(stage.kinds()).toEqual(["login-accepted", "request-refused"]);
  });

  test("refused logins are logged with the address and without a name or a password", async () => {
    const stage = new Stage();
    expect((await stage.say(WRONG_LOGIN)).sent).toEqual(["\x01\x01"]);
    await stage.say(Uint8Array.of(4));
    await stage.say(Uint8Array.of(1, 0));
    expect(stage.kinds()).toEqual(["login-refused credentials", "login-refused version", "login-refused empty-field"]);
    expect(stage.events[0]).toEqual({ kind: "login-refused", address: "192.0.2.1", port: 1000, why: "credentials" });
    expect(JSON.stringify(stage.events)).not.toMatch(/wrong|secret/);
  });

  test("a check that fails is status 3 and logged", async () => {
    const stage = new Stage();
    stage.failing = new Error("out of memory");
    expect((await stage.say(LOGIN)).sent).toEqual(["\x01\x03"]);
    expect(stage.kinds()).toEqual(["failed"]);
  });

  test("a command that fails closes without an answer and is logged", async () => {
    const stage = new Stage();
    stage.control.setBufferSize = () => {
      throw new Error("no memory");
    };
    const association = await stage.say(LOGIN, encodeRequest(3, [ascii("4096")]));
    expect(association.sent).toEqual(["\x01\x00"]);
    expect(association.state).toBe("closed");
    expect(stage.kinds()).toEqual(["login-accepted", "failed"]);
  });

  test("too many failures: right passwords are refused too, until time has passed; other addresses are heard", async () => {
    const stage = new Stage({ failuresPerMinute: 3 });
    for (let n = 0; n < 3; n++) await stage.say(WRONG_LOGIN);
    expect((await stage.say(LOGIN)).sent).toEqual(["\x01\x01"]);
    expect(stage.kinds().at(-1)).toBe("login-refused too-many-failures");

    const other = stage.join("192.0.2.2");
    other.handler?.data(LOGIN);
    await settle();
    expect(other.sent).toEqual(["\x01\x00"]);

    stage.clock.advance(20_000);
    expect((await stage.say(LOGIN)).sent).toEqual(["\x01\x00"]);
  });

  test("logins that succeed are not limited", async () => {
    const stage = new Stage({ failuresPerMinute: 3 });
    for (let n = 0; n < 50; n++) expect((await stage.say(LOGIN)).sent).toEqual(["\x01\x00"]);
  });

  test("silence, and half a login, end at the idle limit", async () => {
    const stage = new Stage();
    const silent = stage.join();
    const half = stage.join();
    half.handler?.data(LOGIN.subarray(0, 4));
    stage.clock.advance(14_999);
    expect([silent.state, half.state]).toEqual(["open", "open"]);
    stage.clock.advance(1);
    expect([silent.state, half.state]).toEqual(["closed", "closed"]);
    expect(stage.kinds()).toEqual(["idle", "idle"]);
  });

  test("a session leaves no timer behind, however it ends", async () => {
    const stage = new Stage();
    (await stage.say(LOGIN, encodeRequest(0, []))).handler?.end();
    (await stage.say(WRONG_LOGIN)).handler?.end();
    (await stage.say(LOGIN)).handler?.end();
    stage.join().handler?.end();
    expect(stage.clock.pendingCount).toBe(0);
    expect(stage.server.connectionCount).toBe(0);
  });

  test("a peer that goes during the check is not answered", async () => {
    const stage = new Stage();
    const association = stage.join();
    association.handler?.data(LOGIN);
    association.handler?.end();
    await settle();
    expect(association.sent).toEqual([]);
    expect(stage.clock.pendingCount).toBe(0);
  });
});

describe("the limits", () => {
  test("a flood of silent associations: the oldest gives way, and a login in the middle of it succeeds", async () => {
    const stage = new Stage({ unauthenticated: 4 });
    const flood = Array.from({ length: 40 }, () => stage.join());
    expect(stage.server.connectionCount).toBe(4);
    expect(flood.filter(({ state }) => state === "open")).toEqual(flood.slice(-4));
    expect((await stage.say(LOGIN, encodeRequest(0, []))).sent).toEqual(["\x01\x00", "\x00\x041234"]);
    expect(stage.kinds()[0]).toBe("unauthenticated evicted :1000");
  });

  test("whose password is being checked gives way after those who say nothing", async () => {
    const stage = new Stage({ unauthenticated: 2 });
    const slow = stage.join();
    slow.handler?.data(LOGIN);
    for (let n = 0; n < 10; n++) stage.join();
    await settle();
    expect(slow).toMatchObject({ state: "open", sent: ["\x01\x00"] });
  });

  test("who has logged in is never evicted", async () => {
    const stage = new Stage({ associations: 3 });
    const admin = await stage.say(LOGIN);
    for (let n = 0; n < 20; n++) stage.join();
    expect(admin.state).toBe("open");
    admin.handler?.data(encodeRequest(0, []));
    expect(admin.sent).toEqual(["\x01\x00", "\x00\x041234"]);
  });

  test("full of sessions that have logged in: a new one is refused", async () => {
    const stage = new Stage({ associations: 2 });
    await stage.say(LOGIN);
    await stage.say(LOGIN);
    expect(stage.join().handler).toBeUndefined();
    expect(stage.kinds().at(-1)).toBe("associations refused :1002");
  });

  test("one address does not take the places of others", () => {
    const stage = new Stage({ associationsPerAddress: 2 });
    const other = stage.join("192.0.2.2");
    for (let n = 0; n < 20; n++) stage.join("192.0.2.1");
    expect(other.state).toBe("open");
    expect(stage.server.connectionCount).toBe(3);
  });

  test("several limits at once cost one place", () => {
    const stage = new Stage({ associations: 2, associationsPerAddress: 2, unauthenticated: 2 });
    stage.join();
    const second = stage.join();
    stage.join();
    expect(second.state).toBe("open");
    expect(stage.server.connectionCount).toBe(2);
  });
});

describe("close", () => {
  test("nobody new, the silent are closed, the busy finish", async () => {
    const stage = new Stage();
    const silent = stage.join();
    const busy = await stage.say(LOGIN);
    stage.server.close();
    expect(silent.state).toBe("closed");
    expect(stage.join().handler).toBeUndefined();
    busy.handler?.data(encodeRequest(1, []));
    expect(busy.sent).toEqual(["\x01\x00", "\x01\x017"]);
  });
});
