/** Servers for a proxy to connect to, each with one habit. All on free ports, all with half-open connections allowed. */

import { createHash } from "node:crypto";
import type { Socket } from "bun";
import { ByteSender } from "./byte-sender.ts";

/** What an origin does with one connection. */
interface Habit {
  open?(connection: Connection): void;
  data?(connection: Connection, bytes: Uint8Array): void;
  /** Everything queued has been written. */
  drain?(connection: Connection): void;
  /** The other side has sent its FIN. */
  end?(connection: Connection): void;
  /** Both FINs are through, or a reset came. */
  close?(connection: Connection): void;
}

/** One connection of an origin. */
interface Connection {
  readonly socket: Socket<Connection>;
  readonly sender: ByteSender;
  /** The connection's number in order of acceptance, from 0. */
  readonly index: number;
}

/** A server that runs until it is disposed of. */
export interface Origin extends Disposable {
  readonly host: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Payload bytes received on all connections. */
  readonly bytesReceived: number;
  /** Resets every connection (RST). */
  resetAll(): void;
  /** Reads again on every connection that was not read from. */
  resumeAll(): void;
}

function serve(habit: Habit, host: string): Origin {
  const connections = new Set<Connection>();
  let accepted = 0;
  let bytesReceived = 0;
  const listener = Bun.listen<Connection>({
    hostname: host,
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => {
        const connection: Connection = { socket, sender: new ByteSender(socket), index: accepted++ };
        socket.data = connection;
        connections.add(connection);
        habit.open?.(connection);
      },
      data: ({ data: connection }, bytes) => {
        bytesReceived += bytes.length;
        habit.data?.(connection, bytes);
      },
      drain: ({ data: connection }) => {
        connection.sender.flush();
        if (connection.sender.isEmpty) habit.drain?.(connection);
      },
      end: ({ data: connection }) => {
        if (habit.end) habit.end(connection);
        else connection.sender.end();
      },
      close: ({ data: connection }) => {
        connections.delete(connection);
        habit.close?.(connection);
      },
    },
  });
  return {
    host,
    port: listener.port,
    get accepted() {
      return accepted;
    },
    get open() {
      return connections.size;
    },
    get bytesReceived() {
      return bytesReceived;
    },
    resetAll: () => {
      for (const { socket } of connections) socket.terminate();
    },
    resumeAll: () => {
      for (const { socket } of connections) socket.resume();
    },
    [Symbol.dispose]: () => listener.stop(true),
  };
}

/** Sends back what it gets, and its FIN after the other side's. Reads no faster than its bytes are taken. */
export function echoOrigin(host = "127.0.0.1"): Origin {
  return serve(
    {
      data: ({ socket, sender }, bytes) => {
        sender.send(bytes.slice());
        if (!sender.isEmpty) socket.pause();
      },
      drain: ({ socket }) => {
        socket.resume();
      },
    },
    host,
  );
}

/** Reads everything and answers nothing; sends its FIN after the other side's. */
export function sinkOrigin(host = "127.0.0.1"): Origin {
  return serve({}, host);
}

/** Accepts and does not read, so that what is sent to it piles up on the way. */
export function silentOrigin(host = "127.0.0.1"): Origin {
  return serve({ open: ({ socket }) => void socket.pause() }, host);
}

/** After so many pieces others have their turn: a reader as fast as we are must not stop the whole test. */
const PIECES_AT_ONCE = 16;

/** Sends `pieces` and then its FIN, as soon as it is connected, and reads whatever comes. */
export function sourceOrigin(pieces: () => Iterable<Uint8Array>, host = "127.0.0.1"): Origin {
  const sources = new WeakMap<Connection, Iterator<Uint8Array>>();
  const pump = (connection: Connection): void => {
    const source = sources.get(connection);
    for (let count = 0; source && connection.sender.isEmpty; count++) {
      if (count === PIECES_AT_ONCE) {
        setImmediate(pump, connection);
        return;
      }
      const next = source.next();
      if (next.done) {
        sources.delete(connection);
        connection.sender.end();
        return;
      }
      connection.sender.send(next.value);
    }
  };
  return serve(
    {
      open: (connection) => {
        sources.set(connection, pieces()[Symbol.iterator]());
        pump(connection);
      },
      drain: pump,
      // Its own FIN comes when its bytes are out, whatever the other side has said.
      end: () => undefined,
      close: (connection) => void sources.delete(connection),
    },
    host,
  );
}

/** Resets the connection (RST) at the first byte that it gets. */
export function resettingOrigin(host = "127.0.0.1"): Origin {
  return serve({ data: ({ socket }) => socket.terminate() }, host);
}

/** An origin for one exchange, which says what it got. */
export interface ExchangeOrigin extends Origin {
  /** Resolves when the other side has sent its FIN. */
  readonly ended: Promise<void>;
  /** SHA-256 of the bytes received, in hexadecimal; only once, after {@link ended}. */
  receivedSha256(): string;
}

/** Sends `bytes` and its FIN, and at the same time reads to the other side's. */
export function exchangeOrigin(bytes: Uint8Array, host = "127.0.0.1"): ExchangeOrigin {
  const received = createHash("sha256");
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const origin = serve(
    {
      open: ({ sender }) => {
        sender.send(bytes);
        sender.end();
      },
      data: (_, piece) => void received.update(piece),
      end: () => resolve(),
      close: () => resolve(),
    },
    host,
  );
  return Object.assign(origin, { ended, receivedSha256: () => received.digest("hex") });
}
