/**
 * A SOCKS5 proxy for the time of a test: on a free port, for one user, gone at the end. The client here is the npm
 * package `socks`; anything that speaks SOCKS5 would do.
 *
 *     bun examples/proxy-in-a-test.ts
 */

import { startProxy } from "sockeye";
import { SocksClient } from "socks";

await using proxy = await startProxy({
  socks: { listen: ["127.0.0.1"], port: 0 },
  users: [{ name: "alice", password: "secret" }],
  timeouts: { drain: "1s" },
});
console.log(`SOCKS5 on ${proxy.endpoints.join(" ")}`);

// Something to connect to, in place of what a test would test.
using greeter = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: { data: (socket, name) => void socket.end(`hello, ${name}`) },
});

const [host = "", port = ""] = proxy.endpoints[0]?.split(":") ?? [];
const { socket } = await SocksClient.createConnection({
  command: "connect",
  destination: { host: "127.0.0.1", port: greeter.port },
  proxy: { type: 5, host, port: Number(port), userId: "alice", password: "secret" },
});
socket.write("world");
for await (const bytes of socket) console.log(`the other end says ${bytes}`);
console.log(`${proxy.control.historical()} client, ${proxy.control.bytes()} bytes relayed`);
