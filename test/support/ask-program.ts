/**
 * A program for inside of a network namespace, where the test itself is not: asks a proxy on 127.0.0.1 for one CONNECT
 * after the other and prints what came of each as a line of JSON.
 *
 * usage: bun ask-program.ts PROXY_PORT DESTINATION PORT [DESTINATION PORT]...
 */

import { isIPv4, isIPv6 } from "node:net";
import { parseIpv6 } from "../../src/bytes/ip.ts";
import { TestConnection } from "./socks-client.ts";

/** What came of one request. */
export interface Asked {
  readonly host: string;
  /** The whole reply in hexadecimal. */
  readonly reply: string;
  /** From the request to the whole reply, in milliseconds. */
  readonly ms: number;
  /** How the proxy ended after a refusal. */
  readonly end: string;
}

const REFUSAL_BYTES = 10;

async function ask(proxyPort: number, host: string, port: number): Promise<Asked> {
  const connection = await TestConnection.open(proxyPort);
  connection.send(Uint8Array.of(5, 1, 0));
  await connection.read(2);
  const startedMs = performance.now();
  connection.send(Uint8Array.of(5, 1, 0, ...addressOf(host), port >> 8, port & 0xff));
  const reply = await connection.read(REFUSAL_BYTES, 20_000);
  const ms = performance.now() - startedMs;
  const isRefusal = reply[1] !== 0;
  const end = isRefusal ? await connection.readToEnd() : "open";
  connection.reset();
  return { host, reply: Buffer.from(reply).toString("hex"), ms, end };
}

function addressOf(host: string): number[] {
  if (isIPv4(host)) return [1, ...host.split(".").map(Number)];
  if (isIPv6(host)) return [4, ...(parseIpv6(host) ?? [])];
  return [3, host.length, ...Buffer.from(host)];
}

if (import.meta.main) {
  const [proxyPort, ...destinations] = process.argv.slice(2);
  for (let i = 0; i + 1 < destinations.length; i += 2) {
    const asked = await ask(Number(proxyPort), String(destinations[i]), Number(destinations[i + 1]));
    process.stdout.write(`${JSON.stringify(asked)}\n`);
  }
}
