import { Method } from "../constants.ts";
import { type MethodDefinition, metric } from "./command.ts";

/** Method 2: payload bytes relayed since the start, both directions, TCP and UDP. */
export const bytes: MethodDefinition = metric(Method.Bytes, "bytes", (engine) => engine.bytes());
