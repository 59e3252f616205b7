/** The states of an association (RFC 9260 §4), each with what exists in it only. CLOSED has no more than its name. */

import type { Receiver } from "../rx/receiver.ts";
import type { Sender } from "../tx/sender.ts";

/** Both halves of the transfer. They exist from the moment at which both sides' numbers are known. */
export interface Transfer {
  readonly sender: Sender;
  readonly receiver: Receiver;
}

/** States in which both sides know each other, and DATA may be under way. */
export interface OpenState {
  readonly name: "ESTABLISHED" | "SHUTDOWN-PENDING" | "SHUTDOWN-SENT" | "SHUTDOWN-RECEIVED" | "SHUTDOWN-ACK-SENT";
  readonly transfer: Transfer;
}

/** Any state of RFC 9260 §4. */
export type State =
  /** INIT was sent this many times. */
  | { readonly name: "COOKIE-WAIT"; readonly transmissions: number }
  /** COOKIE ECHO was sent this many times, last at `sentAtMs`. */
  | {
      readonly name: "COOKIE-ECHOED";
      readonly transmissions: number;
      readonly sentAtMs: number;
      readonly cookie: Uint8Array;
      readonly transfer: Transfer;
    }
  | OpenState
  | { readonly name: "CLOSED" };

/** The transfer of an association, where its state has one. */
export function transferOf(state: State): Transfer | undefined {
  return "transfer" in state ? state.transfer : undefined;
}
