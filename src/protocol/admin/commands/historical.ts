import { Method } from "../constants.ts";
import { type MethodDefinition, metric } from "./command.ts";

/** Method 0: SOCKS clients accepted since the start, whatever became of them. */
export const historical: MethodDefinition = metric(Method.Historical, "historical", (engine) => engine.historical());
