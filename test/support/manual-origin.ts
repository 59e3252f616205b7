/** A server for a proxy to connect to whose connections the test drives itself. */

import { within } from "./deadline.ts";
import { TestConnection } from "./socks-client.ts";

export interface ManualOrigin extends Disposable {
  readonly host: string;
  readonly port: number;
  /** The next connection that nobody has taken yet, now or when it comes. */
  accept(limitMs?: number): Promise<TestConnection>;
}

export function manualOrigin(host = "127.0.0.1"): ManualOrigin {
  const accepted: TestConnection[] = [];
  let wake: () => void = () => undefined;
  const listener = Bun.listen<TestConnection>({
    hostname: host,
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...TestConnection.handlers,
      open: (socket) => {
        const connection = new TestConnection();
        connection.adopt(socket);
        accepted.push(connection);
        wake();
      },
    },
  });
  return {
    host,
    port: listener.port,
    accept: async (limitMs = 5000) => {
      for (;;) {
        const next = accepted.shift();
        if (next !== undefined) return next;
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(woken, limitMs, "a connection");
      }
    },
    [Symbol.dispose]: () => listener.stop(true),
  };
}
