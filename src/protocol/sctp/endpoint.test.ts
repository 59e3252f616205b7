import { expect, test } from "bun:test";
import { CALM, endpointBasics, type NodeEvent, VirtualNet } from "../../../test/support/virtual-net.ts";
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
