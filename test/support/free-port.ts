/** A port for programs that cannot be told to choose one themselves. */

/** A TCP port of 127.0.0.1 that nobody listens on now. Somebody else may take it before the caller does: rarely. */
export function freePort(): number {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => undefined },
  });
  const { port } = listener;
  listener.stop(true);
  return port;
}
