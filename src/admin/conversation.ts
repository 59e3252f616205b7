/** One request to an admin server: connect, log in, ask, and close. */

import type { Association, SctpTransport, SctpTransportChoice } from "../net/sctp-listener.ts";
import { connectSctp } from "../net/sctp-open.ts";
import { probeKernelSctp } from "../net/sctp-probe.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Credentials } from "../protocol/admin/auth.ts";
import { type ClientOutcome, type ClientRequest, ClientSession } from "../protocol/admin/client-session.ts";
import { AuthStatus } from "../protocol/admin/constants.ts";
import { AdminError, AdminErrorCode } from "./client-error.ts";

/** How long a closed association may take to end before it is aborted. The answer is here by then. */
const CLOSE_MS_MAX = 1000;

/** Where a server is, and who asks. */
export interface Server {
  /** As the user wrote it, for messages. */
  readonly host: string;
  /** The host's IP addresses, in the order in which they are tried. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly transport: SctpTransportChoice;
  readonly udpPort: number;
  readonly credentials: Credentials;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Asks once.
 *
 * @returns DATA of the response.
 * @throws AdminError
 */
export async function ask(server: Server, request: ClientRequest): Promise<string> {
  const { clock } = server;
  const deadlineMs = clock.nowMs() + server.timeoutMs;
  const outcome = Promise.withResolvers<ClientOutcome>();
  const ended = Promise.withResolvers<void>();
  let association: Association | undefined;
  let session: ClientSession | undefined;
  let isGone = false;
  const drive = (): void => {
    for (let event = session?.pollEvent(); event !== undefined; event = session?.pollEvent()) {
      if (event.kind === "send") association?.write(event.bytes);
      else outcome.resolve(event.outcome);
    }
  };

  association = await connect(server, deadlineMs, {
    data: (bytes) => {
      session?.handleInput(bytes, clock.nowMs());
      drive();
    },
    end: () => {
      isGone = true;
      session?.handleEnd();
      drive();
      ended.resolve();
    },
  });
  const nowMs = clock.nowMs();
  session = new ClientSession(
    { credentials: server.credentials, request, timeoutMs: Math.max(1, deadlineMs - nowMs) },
    nowMs,
  );
  if (isGone) session.handleEnd();
  let timer: Timer | undefined;
  /** A timer may fire a little early: then there is a rest to wait for. */
  const wait = (current: ClientSession): void => {
    current.handleTimeout(clock.nowMs());
    drive();
    const dueMs = current.pollTimeout();
    if (dueMs !== Number.POSITIVE_INFINITY) {
      timer = clock.setTimer(Math.max(1, dueMs - clock.nowMs()), () => wait(current));
    }
  };
  wait(session);
  const result = await outcome.promise;
  timer?.cancel();
  await close(association, ended.promise, clock);
  return dataOf(result, server);
}

/**
 * Connects and closes.
 *
 * @throws AdminError when there is no server.
 */
export async function reach(server: Server): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const handler = { data: () => undefined, end: () => ended.resolve() };
  const association = await connect(server, server.clock.nowMs() + server.timeoutMs, handler);
  await close(association, ended.promise, server.clock);
}

/** Closes gracefully, so that the server is not left to find out; not for long. */
async function close(association: Association, ended: Promise<void>, clock: Clock): Promise<void> {
  association.close();
  const guard = clock.setTimer(CLOSE_MS_MAX, () => association.abort());
  await ended;
  guard.cancel();
}

/** Tries each address by each transport, until one connects. */
async function connect(
  server: Server,
  deadlineMs: number,
  handler: { data(bytes: Uint8Array): void; end(): void },
): Promise<Association> {
  const { port, udpPort, clock } = server;
  const faults: { readonly transport: SctpTransport; readonly error: unknown }[] = [];
  for (const transport of transportsFor(server.transport)) {
    for (const address of server.addresses) {
      const timeoutMs = Math.max(1, deadlineMs - clock.nowMs());
      try {
        return await connectSctp({ transport, address, port, udpPort, timeoutMs, clock }, handler);
      } catch (error) {
        faults.push({ transport, error });
      }
    }
  }
  const reasons = faults.map(({ transport, error }) => {
    const by = transport === "kernel" ? "the kernel's SCTP" : `SCTP in UDP, port ${udpPort}`;
    return `${by}: ${error instanceof Error && "code" in error ? error.code : error}`;
  });
  const message = `No admin server at ${server.host}, port ${port} (${reasons.join("; ")})`;
  throw new AdminError(AdminErrorCode.Unreachable, message, {
    cause: new AggregateError(
      faults.map(({ error }) => error),
      message,
    ),
  });
}

function transportsFor(choice: SctpTransportChoice): readonly SctpTransport[] {
  if (choice !== "auto") return [choice];
  // A server that was told to use UDP is found as well, where the kernel's SCTP says at once that nobody listens.
  return probeKernelSctp("connect").available ? ["kernel", "udp"] : ["udp"];
}

function dataOf(outcome: ClientOutcome, server: Server): string {
  switch (outcome.kind) {
    case "done":
      return outcome.data;
    case "refused": {
      const text = outcome.text === "" ? `reply code ${outcome.code}` : outcome.text;
      throw new AdminError(AdminErrorCode.Refused, `The server refused: ${text}`, { replyCode: outcome.code });
    }
    case "login-refused": {
      const { status } = outcome;
      throw new AdminError(AdminErrorCode.Login, `The server refused the login: ${STATUS_TEXTS[status]}`, { status });
    }
    case "protocol-error":
      throw new AdminError(AdminErrorCode.Protocol, `${server.host} does not speak our protocol: ${outcome.detail}`);
    case "gone":
      throw new AdminError(AdminErrorCode.Gone, `The server went away during the ${outcome.during}`);
    case "timeout":
      throw new AdminError(AdminErrorCode.Gone, `The server did not answer the ${outcome.during} in time`);
    default:
      return outcome satisfies never;
  }
}

const STATUS_TEXTS: Readonly<Record<AuthStatus, string>> = {
  [AuthStatus.Successful]: "successful",
  [AuthStatus.InvalidCredentials]: "wrong user name or password, or too many failures",
  [AuthStatus.InvalidProtocol]: "it speaks another version of the protocol",
  [AuthStatus.InternalError]: "it could not check the password",
};
