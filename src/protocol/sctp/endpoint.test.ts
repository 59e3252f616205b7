import { expect, test } from "bun:test";
import { SeededRandom } from "../../../test/support/seeded-random.ts";
import { CALM, endpointBasics, type NodeEvent, VirtualNet } from "../../../test/support/virtual-net.ts";
import type { AssociationId, SctpLimits } from "./api.ts";
import { Endpoint } from "./endpoint.ts";

const SERVER = { address: "127.0.0.1", udpPort: 9_899 };
const CLIENT = { address: "127.0.0.1", udpPort: 50_000 };

test("an association comes up, carries a message each way and ends gracefully, and nothing is left", () => {
  const net = new VirtualNet(1, CALM);
  const server = new Endpoint({ ...endpointBasics(net.random), acceptPort: 8_080 });
  const client = new Endpoint(endpointBasics(net.random));
  const seen: string[] = [];
  const note = (who: string, event: NodeEvent): void => {
    seen.push(`${who} ${event.kind}${event.kind === "closed" ? ` ${event.reason}` : ""}`);
  };
  net.attach(SERVER, server, (event) => {
    note("server", event);
    if (event.kind !== "message") return;
    server.send(event.association, event.bytes.toReversed(), net.nowMs);
    server.shutdown(event.association, net.nowMs);
  });
  net.attach(CLIENT, client, (event) => {
    note("client", event);
    if (event.kind === "connected") client.send(event.association, Uint8Array.of(1, 2, 3), net.nowMs);
    if (event.kind === "message") expect(event.bytes).toEqual(Uint8Array.of(3, 2, 1));
  });
  expect(client.connect(SERVER, 0, 8_080, 0).kind).toBe("connecting");
  expect(net.run(60_000)).toBe(true);
  expect(seen).toEqual([
    "server connected",
    "client connected",
    "server message",
    "client message",
    "client peer-shutdown",
    "server closed shutdown",
    "client closed shutdown",
  ]);
  expect(server.holdings()).toEqual({ associations: 0, sendBytes: 0, receiveBytes: 0 });
  expect(client.holdings()).toEqual({ associations: 0, sendBytes: 0, receiveBytes: 0 });
});

test("a window below 1,500 bytes, or below a message, is refused [rfc9260#3.3.2/window-min]", () => {
  const basics = endpointBasics(new SeededRandom(1));
  const withLimits = (limits: Partial<SctpLimits>) => () => new Endpoint({ ...basics, limits });
  expect(withLimits({ receiveWindowBytes: 1_499, messageBytesMax: 10 })).toThrow("at least");
  expect(withLimits({ receiveWindowBytes: 2_000, messageBytesMax: 2_001 })).toThrow("at least");
  expect(withLimits({ receiveWindowBytes: 2_000, messageBytesMax: 2_000 })).not.toThrow();
  expect(() => new Endpoint({ ...basics, timing: { cookieKeyLifeMs: 1 } })).toThrow("cookieKeyLifeMs");
});

test("a send buffer for 65,536 messages is refused [rfc9260#6.1/messages-max]", () => {
  const basics = endpointBasics(new SeededRandom(1));
  const withBuffer = (sendBufferBytes: number) => () => new Endpoint({ ...basics, limits: { sendBufferBytes } });
  expect(withBuffer(65_535 * 65)).not.toThrow();
  expect(withBuffer(65_536 * 65)).toThrow("sendBufferBytes");
});

test("a SACK delay of more than 500 ms is refused [rfc9260#6.2/delay]", () => {
  const basics = endpointBasics(new SeededRandom(1));
  expect(() => new Endpoint({ ...basics, timing: { sackDelayMs: 500 } })).not.toThrow();
  expect(() => new Endpoint({ ...basics, timing: { sackDelayMs: 501 } })).toThrow("sackDelayMs");
});

test("calls for an association that is gone do nothing", () => {
  const endpoint = new Endpoint(endpointBasics(new SeededRandom(1)));
  const gone = 7 as AssociationId;
  expect(endpoint.send(gone, Uint8Array.of(1), 0)).toBe("not-open");
  endpoint.shutdown(gone, 0);
  endpoint.abort(gone, 0);
  endpoint.pause(gone);
  endpoint.resume(gone, 0);
  expect(endpoint.pollEvent()).toBeUndefined();
});

test("local ports are free ones, from 49,152 on; when there are none, connect says so", () => {
  const random = (count: number): Uint8Array => new Uint8Array(count);
  const endpoint = new Endpoint({ ...endpointBasics(new SeededRandom(1)), random });
  const remote = { address: "192.0.2.1", udpPort: 1 };
  expect(endpoint.connect(remote, 0, 8_080, 0).kind).toBe("connecting");
  expect(endpoint.connect(remote, 0, 8_080, 0).kind).toBe("in-use");
  expect(endpoint.connect(remote, 49_152, 8_080, 0).kind).toBe("in-use");
  expect(endpoint.connect(remote, 49_153, 8_080, 0).kind).toBe("connecting");
});

test("no more associations than the limits allow, outgoing ones included", () => {
  const endpoint = new Endpoint({ ...endpointBasics(new SeededRandom(1)), limits: { associationsPerAddressMax: 1 } });
  const remote = { address: "192.0.2.1", udpPort: 1 };
  expect(endpoint.connect(remote, 0, 8_080, 0).kind).toBe("connecting");
  expect(endpoint.connect(remote, 0, 8_080, 0).kind).toBe("too-many-associations");
});
