import type { TunnelEnd } from "../relay/tunnel-end.ts";
import type { ProxyContext } from "./context.ts";
import type { Placed } from "./served-clients.ts";

/** A client of the proxy, whatever it is doing. */
export interface ServedClient extends Placed {
  /** Ends whatever is going on, at once. */
  kill(end: TunnelEnd): void;
  /** The buffer size has changed. */
  applyBufferSize(): void;
}

/** Where clients are kept. */
export interface ClientHost {
  readonly context: ProxyContext;
  /** The client is gone. */
  forget(client: ServedClient): void;
  /** `later` stands for the client from now on. */
  replace(client: ServedClient, later: ServedClient): void;
}
