/** What the decoder of a chunk may answer. The chunk is there whole, so nothing is ever incomplete. */

import type { PacketDecoded } from "../../../bytes/decoded.ts";

/** A chunk, or that its lengths do not fit. */
export type ChunkDecoded<Value> = PacketDecoded<Value, "malformed-chunk">;

/** The one fault of a chunk decoder. */
export const MALFORMED: { readonly kind: "invalid"; readonly fault: "malformed-chunk" } = Object.freeze({
  kind: "invalid",
  fault: "malformed-chunk",
});
