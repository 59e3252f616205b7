/**
 * The admin protocol's server: one session an association, against the proxy's {@link Control}. It knows no socket;
 * listeners hand it associations by {@link AdminServer.accept}.
 */

import type { Association, AssociationHandler } from "../net/sctp-listener.ts";
import type { AdminEvent, AdminEventSink } from "../ports/admin-events.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Control } from "../ports/control.ts";
import type { Credentials } from "../protocol/admin/auth.ts";
import type { Command } from "../protocol/admin/commands/table.ts";
import { AuthStatus } from "../protocol/admin/constants.ts";
import { type ServerEvent, ServerSession, type SessionStage } from "../protocol/admin/server-session.ts";
import { AttemptLimiter } from "./attempt-limiter.ts";
import type { CredentialsCheck } from "./credentials.ts";
import type { AdminLimits } from "./limits.ts";

export interface AdminServerOptions {
  readonly control: Control;
  readonly credentials: CredentialsCheck;
  readonly limits: AdminLimits;
  readonly events: AdminEventSink;
  readonly clock: Clock;
}

/** What the event says besides the address. */
type EventBody = AdminEvent extends infer Event
  ? Event extends AdminEvent
    ? Omit<Event, "address" | "port">
    : never
  : never;

export class AdminServer {
  #options: AdminServerOptions;
  #attempts: AttemptLimiter;
  /** From the oldest to the newest. BOUNDED by `limits.associations`. */
  readonly #connections = new Set<Connection>();
  #closing = false;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#attempts = new AttemptLimiter(options.limits);
  }

  /** Associations that stand, those that are closing included. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes a new association in, making room for it where a limit is reached. */
  readonly accept = (association: Association): AssociationHandler | undefined => {
    if (this.#closing || !this.#makeRoom(association)) return undefined;
    const connection = new Connection(association, this.#options, this.#attempts, () => {
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
    return connection;
  };

  /** Takes another administrator and other limits for the associations to come. */
  reconfigure(credentials: CredentialsCheck, limits: AdminLimits): void {
    this.#options = { ...this.#options, credentials, limits };
    this.#attempts = new AttemptLimiter(limits);
  }

  /** Takes no new association in, and ends those that have asked for nothing yet. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#connections) connection.closeUnlessBusy();
  }

  #makeRoom(association: Association): boolean {
    const { associations, associationsPerAddress, unauthenticated } = this.#options.limits;
    const everybody = [...this.#connections];
    const waiting = everybody.filter(({ stage }) => stage !== "authenticated");
    const neighbours = everybody.filter(({ address }) => address === association.peer.address);
    const reached: readonly [limit: string, isReached: boolean, candidates: readonly Connection[]][] = [
      ["associations_per_address", neighbours.length >= associationsPerAddress, neighbours],
      ["unauthenticated", waiting.length >= unauthenticated, waiting],
      ["associations", everybody.length >= associations, everybody],
    ];
    for (const [limit, isReached, candidates] of reached) {
      // Somebody who was evicted for one limit may have made room for the next.
      const stillThere = candidates.filter((connection) => this.#connections.has(connection));
      if (!isReached || stillThere.length < candidates.length) continue;
      // The oldest: who means to log in has done so long before a flood reaches him. Whose password is being checked, which
      // may take a while, goes last: the limit on failures keeps the flood out of there.
      const victim =
        stillThere.find(({ stage }) => stage !== "checking" && stage !== "authenticated") ??
        stillThere.find(({ stage }) => stage !== "authenticated");
      if (victim === undefined) {
        this.#tell(association, { kind: "limit-reached", limit, outcome: "refused" });
        return false;
      }
      victim.evict(limit);
    }
    return true;
  }

  #tell(association: Association, body: EventBody): void {
    const { address, port } = association.peer;
    this.#options.events({ address, port, ...body } as AdminEvent);
  }
}

/** One association and its session. */
class Connection implements AssociationHandler {
  readonly #association: Association;
  readonly #options: AdminServerOptions;
  readonly #attempts: AttemptLimiter;
  readonly #forget: () => void;
  readonly #session: ServerSession;
  #timer: Timer | undefined;

  constructor(association: Association, options: AdminServerOptions, attempts: AttemptLimiter, forget: () => void) {
    this.#association = association;
    this.#options = options;
    this.#attempts = attempts;
    this.#forget = forget;
    this.#session = new ServerSession({ idleMs: options.limits.idleMs }, options.clock.nowMs());
    this.#setTimer();
  }

  get address(): string {
    return this.#association.peer.address;
  }

  get stage(): SessionStage {
    return this.#session.stage;
  }

  data(bytes: Uint8Array): void {
    this.#session.handleInput(bytes, this.#options.clock.nowMs());
    this.#drive();
  }

  end(): void {
    this.#timer?.cancel();
    this.#forget();
    this.#session.handleEnd();
    // What is still to be said has nobody to hear it.
  }

  evict(limit: string): void {
    this.#tell({ kind: "limit-reached", limit, outcome: "evicted" });
    // At once, and not when the association says that it has ended: the place is needed now.
    this.#forget();
    this.#association.abort();
  }

  closeUnlessBusy(): void {
    if (this.stage !== "authenticated") this.#association.close();
  }

  #drive(): void {
    for (let event = this.#session.pollEvent(); event !== undefined; event = this.#session.pollEvent()) {
      this.#obey(event);
    }
    this.#setTimer();
  }

  #obey(event: ServerEvent): void {
    switch (event.kind) {
      case "send":
        this.#association.write(event.bytes);
        return;
      case "close":
        this.#association.close();
        return;
      case "authenticate":
        this.#authenticate(event.credentials);
        return;
      case "execute":
        this.#execute(event.command);
        return;
      case "login-malformed":
        this.#tell({
          kind: "login-refused",
          why: event.fault === AuthStatus.InvalidProtocol ? "version" : "empty-field",
        });
        return;
      case "request-refused":
        this.#tell({ kind: "request-refused", code: event.refusal.code, text: event.refusal.text });
        return;
      case "idle":
        this.#tell({ kind: "idle", stage: event.stage });
        return;
      default:
        event satisfies never;
    }
  }

  #authenticate(credentials: Credentials): void {
    const { clock } = this.#options;
    if (!this.#attempts.take(this.address, clock.nowMs())) {
      this.#tell({ kind: "login-refused", why: "too-many-failures" });
      this.#session.answerCredentials("refused", clock.nowMs());
      return;
    }
    const answer = (verdict: "accepted" | "refused" | "failed"): void => {
      this.#session.answerCredentials(verdict, clock.nowMs());
      this.#drive();
    };
    this.#options.credentials.check(credentials).then(
      (right) => {
        if (right) this.#attempts.giveBack(this.address, clock.nowMs());
        this.#tell(right ? { kind: "login-accepted" } : { kind: "login-refused", why: "credentials" });
        answer(right ? "accepted" : "refused");
      },
      (error: unknown) => {
        this.#tell({ kind: "failed", stage: "login", error });
        answer("failed");
      },
    );
  }

  #execute(command: Command): void {
    let data: string;
    try {
      data = command.execute(this.#options.control);
    } catch (error) {
      this.#tell({ kind: "failed", stage: "request", error });
      this.#session.answerCommand(undefined);
      return;
    }
    this.#tell({ kind: "request-done", summary: command.summary, data });
    this.#session.answerCommand(data);
  }

  #setTimer(): void {
    this.#timer?.cancel();
    const { clock } = this.#options;
    const dueMs = this.#session.pollTimeout();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => {
      this.#session.handleTimeout(clock.nowMs());
      this.#drive();
    });
  }

  #tell(body: EventBody): void {
    const { address, port } = this.#association.peer;
    this.#options.events({ address, port, ...body } as AdminEvent);
  }
}
