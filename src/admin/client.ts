/**
 * The library door to the admin protocol: `import { connectAdmin } from "sockeye/admin"`.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { parseIp } from "../bytes/ip.ts";
import type { SctpTransportChoice } from "../net/sctp-listener.ts";
import { systemClock } from "../net/system-clock.ts";
import { Method } from "../protocol/admin/constants.ts";
import { parseDecimal } from "../protocol/admin/decimal.ts";
import { AdminError, AdminErrorCode } from "./client-error.ts";
import { ask, reach, type Server } from "./conversation.ts";

export { AdminError, AdminErrorCode };

/** Where the server is, and who asks. */
export interface AdminClientOptions {
  /** An IP address or a name; 127.0.0.1 when absent. */
  readonly host?: string;
  /** The SCTP port, 1 to 65535; 8080 when absent. */
  readonly port?: number;
  /**
   * `kernel`: the operating system's SCTP. `udp`: SCTP in UDP. `auto`, the default: the kernel's where it has one, and UDP
   * where it has none or where nobody answers to it.
   */
  readonly transport?: SctpTransportChoice;
  /** The server's UDP port of SCTP in UDP, 1 to 65535; 9899 when absent. */
  readonly udpPort?: number;
  /** 1 to 255 bytes; a string goes as UTF-8. */
  readonly username: string | Uint8Array;
  /** 1 to 255 bytes; a string goes as UTF-8. */
  readonly password: string | Uint8Array;
  /** How long one request may take, connecting included, in milliseconds; 10,000 when absent. */
  readonly timeoutMs?: number;
}

/**
 * Asks a running proxy. The protocol knows one request an association, so every call connects and logs in anew; calls may
 * run side by side. Every method rejects with an {@link AdminError}.
 */
export interface AdminClient {
  /** Connects, and closes without logging in: whether there is a server. */
  reach(): Promise<void>;
  /** SOCKS clients accepted since the proxy started, whatever became of them. */
  historical(): Promise<number>;
  /** SOCKS clients connected now, at any stage. */
  concurrent(): Promise<number>;
  /** Payload bytes relayed since the proxy started, both directions, TCP and UDP. */
  bytes(): Promise<number>;
  /**
   * Sets the relay buffer size, for open tunnels and new ones, at once.
   *
   * @param size - Bytes, 300 to 16777216. A string is sent as it is; either way the server judges it.
   * @returns The size now in force.
   */
  setBufferSize(size: number | string): Promise<number>;
}

/**
 * Makes a client of the admin protocol.
 *
 * @returns A client, once the host's name is looked up. Nothing is sent before its first request.
 * @throws AdminError with the code ERR_ADMIN_UNREACHABLE when the name has no address.
 * @throws RangeError when a name, a password or a port cannot be sent.
 *
 * @example
 * ```ts
 * import { connectAdmin } from "sockeye/admin";
 *
 * const admin = await connectAdmin({ username: "admin", password: await Bun.file("admin-password").text() });
 * console.log(`${await admin.concurrent()} clients are connected`);
 * await admin.setBufferSize(262_144);
 * ```
 */
export async function connectAdmin(options: AdminClientOptions): Promise<AdminClient> {
  const encoder = new TextEncoder();
  const encode = (what: string, field: string | Uint8Array): Uint8Array => {
    const bytes = typeof field === "string" ? encoder.encode(field) : new Uint8Array(field);
    if (bytes.length < 1 || bytes.length > 255) throw new RangeError(`The ${what} must have 1 to 255 bytes`);
    return bytes;
  };
  const server: Server = {
    host: options.host ?? "127.0.0.1",
    addresses: await addressesOf(options.host ?? "127.0.0.1"),
    port: checkPort("port", options.port ?? 8080),
    transport: options.transport ?? "auto",
    udpPort: checkPort("udpPort", options.udpPort ?? 9899),
    credentials: {
      username: encode("user name", options.username),
      password: encode("password", options.password),
    },
    timeoutMs: options.timeoutMs ?? 10_000,
    clock: systemClock,
  };
  const askNumber = async (code: number, params: readonly Uint8Array[] = []): Promise<number> => {
    const data = await ask(server, { code, params });
    const number = parseDecimal(encoder.encode(data), Number.MAX_SAFE_INTEGER);
    if (number.kind === "number") return number.value;
    throw new AdminError(AdminErrorCode.Protocol, `The server answered '${data}' where a number was expected`);
  };
  return {
    reach: async () => await reach(server),
    historical: () => askNumber(Method.Historical),
    concurrent: () => askNumber(Method.Concurrent),
    bytes: () => askNumber(Method.Bytes),
    setBufferSize: async (size) => await askNumber(Method.BufferSize, [encode("buffer size", String(size))]),
  };
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (parseIp(host) !== undefined) return [host.replace(/^\[(.*)\]$/, "$1")];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "ENOTFOUND";
    throw new AdminError(AdminErrorCode.Unreachable, `Cannot look up ${host}: ${code}`, { cause: error });
  }
}

function checkPort(name: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new RangeError(`${name} must be 1 to 65535: current value is ${port}`);
}
