import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeAuth } from "./auth.ts";
import { encodeRequest } from "./request.ts";
import { type CredentialsVerdict, type ServerEvent, ServerSession } from "./server-session.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);
const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

const LOGIN = encodeAuth({ username: ascii("root"), password: ascii("secret") });
const OK = "send 01 00";

/** A driver that answers every question at once and writes down what it was told. */
class Driver {
  readonly session: ServerSession = new ServerSession({ idleMs: 15_000 }, 0);
  readonly log: string[] = [];
  verdict: CredentialsVerdict | undefined = undefined;
  bufferSize = 65_536;

  input(bytes: Uint8Array, nowMs = 1): this {
    this.session.handleInput(bytes, nowMs);
    return this.run(nowMs);
  }

  run(nowMs = 1): this {
    for (let event = this.session.pollEvent(); event !== undefined; event = this.session.pollEvent()) {
      this.log.push(describeEvent(event));
      if (event.kind === "authenticate") this.#check(event, nowMs);
      if (event.kind === "execute") {
        this.session.answerCommand(
          event.command.execute({
            historical: () => 12,
            concurrent: () => 3,
            bytes: () => 4567,
            setBufferSize: (size) => {
              this.bufferSize = size;
            },
          }),
        );
      }
    }
    return this;
  }

  #check({ credentials }: ServerEvent & { kind: "authenticate" }, nowMs: number): void {
    const right = text(credentials.username) === "root" && text(credentials.password) === "secret";
    this.session.answerCredentials(this.verdict ?? (right ? "accepted" : "refused"), nowMs);
  }
}

function describeEvent(event: ServerEvent): string {
  if (event.kind === "send") return `send ${Buffer.from(event.bytes).toString("hex").match(/../g)?.join(" ")}`;
  if (event.kind === "authenticate") return `authenticate ${text(event.credentials.username)}`;
  if (event.kind === "execute") return `execute ${event.command.summary}`;
  if (event.kind === "idle") return `idle ${event.stage}`;
  if (event.kind === "request-refused") return `request-refused ${event.refusal.code}`;
  return event.kind;
}

describe("ServerSession", () => {
  test("a login, a request, a response, the end", () => {
    const driver = new Driver().input(LOGIN).input(encodeRequest(0, []));
    expect(driver.log).toEqual(["authenticate root", OK, "execute historical", "send 00 02 31 32", "close"]);
  });

  test("login and request in one message are two replies, each one message", () => {
    const driver = new Driver().input(join(LOGIN, encodeRequest(3, [ascii("4096")]), ascii("more than was asked")));
    expect(driver.log).toEqual([
      "authenticate root",
      OK,
      "execute buffer-size 4096",
      "send 03 04 34 30 39 36",
      "close",
    ]);
    expect(driver.bufferSize).toBe(4096);
  });

  test("every way of cutting the conversation comes to the same", () => {
    const whole = join(LOGIN, encodeRequest(3, [ascii("000512")]), ascii("tail"));
    const wanted = new Driver().input(whole).log;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }), (sizes) => {
        const driver = new Driver();
        let at = 0;
        for (const size of sizes) {
          driver.input(whole.slice(at, at + size));
          at += size;
        }
        driver.input(whole.slice(at));
        expect(driver.log).toEqual(wanted);
      }),
    );
  });

  test("input is not kept by reference", () => {
    const driver = new Driver();
    const half = LOGIN.slice(0, 5);
    driver.input(half);
    half.fill(0xff);
    expect(driver.input(LOGIN.slice(5)).log).toEqual(["authenticate root", OK]);
  });

  test("a wrong version is answered at its first byte, with our version", () => {
    expect(new Driver().input(Uint8Array.of(2)).log).toEqual(["login-malformed", "send 01 02", "close"]);
  });

  test.each([
    ["ULEN", Uint8Array.of(1, 0)],
    ["PLEN", Uint8Array.of(1, 1, 0x61, 0)],
  ])("%s 0 is status 1, at once", (_name, bytes) => {
    expect(new Driver().input(bytes).log).toEqual(["login-malformed", "send 01 01", "close"]);
  });

  test("a wrong name is not told apart before the whole frame is there", () => {
    const frame = encodeAuth({ username: ascii("nobody"), password: ascii("secret") });
    const driver = new Driver().input(frame.subarray(0, -1));
    expect(driver.log).toEqual([]);
    expect(driver.input(frame.subarray(-1)).log).toEqual(["authenticate nobody", "send 01 01", "close"]);
  });

  test("a check that cannot be made is status 3, and the request behind it is not run", () => {
    const driver = new Driver();
    driver.verdict = "failed";
    expect(driver.input(join(LOGIN, encodeRequest(0, []))).log).toEqual(["authenticate root", "send 01 03", "close"]);
  });

  test("the request may come while the check runs", () => {
    const session = new ServerSession({ idleMs: 15_000 }, 0);
    session.handleInput(LOGIN, 0);
    expect(session.pollEvent()?.kind).toBe("authenticate");
    session.handleInput(encodeRequest(1, []), 1);
    expect(session.pollEvent()).toBeUndefined();
    expect(session.stage).toBe("checking");
    session.answerCredentials("accepted", 2);
    expect(session.stage).toBe("authenticated");
    expect([session.pollEvent()?.kind, session.pollEvent()?.kind]).toEqual(["send", "execute"]);
  });

  test("a refused request changes nothing and is answered", () => {
    const driver = new Driver().input(LOGIN).input(encodeRequest(3, [ascii("299")]));
    expect(driver.bufferSize).toBe(65_536);
    expect(driver.log.slice(2, 3)).toEqual(["request-refused 254"]);
    expect(driver.log[3]).toStartWith("send fe ");
    expect(driver.log[4]).toBe("close");
  });

  test("one response only: what comes after it is ignored", () => {
    const driver = new Driver().input(LOGIN).input(encodeRequest(0, []));
    const before = [...driver.log];
    expect(driver.input(encodeRequest(1, [])).log).toEqual(before);
  });

  test("a flood behind a login takes no memory and does no harm", () => {
    const session = new ServerSession({ idleMs: 15_000 }, 0);
    session.handleInput(LOGIN, 0);
    session.pollEvent();
    for (let n = 0; n < 100; n++) session.handleInput(new Uint8Array(100_000), 0);
    session.answerCredentials("accepted", 0);
    const kinds = [session.pollEvent(), session.pollEvent()].map((event) => event?.kind);
    expect(kinds).toEqual(["send", "execute"]);
  });

  test("silence ends at the limit", () => {
    const silent = new Driver();
    expect(silent.session.pollTimeout()).toBe(15_000);
    silent.session.handleTimeout(14_999);
    expect(silent.run().log).toEqual([]);
    silent.session.handleTimeout(15_000);
    expect(silent.run().log).toEqual(["idle login", "close"]);
    expect(silent.session.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  test("a byte now and then does not extend the limit", () => {
    const driver = new Driver();
    const frame = encodeAuth({ username: ascii("a".repeat(200)), password: ascii("b") });
    for (let second = 0; second < 20; second++) driver.input(frame.subarray(second, second + 1), second * 1000);
    expect(driver.log).toEqual(["idle login", "close"]);
  });

  test("the request has its own limit, from the login on", () => {
    const driver = new Driver().input(LOGIN, 14_000);
    expect(driver.session.pollTimeout()).toBe(29_000);
    driver.session.handleTimeout(29_000);
    expect(driver.run().log).toEqual(["authenticate root", OK, "idle request", "close"]);
  });

  test("a limit of 0 is no limit", () => {
    expect(new ServerSession({ idleMs: 0 }, 0).pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  test("answers that come after the peer has gone are harmless; answers to no question throw", () => {
    const session = new ServerSession({ idleMs: 0 }, 0);
    expect(() => session.answerCredentials("accepted", 0)).toThrow("no credentials asked about while in login");
    expect(() => session.answerCommand("1")).toThrow("no command asked for while in login");
    session.handleInput(LOGIN, 0);
    session.handleEnd();
    session.handleEnd();
    session.answerCredentials("accepted", 1);
    session.answerCommand("1");
    const kinds = [session.pollEvent(), session.pollEvent(), session.pollEvent()].map((event) => event?.kind);
    expect(kinds).toEqual(["authenticate", "close", undefined]);
  });

  test("a command that failed is answered by closing", () => {
    const session = new ServerSession({ idleMs: 0 }, 0);
    session.handleInput(join(LOGIN, encodeRequest(0, [])), 0);
    session.answerCredentials("accepted", 0);
    session.answerCommand(undefined);
    const kinds: (string | undefined)[] = [];
    for (let n = 0; n < 5; n++) kinds.push(session.pollEvent()?.kind);
    expect(kinds).toEqual(["authenticate", "send", "execute", "close", undefined]);
  });

  test("random bytes in random pieces never throw, and always end or wait", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (login, pieces) => {
        const driver = new Driver();
        if (login) driver.input(LOGIN);
        for (const piece of pieces) driver.input(piece);
        const ends = driver.log.filter((line) => line === "close").length;
        expect(ends).toBe(driver.session.pollTimeout() === Number.POSITIVE_INFINITY ? 1 : 0);
      }),
    );
  });
});
