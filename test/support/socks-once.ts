/** A program: one CONNECT. Its arguments are the proxy's port, host and port; it writes "connected" or "refused REP". */

import { openTunnel, Refused } from "./socks-client.ts";

const [proxyPort, host, port] = process.argv.slice(2);
try {
  const tunnel = await openTunnel({ proxyPort: Number(proxyPort), host: String(host), port: Number(port) });
  console.log("connected");
  tunnel.close();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.log(`refused ${error.code}`);
}
