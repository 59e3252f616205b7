/**
 * The contract of every decoder of a byte stream: whatever the peer sent, it gets one of these three.
 * A decoder never throws on a peer's bytes; a throw is a bug of ours.
 */
export type Decoded<Value, Fault> =
  | { readonly kind: "done"; readonly value: Value; readonly bytesRead: number }
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid"; readonly fault: Fault };

/** More bytes are needed before anything can be said. */
export const INCOMPLETE: { readonly kind: "incomplete" } = Object.freeze({ kind: "incomplete" });

/** The whole value was there; `bytesRead` says where the next one begins. */
export function done<Value>(value: Value, bytesRead: number): { kind: "done"; value: Value; bytesRead: number } {
  return { kind: "done", value, bytesRead };
}

/** The peer broke the protocol; `fault` names how, and so what it is to be answered. */
export function invalid<Fault>(fault: Fault): { kind: "invalid"; fault: Fault } {
  return { kind: "invalid", fault };
}

/**
 * The contract of a decoder of whole packets (datagrams, chunks): nothing more will come, so there is no "incomplete".
 */
export type PacketDecoded<Value, Fault> =
  | { readonly kind: "done"; readonly value: Value }
  | { readonly kind: "invalid"; readonly fault: Fault };
