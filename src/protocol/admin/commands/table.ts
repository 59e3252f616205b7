/** All methods of version 1, by code. A new command is a file here and a line in this table. */

import { bufferSize } from "./buffer-size.ts";
import { bytes } from "./bytes.ts";
import type { MethodDefinition } from "./command.ts";
import { concurrent } from "./concurrent.ts";
import { historical } from "./historical.ts";

export type { Command, Engine, MethodDefinition } from "./command.ts";

/** Every method, in the order of their codes. */
export const METHODS: readonly MethodDefinition[] = [historical, concurrent, bytes, bufferSize];

/** The method with the CODE `code`; `undefined` for reserved codes, 254 and 255. */
export function methodOf(code: number): MethodDefinition | undefined {
  return METHODS.find((method) => method.code === code);
}
