/** BIND and UDP ASSOCIATE as a client writes them, byte by byte; the proxy's own codecs are not judged by themselves. */

import { TestConnection } from "./socks-client.ts";

/** A reply of RFC 1928 §6. */
export interface ReceivedReply {
  readonly rep: number;
  readonly atyp: number;
  /** BND.ADDR as text: dotted decimal, or eight groups of hexadecimal digits. */
  readonly address: string;
  readonly port: number;
}

export interface SocksRequest {
  readonly proxyPort: number;
  readonly proxyHost?: string;
  readonly cmd: "bind" | "udp";
  /** ATYP, DST.ADDR and DST.PORT; zeros when absent. */
  readonly dst?: readonly number[];
  /** Authenticates by RFC 1929 when given. */
  readonly user?: { readonly name: string; readonly password: string };
  /** Sent right behind the request. */
  readonly early?: string;
}

export const ZEROS: readonly number[] = [1, 0, 0, 0, 0, 0, 0];

/** Connects, says it all at once, and reads the (first) reply. */
export async function askProxy({
  proxyPort,
  proxyHost = "127.0.0.1",
  cmd,
  dst = ZEROS,
  user,
  early = "",
}: SocksRequest): Promise<{ control: TestConnection; reply: ReceivedReply }> {
  const control = await TestConnection.open(proxyPort, proxyHost);
  const sayUser =
    user === undefined
      ? []
      : [1, user.name.length, ...Buffer.from(user.name), user.password.length, ...Buffer.from(user.password)];
  const request = [5, cmd === "bind" ? 2 : 3, 0, ...dst, ...Buffer.from(early)];
  control.send(Uint8Array.of(5, 1, user === undefined ? 0 : 2, ...sayUser, ...request));
  await control.read(user === undefined ? 2 : 4);
  return { control, reply: await readReply(control) };
}

export async function readReply(control: TestConnection): Promise<ReceivedReply> {
  const [, rep = 0xff, , atyp = 0] = await control.read(4);
  const rest = await control.read(atyp === 4 ? 18 : 6);
  const port = ((rest.at(-2) ?? 0) << 8) | (rest.at(-1) ?? 0);
  const ip = rest.subarray(0, -2);
  const groups = Array.from({ length: 8 }, (_, i) => (((ip[2 * i] ?? 0) << 8) | (ip[2 * i + 1] ?? 0)).toString(16));
  return { rep, atyp, address: atyp === 4 ? groups.join(":") : ip.join("."), port };
}

/** The header of a datagram to an IPv4 address or a name (RFC 1928 §7). */
export function datagramHeader(host: string, port: number): number[] {
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(host)
    ? [1, ...host.split(".").map(Number)]
    : [3, host.length, ...Buffer.from(host)];
  return [0, 0, 0, ...address, port >> 8, port & 0xff];
}
