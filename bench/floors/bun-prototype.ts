/**
 * The floor for Sockeye itself: the least that a SOCKS5 CONNECT relay on Bun's sockets can do. No log, no limits, no
 * time limits, no users, IPv4 only, one address, and it trusts its client. What Sockeye costs above this is the price of
 * what it does more; see METHOD.md.
 *
 * usage: bun bun-prototype.ts PORT
 */

import type { Socket } from "bun";

/** One end of a tunnel, or a client that has not got one yet. */
interface End {
  stage: "greeting" | "request" | "dialling" | "open";
  other: Socket<End> | undefined;
  /** Bytes that this end's socket has not taken yet; its other end is paused as long as there are any. */
  pending: Uint8Array | undefined;
  ending: boolean;
}

const newEnd = (stage: End["stage"]): End => ({ stage, other: undefined, pending: undefined, ending: false });

const METHOD_CHOSEN = Uint8Array.of(5, 0);
const SUCCEEDED = Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);
const REFUSED = Uint8Array.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0);

/** Writes to `to`; what it does not take waits, and `from` is paused meanwhile. */
function forward(from: Socket<End>, to: Socket<End>, bytes: Uint8Array): void {
  const written = to.write(bytes);
  if (written < 0) {
    from.terminate();
  } else if (written < bytes.length) {
    to.data.pending = bytes.slice(written);
    from.pause();
  }
}

function drain(socket: Socket<End>): void {
  const end = socket.data;
  if (end.pending) {
    const written = socket.write(end.pending);
    if (written < end.pending.length) {
      end.pending = end.pending.subarray(Math.max(written, 0));
      return;
    }
    end.pending = undefined;
    end.other?.resume();
  }
  if (end.ending) socket.shutdown();
}

/** `socket`'s peer has sent its FIN: pass it on behind the bytes. */
function finish(socket: Socket<End>): void {
  const { other } = socket.data;
  if (!other) {
    socket.end();
    return;
  }
  other.data.ending = true;
  if (!other.data.pending) other.shutdown();
}

/** A FIN that comes after our own shows as a close without an error; a reset as one with an error. */
function close(socket: Socket<End>, error?: Error): void {
  if (error) socket.data.other?.terminate();
  else finish(socket);
}

const target = {
  data: (socket: Socket<End>, bytes: Uint8Array) => {
    if (socket.data.other) forward(socket, socket.data.other, bytes);
  },
  open: (socket: Socket<End>) => {
    const client = socket.data.other;
    if (!client) return;
    client.data.stage = "open";
    client.data.other = socket;
    client.write(SUCCEEDED);
  },
  connectError: (socket: Socket<End>) => {
    socket.data.other?.end(REFUSED);
  },
  drain,
  end: finish,
  close,
};

const listener = Bun.listen<End>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  allowHalfOpen: true,
  socket: {
    open: (socket) => {
      socket.data = newEnd("greeting");
    },
    data: (socket, bytes) => {
      const end = socket.data;
      if (end.stage === "open" && end.other) {
        forward(socket, end.other, bytes);
      } else if (end.stage === "greeting") {
        end.stage = "request";
        socket.write(METHOD_CHOSEN);
      } else if (end.stage === "request") {
        end.stage = "dialling";
        const hostname = `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`;
        const port = ((bytes[8] ?? 0) << 8) | (bytes[9] ?? 0);
        const data = newEnd("open");
        data.other = socket;
        // connectError answers the client; the promise repeats the same news.
        Bun.connect<End>({ hostname, port, allowHalfOpen: true, data, socket: target }).catch(() => undefined);
      }
    },
    drain,
    end: finish,
    close,
  },
});
process.stderr.write(`ready 127.0.0.1:${listener.port}\n`);
