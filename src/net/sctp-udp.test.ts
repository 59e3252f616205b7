import { afterEach, describe, expect, test } from "bun:test";
import { until, within } from "../../test/support/deadline.ts";
import { SilentLog } from "../../test/support/silent-log.ts";
import type { Accept, Association, SctpListener } from "./sctp-listener.ts";
import { connectUdpSctp, listenUdpSctp } from "./sctp-udp.ts";
import { systemClock } from "./system-clock.ts";

const log = new SilentLog();
const listeners: SctpListener[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.destroy();
});

async function listen(accept: Accept, address = "127.0.0.1"): Promise<SctpListener> {
  const options = { transport: "udp" as const, address, port: 0, udpPort: 0, associationsMax: 4 };
  const listener = await listenUdpSctp({ ...options, clock: systemClock, log }, accept);
  listeners.push(listener);
  return listener;
}

/** One end of an association with everything it was told. */
class End {
  association: Association | undefined;
  received = "";
  readonly #ended = Promise.withResolvers<void>();
  readonly #waiting: { readonly text: string; readonly resolve: () => void }[] = [];

  data(bytes: Uint8Array): void {
    this.received += Buffer.from(bytes).toString("latin1");
    for (const { text, resolve } of this.#waiting) if (this.received.endsWith(text)) resolve();
  }

  end(): void {
    this.#ended.resolve();
  }

  ended(): Promise<void> {
    return within(this.#ended.promise, 5000, "the association to end");
  }

  async receives(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ text, resolve });
    if (!this.received.endsWith(text)) await within(promise, 5000, `"${text}"`);
  }
}

async function connect(listener: SctpListener, end: End, overrides: { port?: number } = {}): Promise<Association> {
  const { address, port, udpPort = 0 } = listener.local;
  const options = { transport: "udp" as const, address, port, udpPort, timeoutMs: 5000, ...overrides };
  return await connectUdpSctp({ ...options, clock: systemClock }, end);
}

/** A listener that takes everybody in, and the ends it has. */
async function serve(address?: string): Promise<{ listener: SctpListener; ends: End[] }> {
  const ends: End[] = [];
  const listener = await listen((association) => {
    const end = new End();
    end.association = association;
    ends.push(end);
    return end;
  }, address);
  return { listener, ends };
}

describe("SCTP in UDP", () => {
  test.each(["127.0.0.1", "::1", "::"])("bytes go both ways and the close is graceful, on %s", async (address) => {
    const { listener, ends } = await serve(address);
    expect(listener.local.udpPort).toBeGreaterThan(0);
    const client = new End();
    // The any address is reached by IPv4 too, whose addresses come to us mapped.
    const target = address === "::" ? { ...listener, local: { ...listener.local, address: "127.0.0.1" } } : listener;
    const association = await connect(target, client);
    association.write(Buffer.from("hello"));
    await until(() => ends.length > 0, 5000, "an association");
    const server = ends[0];
    if (server === undefined) throw new Error("nobody was accepted");
    await server.receives("hello");
    expect(server.association?.peer.address).toBe(target.local.address);
    server.association?.write(Buffer.from("well met"));
    server.association?.close();
    await client.receives("well met");
    await Promise.all([client.ended(), server.ended()]);
  });

  test("the clients of one host have SCTP ports of their own: each has the number of its UDP port", async () => {
    const { listener, ends } = await serve();
    const client = new End();
    const association = await connect(listener, client);
    await until(() => ends.length > 0, 5000, "an association");
    const peer = ends[0]?.association?.peer;
    expect(peer?.port).toBe(peer?.udpPort ?? 0);
    association.close();
    await client.ended();
  });

  test("a long message arrives whole, and one that is too long throws", async () => {
    const { listener, ends } = await serve();
    const client = new End();
    const association = await connect(listener, client);
    const long = Buffer.alloc(65_536, "x");
    long.write("end", 65_533);
    association.write(long);
    await until(() => ends.length > 0, 5000, "an association");
    await ends[0]?.receives("end");
    expect(ends[0]?.received.length).toBe(65_536);
    expect(() => association.write(Buffer.alloc(65_537))).toThrow(RangeError);
    expect(() => association.write(Buffer.alloc(0))).toThrow(RangeError);
    association.abort();
    await ends[0]?.ended();
  });

  test("what is written before the close arrives, more than the send buffer holds included", async () => {
    const { listener, ends } = await serve();
    const client = new End();
    const association = await connect(listener, client);
    for (let n = 0; n < 8; n++) association.write(Buffer.alloc(60_000, String(n)));
    association.close();
    association.write(Buffer.from("too late"));
    await client.ended();
    await ends[0]?.ended();
    expect(ends[0]?.received.length).toBe(480_000);
    expect(ends[0]?.received.at(-1)).toBe("7");
  });

  test("who is not accepted is aborted", async () => {
    const listener = await listen(() => undefined);
    const client = new End();
    // The abort may come before or after the association stands on our side.
    await connect(listener, client).then(
      () => client.ended(),
      (error) => expect(error.code).toBe("ECONNREFUSED"),
    );
  });

  test("a closed listener takes nobody in and keeps whom it has", async () => {
    const { listener, ends } = await serve();
    const client = new End();
    const association = await connect(listener, client);
    await until(() => ends.length > 0, 5000, "an association");
    listener.close();
    const late = new End();
    await connect(listener, late).then(
      () => late.ended(),
      (error) => expect(error.code).toBe("ECONNREFUSED"),
    );
    expect(ends).toHaveLength(1);
    association.write(Buffer.from("still here"));
    await ends[0]?.receives("still here");
    listener.destroy();
    await client.ended();
  });

  test("clients that have gone do not disturb the next: their closed ports are no fault of its packets", async () => {
    const { listener } = await serve();
    const beganMs = performance.now();
    for (let n = 0; n < 20; n++) {
      const client = new End();
      (await connect(listener, client)).close();
      await client.ended();
    }
    // One packet lost for a predecessor's error would cost a retransmission timer of a second.
    expect(performance.now() - beganMs).toBeLessThan(1000);
  });

  test("a handler that throws ends its association and no other", async () => {
    const faults = new SilentLog();
    const ended = new End();
    const options = { transport: "udp" as const, address: "127.0.0.1", port: 0, udpPort: 0, associationsMax: 4 };
    const listener = await listenUdpSctp({ ...options, clock: systemClock, log: faults }, () => ({
      data: () => {
        throw new Error("a bug");
      },
      end: () => ended.end(),
    }));
    listeners.push(listener);
    const client = new End();
    const association = await connect(listener, client);
    association.write(Buffer.from("hello"));
    await client.ended();
    await ended.ended();
    expect(faults.lines.map(({ level, message }) => `${level}: ${message}`)).toContain(
      "error: an SCTP association failed by a fault of ours",
    );
  });
});

describe("failures", () => {
  test("a UDP port in use, an address that is not ours", async () => {
    const { listener } = await serve();
    const options = { transport: "udp" as const, address: "127.0.0.1", port: 0, associationsMax: 1 };
    const { udpPort = 0 } = listener.local;
    const taken = listenUdpSctp({ ...options, udpPort, clock: systemClock, log }, () => undefined);
    await expect(taken).rejects.toMatchObject({ name: "SctpError", code: "EADDRINUSE" });
    const foreign = { ...options, address: "192.0.2.1", udpPort: 0, clock: systemClock, log };
    await expect(listenUdpSctp(foreign, () => undefined)).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
  });

  test("nobody on the UDP port, nobody on the SCTP port", async () => {
    const { listener } = await serve();
    const { port } = listener.local;
    await expect(connect(listener, new End(), { port: port === 50_000 ? 50_001 : 50_000 })).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    listener.destroy();
    await expect(connect(listener, new End())).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a peer that does not answer", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const options = { transport: "udp" as const, address: "127.0.0.1", port: 8080, udpPort: silent.port };
    const connecting = connectUdpSctp({ ...options, timeoutMs: 50, clock: systemClock }, new End());
    await expect(connecting).rejects.toMatchObject({ code: "ETIMEDOUT" });
    silent.close();
  });
});
