import { afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { LISTEN_OPTIONS } from "../../test/support/listen-options.ts";
import { SOCKET_WAYS } from "../../test/support/poller.ts";
import { TestConnection } from "../../test/support/socks-client.ts";
import { formatIp } from "../bytes/ip.ts";
import type { ConnectedSocket, Endpoint, SocketOwner } from "../ports/socket.ts";
import type { Poller } from "./epoll/poller.ts";
import { AF_INET, libc, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "./libc.ts";
import { writeSockaddr } from "./sockaddr.ts";
import { ListenError, type ListenOptions, TcpListener } from "./tcp-listener.ts";

/** Says back what it hears, and ends when the other side does. */
class Echo implements SocketOwner {
  readonly #socket: ConnectedSocket;
  onClose: (code: string | undefined) => void = () => undefined;
  constructor(socket: ConnectedSocket) {
    this.#socket = socket;
  }
  handleData(chunk: Uint8Array): void {
    if (chunk[0] === 0x21) throw new Error("a bug that the test made");
    this.#socket.write(chunk);
  }
  handleDrain(): void {
    // Nothing waits to be written.
  }
  handleEnd(): void {
    this.#socket.shutdown();
  }
  handleClose(code: string | undefined): void {
    this.onClose(code);
  }
}

let poller: Poller | undefined;
const open: TcpListener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

function listen(change: Partial<ListenOptions> = {}) {
  const remotes: (Endpoint | undefined)[] = [];
  const listener = new TcpListener(
    { ...LISTEN_OPTIONS, ...change },
    (socket, remote) => {
      remotes.push(remote);
      return new Echo(socket);
    },
    poller,
  );
  open.push(listener);
  return { listener, remotes };
}

async function echoes(connection: TestConnection, text: string): Promise<void> {
  connection.send(text);
  expect(new TextDecoder().decode(await connection.read(text.length))).toBe(text);
}

describe.each(SOCKET_WAYS)("TcpListener, with sockets that are %s", (_, pollerOf) => {
  beforeAll(async () => {
    poller = await pollerOf();
  });

  test("tells where it is bound, and where clients come from", async () => {
    const { listener, remotes } = listen();
    expect(listener.address).toBe("127.0.0.1");
    expect(listener.port).toBeGreaterThan(0);
    const connection = await TestConnection.open(listener.port);
    await echoes(connection, "hello");
    expect(formatIp(remotes[0]?.ip ?? new Uint8Array())).toBe("127.0.0.1");
    connection.reset();
  });

  test("an IPv6 wildcard takes IPv4 clients, under their IPv4 address", async () => {
    const { listener, remotes } = listen({ address: "::" });
    const connection = await TestConnection.open(listener.port, "127.0.0.1");
    await echoes(connection, "hello");
    expect(formatIp(remotes[0]?.ip ?? new Uint8Array())).toBe("127.0.0.1");
    connection.reset();
  });

  test("paused, it accepts nobody and loses nobody; open connections go on", async () => {
    const { listener, remotes } = listen();
    const before = await TestConnection.open(listener.port);
    await echoes(before, "before");
    listener.pause();
    expect(listener.isPaused).toBe(true);
    // The kernel finishes the handshake and queues the client.
    const meanwhile = await TestConnection.open(listener.port);
    meanwhile.send("queued");
    await echoes(before, "still here");
    expect(remotes.length).toBe(1);
    listener.resume();
    listener.resume();
    expect(new TextDecoder().decode(await meanwhile.read(6))).toBe("queued");
    before.reset();
    meanwhile.reset();
  });

  test("may be paused from inside of an accept", async () => {
    let accepted = 0;
    const listener: TcpListener = new TcpListener(
      LISTEN_OPTIONS,
      (socket) => {
        accepted++;
        listener.pause();
        return new Echo(socket);
      },
      poller,
    );
    open.push(listener);
    const [first, second] = await Promise.all([TestConnection.open(listener.port), TestConnection.open(listener.port)]);
    for (const connection of [first, second]) connection.send("hello");
    await Promise.race([first.read(5), second.read(5)]);
    expect(accepted).toBe(1);
    listener.resume();
    for (const connection of [first, second]) connection.send("there");
    await Promise.all([first.read(5), second.read(5)]);
    expect(accepted).toBe(2);
    first.reset();
    second.reset();
  });

  test("closed, it refuses; accepted connections live on", async () => {
    const { listener } = listen();
    const connection = await TestConnection.open(listener.port);
    await echoes(connection, "before");
    listener.close();
    await echoes(connection, "after");
    await expect(TestConnection.open(listener.port)).rejects.toThrow();
    connection.reset();
  });

  test("a bug in a handler ends the one connection, and is not kept quiet", async () => {
    const report = spyOn(globalThis, "reportError").mockImplementation(() => undefined);
    try {
      const { listener } = listen();
      const [victim, other] = await Promise.all([
        TestConnection.open(listener.port),
        TestConnection.open(listener.port),
      ]);
      await echoes(other, "before");
      victim.send("!");
      expect(await victim.readToEnd()).toBe("reset");
      await echoes(other, "after");
      expect(report.mock.calls.map(([fault]) => String(fault))).toEqual(["Error: a bug that the test made"]);
      other.reset();
    } finally {
      report.mockRestore();
    }
  });

  test("says why it cannot listen", () => {
    const { listener } = listen();
    const faultOf = (change: Partial<ListenOptions>): unknown => {
      try {
        open.push(new TcpListener({ ...LISTEN_OPTIONS, ...change }, (socket) => new Echo(socket), poller));
        return undefined;
      } catch (fault) {
        return fault;
      }
    };
    expect(faultOf({ port: listener.port })).toMatchObject({ code: "EADDRINUSE" });
    expect(faultOf({ address: "192.0.2.1" })).toMatchObject({ code: "EADDRNOTAVAIL" });
    expect(faultOf({ address: "localhost" })).toBeInstanceOf(ListenError);
  });

  test.skipIf(libc === undefined)(
    "a client that is gone before it is accepted closes; Bun has no address of it any more",
    async () => {
      const closed = Promise.withResolvers<string | undefined>();
      const remotes: (Endpoint | undefined)[] = [];
      const listener = new TcpListener(
        LISTEN_OPTIONS,
        (socket, remote) => {
          remotes.push(remote);
          const owner = new Echo(socket);
          if (remotes.length === 1) owner.onClose = closed.resolve;
          return owner;
        },
        poller,
      );
      open.push(listener);
      listener.pause();
      // By the C library: connected, reset and closed before anybody accepts.
      const c = libc as NonNullable<typeof libc>;
      const fd = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr = new Uint8Array(28);
      expect(c.connect(fd, sockaddr, writeSockaddr(Uint8Array.of(127, 0, 0, 1), listener.port, sockaddr))).toBe(0);
      const SO_LINGER = 13;
      expect(c.setsockopt(fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8)).toBe(0);
      c.close(fd);
      listener.resume();
      const connection = await TestConnection.open(listener.port);
      await echoes(connection, "hello");
      expect(remotes.map((remote) => remote !== undefined)).toEqual([poller !== undefined, true]);
      if (poller === undefined) await closed.promise;
      else expect(await closed.promise).toBe("ECONNRESET");
      connection.reset();
    },
  );
});
