import type { Config } from "../config/config.ts";
import type { Control } from "../ports/control.ts";

/** What serves SOCKS clients: this process by itself, or a supervisor with its workers. */
export interface Engine {
  /** Where SOCKS clients are accepted: "127.0.0.1:1080", "[::1]:1080". */
  readonly socksEndpoints: readonly string[];
  /** What an administrator may read and steer. */
  readonly control: Control;
  /** Resolves when clients are served; rejects, with nothing left open, when they cannot be. */
  ready(): Promise<void>;
  /** Takes a new configuration and reopens the logs. Open connections go on; what they began with stays with them. */
  reload(config: Config): void;
  /** Stops accepting, waits for open tunnels as long as the configuration allows, and ends those that are left. */
  stop(): Promise<void>;
}
