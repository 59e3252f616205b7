import { Method } from "../constants.ts";
import { type MethodDefinition, metric } from "./command.ts";

/** Method 1: SOCKS clients connected now, at any stage. */
export const concurrent: MethodDefinition = metric(Method.Concurrent, "concurrent", (engine) => engine.concurrent());
