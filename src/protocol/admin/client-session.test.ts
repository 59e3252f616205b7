import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ClientOutcome, ClientSession } from "./client-session.ts";
import { encodeResponse } from "./response.ts";
import { ServerSession } from "./server-session.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const credentials = { username: ascii("root"), password: ascii("secret") };

function session(code = 1, params: readonly Uint8Array[] = []): ClientSession {
  return new ClientSession({ credentials, request: { code, params }, timeoutMs: 10_000 }, 0);
}

/** Everything the client wants sent, and how it ended. */
function drain(client: ClientSession): { sent: string[]; outcome: ClientOutcome | undefined } {
  const sent: string[] = [];
  let outcome: ClientOutcome | undefined;
  for (let event = client.pollEvent(); event !== undefined; event = client.pollEvent()) {
    if (event.kind === "send") sent.push(Buffer.from(event.bytes).toString("hex"));
    else outcome = event.outcome;
  }
  return { sent, outcome };
}

function outcomeOf(reply: readonly number[], code = 1): ClientOutcome | undefined {
  const client = session(code);
  client.handleInput(Uint8Array.from(reply), 1);
  return drain(client).outcome;
}

describe("ClientSession", () => {
  test("logs in, waits for status 0, asks, reads the answer", () => {
    const client = session(3, [ascii("512")]);
    expect(drain(client).sent).toEqual(["0104726f6f7406736563726574"]);
    client.handleInput(Uint8Array.of(1), 1);
    expect(drain(client).sent).toEqual([]);
    client.handleInput(Uint8Array.of(0), 1);
    expect(drain(client).sent).toEqual(["030103353132"]);
    client.handleInput(encodeResponse(3, "512"), 2);
    expect(drain(client)).toEqual({ sent: [], outcome: { kind: "done", data: "512" } });
    expect(client.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([1, 2, 3])("status %d is a refused login", (status) => {
    expect(outcomeOf([1, status])).toEqual({ kind: "login-refused", status: status as 1 | 2 | 3 });
  });

  test("254 and 255 are refusals with their text", () => {
    for (const code of [254, 255] as const) {
      expect(outcomeOf([1, 0, ...encodeResponse(code, "no such thing")])).toEqual({
        kind: "refused",
        code,
        text: "no such thing",
      });
    }
  });

  test("what steers a terminal does not come through", () => {
    expect(outcomeOf([1, 0, 254, 3, 0x1b, 0x5b, 0xff])).toEqual({ kind: "refused", code: 254, text: "?[?" });
  });

  test("a server that breaks the protocol", () => {
    expect(outcomeOf([5])).toEqual({ kind: "protocol-error", detail: "the login reply has an unknown version" });
    expect(outcomeOf([1, 9])).toEqual({ kind: "protocol-error", detail: "the login reply has an unknown status" });
    expect(outcomeOf([1, 0, 2])).toEqual({ kind: "protocol-error", detail: "the response answers another request" });
    expect(outcomeOf([1, 0, 1, 0])).toEqual({ kind: "protocol-error", detail: "the response carries no data" });
  });

  test("a server that goes away, or says nothing", () => {
    const gone = session();
    gone.handleEnd();
    gone.handleEnd();
    expect(drain(gone).outcome).toEqual({ kind: "gone", during: "login" });

    const later = session();
    later.handleInput(Uint8Array.of(1, 0, 1), 1);
    later.handleEnd();
    expect(drain(later).outcome).toEqual({ kind: "gone", during: "request" });

    const silent = session();
    silent.handleTimeout(9_999);
    expect(drain(silent).outcome).toBeUndefined();
    silent.handleTimeout(silent.pollTimeout());
    expect(drain(silent).outcome).toEqual({ kind: "timeout", during: "login" });
  });

  test("random replies in random pieces end it once or not at all", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), (pieces) => {
        const client = session();
        let ends = 0;
        for (const piece of pieces) {
          client.handleInput(piece, 1);
          if (drain(client).outcome !== undefined) ends++;
        }
        expect(ends).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("speaks with the server's session, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 300, max: 16_777_216 }), (cut, size) => {
        const client = session(3, [ascii(String(size))]);
        const server = new ServerSession({ idleMs: 15_000 }, 0);
        const deliver = (bytes: Uint8Array, to: ClientSession | ServerSession): void => {
          for (let at = 0; at < bytes.length; at += cut) to.handleInput(bytes.slice(at, at + cut), 0);
        };
        const sizes: number[] = [];
        let outcome: ClientOutcome | undefined;
        for (let turn = 0; turn < 10; turn++) {
          for (let event = client.pollEvent(); event !== undefined; event = client.pollEvent()) {
            if (event.kind === "send") deliver(event.bytes, server);
            else outcome = event.outcome;
          }
          for (let event = server.pollEvent(); event !== undefined; event = server.pollEvent()) {
            if (event.kind === "send") deliver(event.bytes, client);
            if (event.kind === "authenticate") server.answerCredentials("accepted", 0);
            if (event.kind === "execute") {
              const engine = { historical: () => 0, concurrent: () => 0, bytes: () => 0 };
              server.answerCommand(event.command.execute({ ...engine, setBufferSize: (value) => sizes.push(value) }));
            }
          }
        }
        expect(outcome).toEqual({ kind: "done", data: String(size) });
        expect(sizes).toEqual([size]);
      }),
    );
  });
});
