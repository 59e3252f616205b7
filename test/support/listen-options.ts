import type { ListenOptions } from "../../src/net/tcp-listener.ts";

/** A listener on any port of 127.0.0.1. */
export const LISTEN_OPTIONS: ListenOptions = {
  address: "127.0.0.1",
  port: 0,
  backlog: 16,
  ipv6Only: false,
  reusePort: false,
  noDelay: true,
};
