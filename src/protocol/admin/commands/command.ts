/** What every command is made of. Each has a file of its own beside this one; `table.ts` lists them. */

import type { Method } from "../constants.ts";
import type { Refusal } from "../response.ts";

/** The part of the proxy that commands act on. */
export interface Engine {
  historical(): number;
  concurrent(): number;
  bytes(): number;
  setBufferSize(size: number): void;
}

/** A request that has passed every check. */
export interface Command {
  readonly kind: "command";
  readonly code: Method;
  /** For logs: the method's name and its parameter. */
  readonly summary: string;
  /** Carries the request out; returns DATA. */
  execute(engine: Engine): string;
}

/** One method of the protocol. */
export interface MethodDefinition {
  readonly code: Method;
  readonly name: string;
  /** The NPARAM that the method takes. */
  readonly paramCount: number;
  /** Judges the parameters; there are exactly `paramCount` of them, none empty. */
  parse(params: readonly Uint8Array[]): Command | Refusal;
}

/** A method without parameters that answers one number. */
export function metric(code: Method, name: string, read: (engine: Engine) => number): MethodDefinition {
  const command: Command = {
    kind: "command",
    code,
    summary: name,
    // Counters are integers far below 10^21, where JavaScript would begin to write exponents.
    execute: (engine) => String(read(engine)),
  };
  return { code, name, paramCount: 0, parse: () => command };
}
