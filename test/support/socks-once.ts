/**
 * A program: one CONNECT. Its arguments are the proxy's port, host, port and, if there is one, the user, whose password is
 * "secret". It writes "connected" or "refused REP".
 */

import { openTunnel, Refused } from "./socks-client.ts";

const [proxyPort, host, port, name] = process.argv.slice(2);
const user = name === undefined ? {} : { user: { name, password: "secret" } };
try {
  const tunnel = await openTunnel({ proxyPort: Number(proxyPort), host: String(host), port: Number(port), ...user });
  console.log("connected");
  tunnel.close();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.log(`refused ${error.code}`);
}
