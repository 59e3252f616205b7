import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeDomainAddress } from "./address.ts";
import { Cmd, Method, Rep } from "./constants.ts";
import { encodeGreeting } from "./greeting.ts";
import { encodeRequest } from "./request.ts";
import { type ServerEvent, ServerSession, type ServerSessionOptions } from "./server-session.ts";
import { encodeUserPass } from "./userpass.ts";

const OPEN_TO_ALL: ServerSessionOptions = {
  usersRequired: false,
  ignoreReserved: false,
  handshakeTimeoutMs: 1000,
  closeTimeoutMs: 500,
};
const WITH_USERS: ServerSessionOptions = { ...OPEN_TO_ALL, usersRequired: true };

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const ALICE = { uname: bytesOf("alice"), passwd: bytesOf("secret") };
const GREETING = encodeGreeting([Method.NoAuthenticationRequired]);
const GREETING_WITH_USER = encodeGreeting([Method.NoAuthenticationRequired, Method.UsernamePassword]);
const REQUEST = encodeRequest(Cmd.Connect, encodeDomainAddress("example.org", 443));
const BND = Uint8Array.of(192, 0, 2, 7);
const SUCCESS = [5, 0, 0, 1, 192, 0, 2, 7, 0, 80];

/** An event without views of a buffer that will change. */
type Heard = { readonly kind: string; readonly [key: string]: unknown };

function copyOf(event: ServerEvent): Heard {
  switch (event.kind) {
    case "send":
      return { kind: "send", bytes: [...event.bytes] };
    case "authenticate":
      return { kind: "authenticate", uname: [...event.uname], passwd: [...event.passwd] };
    default:
      return { ...event };
  }
}

function drain(session: ServerSession): Heard[] {
  const heard: Heard[] = [];
  for (let event = session.pollEvent(); event !== undefined; event = session.pollEvent()) heard.push(copyOf(event));
  return heard;
}

/** Feeds a view of a buffer that changes right after, as a socket's read buffer does. */
function feed(session: ServerSession, bytes: Uint8Array, nowMs = 0): Heard[] {
  const view = Uint8Array.from(bytes);
  session.handleInput(view, nowMs);
  const heard = drain(session);
  view.fill(0xee);
  return heard;
}

interface Answers {
  readonly accepts: boolean;
  readonly connects: boolean;
}

/** A whole conversation with a driver that answers at once: every event in order, and the early payload. */
function converse(options: ServerSessionOptions, pieces: readonly Uint8Array[], { accepts, connects }: Answers) {
  const session = new ServerSession(options, 0);
  const heard: Heard[] = [];
  const payload: number[] = [];
  const follow = (events: Heard[]): void => {
    for (const event of events) {
      heard.push(event);
      if (event.kind === "authenticate") {
        session.authenticated(accepts, 0);
        follow(drain(session));
      } else if (event.kind === "request" && connects) {
        payload.push(...session.connected(BND, 80));
        follow(drain(session));
      } else if (event.kind === "request") {
        session.refused(Rep.ConnectionRefused, 0);
        follow(drain(session));
      }
    }
  };
  for (const piece of pieces) {
    // An open session is no longer fed: its bytes are payload.
    if (session.isOpen) payload.push(...piece);
    else follow(feed(session, piece));
  }
  return { heard, payload };
}

describe("ServerSession", () => {
  test("without users: greeting, request, payload", () => {
    const { heard, payload } = converse(OPEN_TO_ALL, [GREETING, REQUEST, bytesOf("hello")], {
      accepts: true,
      connects: true,
    });
    expect(heard).toEqual([
      { kind: "send", bytes: [5, 0] },
      { kind: "request", request: { cmd: 1, dst: { atyp: 3, host: "example.org", isIp: false, port: 443 } } },
      { kind: "send", bytes: SUCCESS },
    ]);
    expect(payload).toEqual([...bytesOf("hello")]);
  });

  test("with users: the sub-negotiation comes before any request [rfc1928#3/sub-negotiation] [rfc1928#3/username-password] [rfc1929#2/verify] [rfc1929#2/status-success]", () => {
    const session = new ServerSession(WITH_USERS, 0);
    expect(feed(session, GREETING_WITH_USER)).toEqual([{ kind: "send", bytes: [5, 2] }]);
    expect(feed(session, encodeUserPass(ALICE))).toEqual([
      { kind: "authenticate", uname: [...ALICE.uname], passwd: [...ALICE.passwd] },
    ]);
    // The verdict is not there yet: nothing is said, and no request is looked at.
    expect(feed(session, REQUEST)).toEqual([]);
    session.authenticated(true, 0);
    expect(drain(session).map((event) => event.kind)).toEqual(["send", "request"]);
  });

  test("a request in place of the sub-negotiation fails [rfc1928#3/sub-negotiation] [rfc1929#2/version]", () => {
    const session = new ServerSession(WITH_USERS, 0);
    feed(session, GREETING_WITH_USER);
    expect(feed(session, REQUEST)).toEqual([
      { kind: "send", bytes: [1, 1] },
      { kind: "fault", fault: "bad-userpass-version" },
      { kind: "finish" },
    ]);
  });

  test("a wrong password: STATUS 1 and the end [rfc1929#2/status-failure] [rfc1929#2/close-after-failure]", () => {
    const { heard } = converse(WITH_USERS, [GREETING_WITH_USER, encodeUserPass(ALICE), REQUEST], {
      accepts: false,
      connects: true,
    });
    expect(heard.slice(2)).toEqual([{ kind: "send", bytes: [1, 1] }, { kind: "finish" }]);
  });

  test("the greeting alone picks the method, and never one that was not offered [rfc1928#3/method-selection] [rfc1928#3/no-acceptable-method]", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), fc.boolean(), (methods, usersRequired) => {
        const session = new ServerSession({ ...OPEN_TO_ALL, usersRequired }, 0);
        const [first] = feed(session, Uint8Array.of(5, methods.length, ...methods));
        const wanted = usersRequired ? 2 : 0;
        expect(first).toEqual({ kind: "send", bytes: [5, methods.includes(wanted) ? wanted : 0xff] });
      }),
    );
  });

  test("with users, nobody gets in without [rfc1928#3/method-selection]", () => {
    const session = new ServerSession(WITH_USERS, 0);
    expect(feed(session, GREETING)[0]).toEqual({ kind: "send", bytes: [5, 0xff] });
  });

  test("GSSAPI alone, and X'FF' itself, are no methods of ours", () => {
    for (const method of [1, 3, 0x80, 0xff]) {
      expect(feed(new ServerSession(OPEN_TO_ALL, 0), Uint8Array.of(5, 1, method))[0]).toEqual({
        kind: "send",
        bytes: [5, 0xff],
      });
    }
  });

  test("after 05 FF nothing is said any more, and the end comes in time [rfc1928#3/close-after-no-method]", () => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    expect(feed(session, Uint8Array.of(5, 0), 100)).toEqual([
      { kind: "send", bytes: [5, 0xff] },
      { kind: "fault", fault: "no-acceptable-method" },
      { kind: "finish" },
    ]);
    expect(feed(session, GREETING, 200)).toEqual([]);
    expect(feed(session, REQUEST, 300)).toEqual([]);
    expect(session.heldBytes).toBe(0);
    expect(session.pollTimeout()).toBe(600);
    session.handleTimeout(600);
    expect(drain(session)).toEqual([{ kind: "close", reason: "close-timeout" }]);
  });

  test("another protocol is not answered [rfc1928#3/version]", () => {
    for (const text of ["GET / HTTP/1.1\r\n", "\x04\x01\x00\x50", "\x16\x03\x01"]) {
      expect(feed(new ServerSession(OPEN_TO_ALL, 0), bytesOf(text))).toEqual([
        { kind: "fault", fault: "bad-version" },
        { kind: "finish" },
      ]);
    }
  });

  const REFUSED: readonly [what: string, request: readonly number[], rep: number, fault: string][] = [
    ["an unknown command [rfc1928#6/rep-command-not-supported]", [5, 9], 7, "bad-command"],
    ["an unknown ATYP [rfc1928#6/rep-address-type-not-supported]", [5, 1, 0, 2], 8, "bad-address-type"],
    ["RSV other than 0 [rfc1928#4/reserved]", [5, 1, 1], 1, "bad-reserved"],
    ["a name of no octets", [5, 1, 0, 3, 0], 4, "empty-name"],
  ];
  for (const [what, request, rep, fault] of REFUSED) {
    test(`${what}: REP ${rep} as soon as the byte is there`, () => {
      const session = new ServerSession(OPEN_TO_ALL, 0);
      feed(session, GREETING);
      expect(feed(session, Uint8Array.from(request))).toEqual([
        { kind: "send", bytes: [5, rep, 0, 1, 0, 0, 0, 0, 0, 0] },
        { kind: "fault", fault, rep },
        { kind: "finish" },
      ]);
    });
  }

  test("a request of another version is not answered [rfc1928#3/version]", () => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    feed(session, GREETING);
    expect(feed(session, Uint8Array.of(4, 1))).toEqual([{ kind: "fault", fault: "bad-version" }, { kind: "finish" }]);
  });

  test("a refusal is one send and the end, and nothing comes after [rfc1928#6/failure-closes] [rfc1928#6/reply]", () => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    feed(session, Uint8Array.of(...GREETING, ...REQUEST, ...bytesOf("early")));
    session.refused(Rep.HostUnreachable, 100);
    expect(drain(session)).toEqual([{ kind: "send", bytes: [5, 4, 0, 1, 0, 0, 0, 0, 0, 0] }, { kind: "finish" }]);
    expect(session.isClosing).toBe(true);
    expect(session.heldBytes).toBe(0);
    expect(feed(session, bytesOf("more"), 200)).toEqual([]);
  });

  test("after a refusal the end comes in time [rfc1928#6/failure-closes-in-time]", () => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    feed(session, Uint8Array.of(...GREETING, ...REQUEST));
    session.refused(Rep.HostUnreachable, 100);
    drain(session);
    expect(session.pollTimeout()).toBe(600);
    session.handleTimeout(599);
    expect(drain(session)).toEqual([]);
    session.handleTimeout(600);
    expect(drain(session)).toEqual([{ kind: "close", reason: "close-timeout" }]);
    expect(session.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
    session.handleTimeout(10_000);
    expect(drain(session)).toEqual([]);
  });
});

describe("BIND and UDP ASSOCIATE", () => {
  const asked = (cmd: Cmd): ServerSession => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    feed(session, GREETING);
    feed(session, encodeRequest(cmd, encodeDomainAddress("example.org", 21)));
    return session;
  };

  test("BIND has two answers; early data wait for the second [rfc1928#6/bind-first-reply] [rfc1928#6/bind-second-reply]", () => {
    const session = asked(Cmd.Bind);
    session.bound(BND, 80);
    expect(drain(session)).toEqual([{ kind: "send", bytes: SUCCESS }]);
    feed(session, bytesOf("early"));
    expect(session.isOpen).toBe(false);
    expect(session.connected(Uint8Array.of(192, 0, 2, 8), 20)).toEqual(bytesOf("early"));
    expect(drain(session)).toEqual([{ kind: "send", bytes: [5, 0, 0, 1, 192, 0, 2, 8, 0, 20] }]);
    expect(session.isOpen).toBe(true);
  });

  test("BIND's second answer may be a refusal [rfc1928#6/bind-second-reply]", () => {
    const session = asked(Cmd.Bind);
    session.bound(BND, 80);
    drain(session);
    session.refused(Rep.TtlExpired, 0);
    expect(drain(session)).toEqual([{ kind: "send", bytes: [5, 6, 0, 1, 0, 0, 0, 0, 0, 0] }, { kind: "finish" }]);
  });

  test("beside an association nothing that the client says is held, and no time limit runs", () => {
    const session = asked(Cmd.UdpAssociate);
    feed(session, bytesOf("ahead"));
    session.associated(BND, 80);
    expect(drain(session)).toEqual([{ kind: "send", bytes: SUCCESS }]);
    expect(feed(session, bytesOf("anything"))).toEqual([]);
    expect(session.heldBytes).toBe(0);
    expect(session.isOpen).toBe(false);
    expect(session.isHandshake).toBe(false);
    expect(session.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  test("an association ends with FIN, and the client has its time to do the same", () => {
    const session = asked(Cmd.UdpAssociate);
    session.associated(BND, 80);
    drain(session);
    session.finish(1000);
    expect(drain(session)).toEqual([{ kind: "finish" }]);
    expect(session.isClosing).toBe(true);
    expect(session.pollTimeout()).toBe(1500);
  });

  test("answers out of turn are a bug of ours", () => {
    const session = asked(Cmd.Connect);
    expect(() => session.finish(0)).toThrow();
    session.connected(BND, 80);
    expect(() => session.bound(BND, 80)).toThrow();
    expect(() => session.associated(BND, 80)).toThrow();
  });
});

describe("time", () => {
  test("the handshake has one limit as a whole, however its bytes trickle", () => {
    const session = new ServerSession(WITH_USERS, 100);
    const bytes = [...GREETING_WITH_USER, ...encodeUserPass(ALICE)];
    for (const [index, byte] of bytes.entries()) {
      feed(session, Uint8Array.of(byte), 100 + index);
      expect(session.pollTimeout()).toBe(1100);
    }
    session.handleTimeout(1099);
    expect(drain(session)).toEqual([]);
    session.handleTimeout(1100);
    expect(drain(session)).toEqual([{ kind: "close", reason: "handshake-timeout" }]);
    // A verdict that comes too late changes nothing.
    session.authenticated(true, 1200);
    expect(drain(session)).toEqual([]);
  });

  test("ends with the request: connecting has a limit of its own", () => {
    const session = new ServerSession(OPEN_TO_ALL, 0);
    feed(session, GREETING);
    feed(session, REQUEST);
    expect(session.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
    session.handleTimeout(1_000_000);
    expect(drain(session)).toEqual([]);
  });

  test("no limit is Infinity", () => {
    const session = new ServerSession({ ...OPEN_TO_ALL, handshakeTimeoutMs: Number.POSITIVE_INFINITY }, 0);
    expect(session.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("every split and every coalescing", () => {
  const CONVERSATIONS: readonly [what: string, ServerSessionOptions, Answers, readonly Uint8Array[]][] = [
    ["open to all", OPEN_TO_ALL, { accepts: true, connects: true }, [GREETING, REQUEST, bytesOf("early payload")]],
    [
      "with users",
      WITH_USERS,
      { accepts: true, connects: true },
      [GREETING_WITH_USER, encodeUserPass(ALICE), REQUEST, bytesOf("early payload")],
    ],
    ["refused", OPEN_TO_ALL, { accepts: true, connects: false }, [GREETING, REQUEST, bytesOf("early payload")]],
    [
      "wrong password",
      WITH_USERS,
      { accepts: false, connects: true },
      [GREETING_WITH_USER, encodeUserPass(ALICE), REQUEST],
    ],
    ["no method", WITH_USERS, { accepts: true, connects: true }, [GREETING, REQUEST]],
    ["another version", OPEN_TO_ALL, { accepts: true, connects: true }, [bytesOf("GET / HTTP/1.1\r\n\r\n")]],
    ["bad command", OPEN_TO_ALL, { accepts: true, connects: true }, [GREETING, Uint8Array.of(5, 9, 0, 1), REQUEST]],
  ];

  for (const [what, options, answers, messages] of CONVERSATIONS) {
    const whole = Uint8Array.from(messages.flatMap((message) => [...message]));
    const wanted = converse(options, messages, answers);
    const cutAt = (cuts: readonly number[]): Uint8Array[] => {
      const ends = [...new Set(cuts), whole.length].sort((a, b) => a - b);
      let start = 0;
      return ends.map((end) => {
        const piece = whole.subarray(start, end);
        start = end;
        return piece;
      });
    };

    test(`${what}: in one piece, byte by byte, and in any pieces [rfc1928#3/greeting] [rfc1928#4/request] [rfc1929#2/request]`, () => {
      expect(wanted.heard.length).toBeGreaterThan(0);
      expect(converse(options, [whole], answers)).toEqual(wanted);
      expect(converse(options, cutAt([...whole.keys()]), answers)).toEqual(wanted);
      for (let cut = 0; cut <= whole.length; cut++) expect(converse(options, cutAt([cut]), answers)).toEqual(wanted);
      fc.assert(
        fc.property(fc.array(fc.nat(whole.length)), (cuts) => {
          expect(converse(options, cutAt(cuts), answers)).toEqual(wanted);
        }),
      );
    });
  }

  test("what came before a late answer is kept: credentials, request, payload [rfc1928#6/success-passes-data]", () => {
    const session = new ServerSession(WITH_USERS, 0);
    const ahead = Uint8Array.of(...GREETING_WITH_USER, ...encodeUserPass(ALICE), ...REQUEST, ...bytesOf("ear"));
    expect(feed(session, ahead).map((event) => event.kind)).toEqual(["send", "authenticate"]);
    expect(session.heldBytes).toBe(REQUEST.length + 3);
    session.authenticated(true, 0);
    expect(drain(session).map((event) => event.kind)).toEqual(["send", "request"]);
    expect(feed(session, bytesOf("ly"))).toEqual([]);
    expect(new TextDecoder().decode(session.connected(BND, 80))).toBe("early");
    expect(session.isOpen).toBe(true);
    expect(session.heldBytes).toBe(0);
  });
});

describe("every state and every input", () => {
  const STATES: Readonly<Record<string, () => ServerSession>> = {
    greeting: () => new ServerSession(WITH_USERS, 0),
    userpass: () => reached(WITH_USERS, GREETING_WITH_USER),
    verdict: () => reached(WITH_USERS, GREETING_WITH_USER, encodeUserPass(ALICE)),
    request: () => reached(OPEN_TO_ALL, GREETING),
    answer: () => reached(OPEN_TO_ALL, GREETING, REQUEST),
    open: () => {
      const session = reached(OPEN_TO_ALL, GREETING, REQUEST);
      session.connected(BND, 80);
      drain(session);
      return session;
    },
    closing: () => reached(OPEN_TO_ALL, Uint8Array.of(5, 0)),
  };

  function reached(options: ServerSessionOptions, ...messages: readonly Uint8Array[]): ServerSession {
    const session = new ServerSession(options, 0);
    for (const message of messages) feed(session, message);
    return session;
  }

  /** What a driver may rely on: in which states it waits for the client, for itself, or for the end. */
  const QUERIES: Readonly<Record<string, readonly [isHandshake: boolean, needsInput: boolean, isClosing: boolean]>> = {
    greeting: [true, true, false],
    userpass: [true, true, false],
    verdict: [true, false, false],
    request: [true, true, false],
    answer: [false, false, false],
    open: [false, false, false],
    closing: [false, false, true],
  };

  for (const [name, make] of Object.entries(STATES)) {
    test(`${name}: says truly where it stands`, () => {
      const session = make();
      expect([session.isHandshake, session.needsInput, session.isClosing]).toEqual([...(QUERIES[name] ?? [])]);
      expect(session.isOpen).toBe(name === "open");
    });

    test(`${name}: survives random bytes, and says at most one end`, () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (pieces) => {
          const session = make();
          const kinds = pieces.flatMap((piece) => feed(session, piece).map((event) => event.kind));
          expect(kinds.filter((kind) => kind === "finish").length).toBeLessThanOrEqual(1);
          if (kinds.includes("finish")) expect(kinds.at(-1)).toBe("finish");
          session.handleTimeout(1e9);
          const late = drain(session).map((event) => event.kind);
          expect(late).toEqual(session.isClosing ? ["close"] : []);
        }),
      );
    });

    test(`${name}: answers that nobody asked for change nothing, or are a bug of ours`, () => {
      const session = make();
      if (name !== "verdict") {
        session.authenticated(true, 0);
        expect(drain(session)).toEqual([]);
      }
      if (name !== "answer") {
        expect(() => session.connected(BND, 80)).toThrow();
        expect(() => session.refused(Rep.GeneralFailure, 0)).toThrow();
      }
    });
  }
});
