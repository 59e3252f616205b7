/** Makes sockeye.schema.json, by which editors complete and check a configuration file, from `src/config/schema.ts`. */

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { SCHEMA } from "../src/config/schema.ts";

/** The parts of a JSON Schema that ours is made of. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly const?: string | number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** The schema of a file as people write it. */
export function makeSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(SCHEMA, { io: "input" });
  return { $schema, title: "Configuration of Sockeye", ...schema } as JsonSchema;
}

export const SCHEMA_PATH = "sockeye.schema.json";

export function renderSchema(): string {
  return `${JSON.stringify(makeSchema(), null, 2)}\n`;
}

if (import.meta.main) writeFileSync(join(dirname(import.meta.dir), SCHEMA_PATH), renderSchema());
