/** What the supervisor and a worker say to each other over Bun's channel between processes. */

import type { Config } from "../config/config.ts";

export type ToWorker =
  /** The first message. `config` names the ports that are really bound. */
  | { readonly kind: "start"; readonly config: Config; readonly worker: number; readonly workers: number }
  | { readonly kind: "reload"; readonly config: Config }
  /** The shared buffer size has changed: open tunnels must look at it. */
  | { readonly kind: "apply-buffer-size" }
  /** Accept nobody, drain, and end. */
  | { readonly kind: "stop" };

export type FromWorker =
  /** Every listener is up. */
  | { readonly kind: "ready" }
  /** It cannot start; it ends by itself. */
  | { readonly kind: "failed"; readonly message: string };

/** The descriptor at which a worker finds the shared memory. */
export const SHARED_MEMORY_FD = 3;
