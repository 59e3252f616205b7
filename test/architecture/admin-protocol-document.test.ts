/** Runs the examples of docs/admin-protocol.md, section 9: the server's side of all of them, the client's where it applies. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_LIMITS } from "../../src/admin/limits.ts";
import { MESSAGE_BYTES_MAX } from "../../src/net/sctp-listener.ts";
import { ClientSession } from "../../src/protocol/admin/client-session.ts";
import { METHODS } from "../../src/protocol/admin/commands/table.ts";
import { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN } from "../../src/protocol/admin/constants.ts";
import { ServerSession } from "../../src/protocol/admin/server-session.ts";

const path = join(import.meta.dir, "..", "..", "docs", "admin-protocol.md");
const text = readFileSync(path, "utf8");

interface Line {
  readonly side: "C" | "S";
  readonly bytes: readonly number[];
  /** Ends in "..": any LEN and DATA that fit together. */
  readonly isOpen: boolean;
}

interface Example {
  readonly number: number;
  readonly runsClient: boolean;
  readonly lines: readonly Line[];
}

function readExamples(): Example[] {
  const blocks = [...text.matchAll(/^```admin-example( client)?\n(.*?)^```$/gms)];
  return blocks.map(([, client, body = ""], index) => ({
    number: index + 1,
    runsClient: client !== undefined,
    lines: body
      .trimEnd()
      .split("\n")
      .map((line): Line => {
        const match = /^([CS]): ((?:[0-9a-f]{2} ?)+)(\.\.)?\s*(?:;.*)?$/.exec(line);
        if (match === null) throw new Error(`cannot read this line of an example: ${line}`);
        const bytes = (match[2] ?? "").trim().split(" ");
        return {
          side: match[1] as Line["side"],
          bytes: bytes.map((hex) => Number.parseInt(hex, 16)),
          isOpen: match[3] !== undefined,
        };
      }),
  }));
}

const EXAMPLES = readExamples();
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** What the server sends for the client's messages of an example, and whether it closes. */
class ServerSide {
  readonly sent: Uint8Array[] = [];
  hasClosed = false;
  readonly #session = new ServerSession({ idleMs: 15_000 }, 0);

  take(bytes: readonly number[]): void {
    this.#session.handleInput(Uint8Array.from(bytes), 1);
    for (let event = this.#session.pollEvent(); event !== undefined; event = this.#session.pollEvent()) {
      if (event.kind === "send") this.sent.push(event.bytes);
      if (event.kind === "close") this.hasClosed = true;
      if (event.kind === "authenticate") {
        const { username, password } = event.credentials;
        const right = latin1(username) === "root" && latin1(password) === "secret";
        this.#session.answerCredentials(right ? "accepted" : "refused", 1);
      }
      if (event.kind === "execute") {
        const engine = { historical: () => 1234, concurrent: () => 7, bytes: () => 1_048_576 };
        this.#session.answerCommand(event.command.execute({ ...engine, setBufferSize: () => undefined }));
      }
    }
  }
}

/** Compares a message with its line; an open line fits every text. */
function expectMessage(message: Uint8Array | undefined, { bytes, isOpen }: Line): void {
  if (message === undefined) throw new Error("a message of the example was not sent");
  if (!isOpen) {
    expect([...message]).toEqual([...bytes]);
    return;
  }
  expect([...message.subarray(0, bytes.length)]).toEqual([...bytes]);
  expect(message[bytes.length]).toBe(message.length - bytes.length - 1);
  expect(latin1(message.subarray(bytes.length + 1))).toMatch(/^[ -~]+$/);
}

describe("the examples of docs/admin-protocol.md", () => {
  test("there are some", () => {
    expect(EXAMPLES.length).toBeGreaterThanOrEqual(17);
    expect(EXAMPLES.some(({ runsClient }) => runsClient)).toBe(true);
  });

  test.each(EXAMPLES)("example $number: the server answers as written, when written, and closes", ({ lines }) => {
    const server = new ServerSide();
    let answered = 0;
    for (const [index, line] of lines.entries()) {
      if (line.side === "C") {
        server.take(line.bytes);
        const next = lines.findIndex((other, at) => at > index && other.side === "C");
        const due = lines.slice(0, next < 0 ? undefined : next).filter(({ side }) => side === "S").length;
        expect(server.sent).toHaveLength(due);
      } else {
        expectMessage(server.sent[answered++], line);
      }
    }
    expect(server.hasClosed).toBe(true);
  });

  test.each(EXAMPLES.filter(({ runsClient }) => runsClient))(
    "example $number: the client sends as written",
    (example) => {
      const { lines } = example;
      const request = lines.filter(({ side }) => side === "C")[1]?.bytes ?? [0, 0];
      const params = request[1] === 0 ? [] : [Uint8Array.from(request.slice(3))];
      const [login] = lines;
      const name = login?.bytes.slice(2, 6) ?? [];
      const password = login?.bytes.slice(7) ?? [];
      const credentials = { username: Uint8Array.from(name), password: Uint8Array.from(password) };
      const client = new ClientSession({ credentials, request: { code: request[0] ?? 0, params }, timeoutMs: 0 }, 0);
      for (const line of lines) {
        if (line.side === "S") {
          const text = line.isOpen ? [...line.bytes, 2, 0x6e, 0x6f] : line.bytes;
          client.handleInput(Uint8Array.from(text), 1);
          continue;
        }
        const event = client.pollEvent();
        expectMessage(event?.kind === "send" ? event.bytes : undefined, line);
      }
      expect(client.pollEvent()).toMatchObject({ kind: "ended" });
    },
  );
});

describe("the numbers of docs/admin-protocol.md", () => {
  test("are those of the program", () => {
    const limits: readonly [row: RegExp, value: string][] = [
      [/^\| time for the whole login.*?\| (\d+) s/m, `${ADMIN_LIMITS.idleMs / 1000}`],
      [/^\| associations +\| (\d+)/m, `${ADMIN_LIMITS.associations}`],
      [/^\| associations of one address +\| (\d+)/m, `${ADMIN_LIMITS.associationsPerAddress}`],
      [/^\| associations that have not logged in +\| (\d+)/m, `${ADMIN_LIMITS.unauthenticated}`],
      [/^\| failed logins of one address.*?\| (\d+), and \1 a minute/m, `${ADMIN_LIMITS.failuresPerMinute}`],
      [/^\| one message +\| ([\d,]+) bytes/m, MESSAGE_BYTES_MAX.toLocaleString("en")],
      [/in digits, from (\d+) to/, `${BUFFER_SIZE_MIN}`],
      [/in digits, from \d+ to (\d+)/, `${BUFFER_SIZE_MAX}`],
    ];
    expect(limits.map(([row]) => row.exec(text)?.[1])).toEqual(limits.map(([, value]) => value));
    const section5 = text.slice(text.indexOf("## 5. Methods"));
    for (const { code, paramCount } of METHODS) {
      expect(section5).toMatch(new RegExp(`^\\| ${code} +\\| [a-z ]+ \\| ${paramCount} +\\| digits +\\|$`, "m"));
    }
  });
});
