import type { ResolutionStep } from "../ports/resolver.ts";
import type { Question } from "../protocol/dns/query.ts";

/** What is known about a question, as much of it as a cache keeps. */
export type Outcome =
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** The name does not exist, or has no address of this family. */
  | { readonly kind: "none"; readonly detail: string }
  /** Nobody could say. */
  | { readonly kind: "failed"; readonly detail: string };

/** An outcome and how long it holds, in seconds; 0 is for this once. */
export interface TimedOutcome {
  readonly outcome: Outcome;
  readonly ttlS: number;
  /** Whether its time was over already when it was given, since nobody gave a new one. */
  readonly isStale?: boolean;
}

export type OnStep = (step: ResolutionStep) => void;

/** Whoever knows answers. Never rejects, and answers in bounded time. */
export interface AnswerSource {
  /**
   * What is known already comes at once, without a promise: most questions of a busy proxy are of this kind.
   *
   * @param onStep - Hears what was done, for logs.
   */
  ask(question: Question, onStep?: OnStep): TimedOutcome | Promise<TimedOutcome>;
}
