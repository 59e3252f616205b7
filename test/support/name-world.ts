/**
 * A program: the servers of a small world, to be run in a network namespace. Its argument is a {@link World} as JSON. It
 * writes "ready" and the port of its DNS-over-HTTP server, then a line for each packet to port 53 ("port 53 udp") and
 * for each connection that a listener has taken ("accepted 192.0.2.1 from 192.0.2.2"). It ends with its stdin.
 */

import type { AddressType } from "../../src/protocol/dns/constants.ts";
import { a, aaaa, response, soa } from "./dns-message.ts";
import { startDohServer } from "./doh-server.ts";

export interface World {
  /** Addresses by name and type; any other name does not exist. */
  readonly zone: Readonly<Record<string, Readonly<Partial<Record<AddressType, readonly string[]>>>>>;
  /** Addresses at which connections to `port` are taken. */
  readonly live: readonly string[];
  readonly port: number;
  /** Addresses at which port 53 is watched. */
  readonly nameservers: readonly string[];
}

const world: World = JSON.parse(process.argv[2] ?? "");
const tell = (line: string): void => console.log(line);

const server = startDohServer(({ name, type }) => {
  const entry = world.zone[name];
  const addresses = entry?.[type] ?? [];
  const record = type === "A" ? a : aaaa;
  const authorities = addresses.length === 0 ? [soa("test", 60, 60)] : [];
  const answers = addresses.map((address) => record(name, address));
  return response(name, type, { rcode: entry === undefined ? 3 : 0, answers, authorities });
});

for (const hostname of world.live) {
  Bun.listen({
    hostname,
    port: world.port,
    socket: {
      open: (socket) => tell(`accepted ${hostname} from ${socket.remoteAddress}`),
      data: () => undefined,
    },
  });
}

for (const hostname of world.nameservers) {
  await Bun.udpSocket({ hostname, port: 53, socket: { data: () => tell("port 53 udp") } });
  Bun.listen({ hostname, port: 53, socket: { open: () => tell("port 53 tcp"), data: () => undefined } });
}

tell(`ready ${server.port}`);
for await (const _ of process.stdin) {
  // Whoever started us holds the other end.
}
process.exit(0);
