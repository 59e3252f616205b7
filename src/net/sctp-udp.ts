/**
 * SCTP in UDP (RFC 6951): our own endpoint over a UDP socket of Bun's. It needs no privilege and no kernel module; clients
 * on IP protocol 132 cannot reach it.
 */

import { createHmac, randomBytes, randomInt } from "node:crypto";
import type { Path, SctpEndpoint } from "../protocol/sctp/api.ts";
import { Endpoint } from "../protocol/sctp/endpoint.ts";
import { SctpError } from "./sctp-error.ts";
import type {
  Accept,
  Association,
  AssociationHandler,
  ConnectOptions,
  ListenOptions,
  SctpListener,
} from "./sctp-listener.ts";
import { MESSAGE_BYTES_MAX } from "./sctp-listener.ts";
import { UdpDriver } from "./sctp-udp-driver.ts";

/** The ports that a listener on port 0 chooses from (RFC 6335 §6). There is no kernel to ask which of them is free. */
const DYNAMIC_PORT_MIN = 49_152;
const DYNAMIC_PORT_MAX = 65_535;

/** Two messages of the longest kind: one that is being put together, and one behind it. */
const RECEIVE_WINDOW_BYTES = 2 * MESSAGE_BYTES_MAX;
const SEND_BUFFER_BYTES = 2 * MESSAGE_BYTES_MAX;

/**
 * Listens on one address.
 *
 * @throws SctpError with the operating system's name for the reason, such as EADDRINUSE or EADDRNOTAVAIL.
 */
export async function listenUdpSctp(options: ListenOptions, accept: Accept): Promise<SctpListener> {
  const { clock, log } = options;
  const port = options.port === 0 ? randomInt(DYNAMIC_PORT_MIN, DYNAMIC_PORT_MAX + 1) : options.port;
  const endpoint = newEndpoint(options.associationsMax, port);
  let isAccepting = true;
  const driver = new UdpDriver({
    endpoint,
    clock,
    send: (packet, to) => {
      // Bun asks Linux for ICMP errors (IP_RECVERR), so a port that one peer has closed makes the next send fail, whoever
      // it is for. That failure takes the error away: the second try is this packet's own.
      const fault = trySend(packet, to) === undefined ? undefined : trySend(packet, to);
      // No route, a full buffer: the packet is lost, and SCTP sends it again or gives up.
      if (fault !== undefined) log.debug("an SCTP packet could not be sent", { to: to.address, code: fault });
    },
    connected: (association) => (isAccepting ? accept(association) : undefined),
    fault: (error) => log.error("an SCTP association failed by a fault of ours", { error }),
  });
  const socket = await bind(options, {
    data: (_socket, packet, udpPort, address) => driver.receive(packet, { address, udpPort }),
    // ICMP says that one peer of many has no such port. The timers of its association find out without trusting that.
    error: (...faults) => log.debug("a UDP error on the SCTP socket", { code: codeOf(faults) }),
  });
  /** The name of what went wrong, if anything did. */
  const trySend = (packet: Uint8Array, to: Path): string | undefined => {
    try {
      socket.send(packet, to.udpPort, to.address);
      return undefined;
    } catch (error) {
      return codeOf([error]);
    }
  };
  return {
    transport: "udp",
    local: { address: options.address, port, udpPort: socket.port },
    close: () => {
      isAccepting = false;
    },
    destroy: () => {
      isAccepting = false;
      driver.destroy();
      socket.close();
    },
  };
}

/**
 * Opens an association. Its socket lives until it has ended.
 *
 * @throws SctpError: ECONNREFUSED where nobody has the UDP port or the peer aborts, ETIMEDOUT where nobody answers.
 */
export async function connectUdpSctp(options: ConnectOptions, handler: AssociationHandler): Promise<Association> {
  const { clock, address, port, udpPort } = options;
  const endpoint = newEndpoint(1, undefined);
  const to: Path = { address, udpPort };
  const { promise, resolve, reject } = Promise.withResolvers<Association>();
  const socket = await connectSocket(options, {
    data: (_socket, packet) => driver.receive(packet, to),
    // The peer's host has nobody on that port, or nobody any more.
    error: (...faults) => giveUp(codeOf(faults)),
  });
  let refusal: string | undefined;
  const giveUp = (code: string): void => {
    refusal = code;
    if (connecting.kind === "connecting") endpoint.abort(connecting.association, clock.nowMs());
    driver.pump();
  };
  const driver = new UdpDriver({
    endpoint,
    clock,
    send: (packet) => {
      try {
        socket.send(packet);
      } catch (error) {
        // Said again by `error`, or lost like any packet: the timers know.
        refusal = codeOf([error]);
      }
    },
    connected: (association) => {
      timer.cancel();
      resolve(association);
      return handler;
    },
    closed: (_id, reason) => {
      timer.cancel();
      socket.close();
      // Without effect where the association had come up.
      reject(failure(refusal ?? (reason === "unreachable" ? "ETIMEDOUT" : "ECONNREFUSED"), "connect to", options));
    },
    fault: (error) => {
      throw error;
    },
  });
  // The SCTP port is the UDP port, which nobody else on this host has. A server knows associations by address and SCTP ports
  // (RFC 9260 §1.3), so of two clients that picked one number at random it would refuse the second.
  const connecting = endpoint.connect(to, socket.port, port, clock.nowMs());
  if (connecting.kind !== "connecting") throw new Error(`a new endpoint cannot connect: ${connecting.kind}`);
  const timer = clock.setTimer(options.timeoutMs, () => giveUp("ETIMEDOUT"));
  driver.pump();
  return promise;
}

function newEndpoint(associationsMax: number, acceptPort: number | undefined): SctpEndpoint {
  return new Endpoint({
    random: (count) => randomBytes(count),
    hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
    ...(acceptPort === undefined ? {} : { acceptPort }),
    limits: {
      associationsMax,
      // One address can be everybody, as on loopback. Whoever accepts judges addresses.
      associationsPerAddressMax: associationsMax,
      messageBytesMax: MESSAGE_BYTES_MAX,
      receiveWindowBytes: RECEIVE_WINDOW_BYTES,
      sendBufferBytes: SEND_BUFFER_BYTES,
    },
  });
}

interface Target {
  readonly address: string;
  readonly port: number;
  readonly udpPort: number;
}

async function bind(target: Target, socket: Bun.udp.SocketHandler<"buffer">): Promise<Bun.udp.Socket<"buffer">> {
  try {
    return await Bun.udpSocket({ hostname: target.address, port: target.udpPort, socket });
  } catch (error) {
    throw failure(codeOf([error]), "bind", target);
  }
}

async function connectSocket(
  target: Target,
  socket: Bun.udp.ConnectedSocketHandler<"buffer">,
): Promise<Bun.udp.ConnectedSocket<"buffer">> {
  try {
    // Bound to the same family: the default is IPv4's any address.
    const hostname = target.address.includes(":") ? "::" : "0.0.0.0";
    return await Bun.udpSocket({ hostname, connect: { hostname: target.address, port: target.udpPort }, socket });
  } catch (error) {
    throw failure(codeOf([error]), "connect to", target);
  }
}

function failure(code: string, verb: string, { address, port, udpPort }: Target): SctpError {
  return new SctpError(code, `Cannot ${verb} SCTP port ${port} at UDP port ${udpPort} of ${address}: ${code}`);
}

/** The code of the error among the arguments of a callback: Bun passes it first where its types say second. */
function codeOf(faults: readonly unknown[]): string {
  for (const fault of faults) {
    if (fault instanceof Error && "code" in fault && typeof fault.code === "string") return fault.code;
  }
  return "EIO";
}
