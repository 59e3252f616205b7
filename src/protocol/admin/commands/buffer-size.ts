import { decodeAscii } from "../ascii.ts";
import { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN, Method, RefusalCode } from "../constants.ts";
import { parseDecimal } from "../decimal.ts";
import { type Refusal, refusal } from "../response.ts";
import type { Command, MethodDefinition } from "./command.ts";

/** A parameter longer than this is described, not repeated, in a refusal. */
const QUOTED_BYTES_MAX = 24;

const WANTED = `a whole number from ${BUFFER_SIZE_MIN} to ${BUFFER_SIZE_MAX} in ASCII digits`;

/** Method 3: sets the relay buffer size, in bytes; answers the new one. */
export const bufferSize: MethodDefinition = {
  code: Method.BufferSize,
  name: "buffer-size",
  paramCount: 1,
  parse: ([digits = new Uint8Array()]) => parseBufferSize(digits),
};

function parseBufferSize(digits: Uint8Array): Command | Refusal {
  const parsed = parseDecimal(digits, BUFFER_SIZE_MAX);
  if (parsed.kind !== "number" || parsed.value < BUFFER_SIZE_MIN) {
    const shown = digits.length <= QUOTED_BYTES_MAX ? `'${decodeAscii(digits)}'` : `${digits.length} characters`;
    return refusal(RefusalCode.InvalidParam, `the buffer size must be ${WANTED}: it was ${shown}`);
  }
  const size = parsed.value;
  return {
    kind: "command",
    code: Method.BufferSize,
    summary: `buffer-size ${size}`,
    execute: (engine) => {
      engine.setBufferSize(size);
      return String(size);
    },
  };
}
