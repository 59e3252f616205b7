/**
 * The kernel's SCTP: a one-to-one style socket (RFC 6458 §4), made through the C library and handed to Bun by its
 * descriptor. Bun takes a stream socket for TCP; that this works is pinned by the interop test in user-mode Linux.
 */

import type { Socket, SocketHandler, TCPSocketConnectOptions, TCPSocketListenOptions } from "bun";
import { parseIp } from "../bytes/ip.ts";
import { EINPROGRESS, errnoName } from "./errno.ts";
import * as c from "./libc.ts";
import { SctpError } from "./sctp-error.ts";
import { KernelAssociation } from "./sctp-kernel-association.ts";
import type {
  Accept,
  Association,
  AssociationHandler,
  ConnectOptions,
  ListenOptions,
  SctpListener,
} from "./sctp-listener.ts";
import { IPPROTO_SCTP } from "./sctp-probe.ts";
import { readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";

/** Associations that the kernel has set up and we have not accepted. */
const BACKLOG = 128;

/**
 * Listens on one address.
 *
 * @throws SctpError with the name of the errno, such as EADDRINUSE, EADDRNOTAVAIL or EPROTONOSUPPORT.
 */
export function listenKernelSctp(options: ListenOptions, accept: Accept): SctpListener {
  const { clock } = options;
  const { fd, library, sockaddr } = openSocket(options);
  try {
    check(library.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEADDR, Int32Array.of(1), 4), "set up", options);
    check(library.bind(fd, sockaddr, sockaddr.length), "bind", options);
    check(library.listen(fd, BACKLOG), "listen on", options);
  } catch (error) {
    library.close(fd);
    throw error;
  }
  const port = boundPort(library, fd);

  // BOUNDED by the acceptor, which refuses, and by `associationsMax`.
  const open = new Set<KernelAssociation>();
  const listenOptions = {
    fd,
    allowHalfOpen: true,
    socket: {
      ...HANDLERS,
      error(socket: Socket<KernelAssociation>, error: Error) {
        // What the world did wrong has a code, and `close` tells it too. The rest is a handler that threw: a bug of ours,
        // which ends this association and no other.
        if ("code" in error) return;
        options.log.error("an SCTP association failed by a fault of ours", { error });
        socket.data?.abort();
      },
      open(socket: Socket<KernelAssociation>) {
        // A peer that aborted before it was accepted has no address any more.
        const address: string | undefined = socket.remoteAddress;
        const peer = { address: address ?? "unknown", port: socket.remotePort };
        const association = new KernelAssociation(socket, peer, library, clock);
        socket.data = association;
        const isWelcome = address !== undefined && open.size < options.associationsMax;
        const handler = isWelcome ? accept(association) : undefined;
        if (handler === undefined) {
          association.abort();
          return;
        }
        open.add(association);
        association.attach({
          data: (bytes) => handler.data(bytes),
          end: () => {
            open.delete(association);
            handler.end();
          },
        });
      },
    } satisfies SocketHandler<KernelAssociation>,
  };
  // Bun takes a descriptor here, as it does in `Bun.connect`; its types do not say so.
  const listener = Bun.listen(listenOptions as unknown as TCPSocketListenOptions<KernelAssociation>);
  return {
    transport: "kernel",
    local: { address: options.address, port },
    close: () => listener.stop(false),
    destroy: () => {
      listener.stop(false);
      for (const association of open) association.abort();
    },
  };
}

/**
 * Opens an association.
 *
 * @throws SctpError with the name of the errno, such as ECONNREFUSED, or ETIMEDOUT.
 */
export async function connectKernelSctp(options: ConnectOptions, handler: AssociationHandler): Promise<Association> {
  const { fd, library, sockaddr } = openSocket(options);
  if (library.connect(fd, sockaddr, sockaddr.length) !== 0 && library.errno() !== EINPROGRESS) {
    const code = errnoName(library.errno());
    library.close(fd);
    throw failure(code, "connect to", options);
  }
  const { promise, resolve, reject } = Promise.withResolvers<Association>();
  let connected = false;
  let late = false;
  let association: KernelAssociation | undefined;
  const timer = options.clock.setTimer(options.timeoutMs, () => {
    late = true;
    association?.abort();
    reject(failure("ETIMEDOUT", "connect to", options));
  });
  const connectOptions = {
    fd,
    allowHalfOpen: true,
    socket: {
      ...HANDLERS,
      open(socket) {
        // Open to Bun; the association is not there before the first `drain`.
        association = new KernelAssociation(
          socket,
          { address: options.address, port: options.port },
          library,
          options.clock,
        );
        socket.data = association;
      },
      drain(socket) {
        if (connected) {
          socket.data.handleDrain();
          return;
        }
        connected = true;
        timer.cancel();
        socket.data.attach(handler);
        resolve(socket.data);
      },
      close(socket, error) {
        socket.data?.handleClose();
        if (connected || late) return;
        timer.cancel();
        reject(failure(codeOf(error), "connect to", options));
      },
    } satisfies SocketHandler<KernelAssociation>,
  };
  await Bun.connect(connectOptions as unknown as TCPSocketConnectOptions<KernelAssociation>);
  return promise;
}

const HANDLERS = {
  data: (socket, bytes) => socket.data.handleData(bytes),
  drain: (socket) => socket.data.handleDrain(),
  end: (socket) => socket.data.handleEnd(),
  // A peer's ABORT comes as an error here; what it means for the user is the same as any other end.
  close: (socket) => socket.data?.handleClose(),
} satisfies SocketHandler<KernelAssociation>;

interface Target {
  readonly address: string;
  readonly port: number;
}

/** A socket of the right family, and the target as the C library wants it. */
function openSocket(target: Target): { fd: number; library: c.Libc; sockaddr: Uint8Array } {
  if (c.libc === undefined) throw failure("EPROTONOSUPPORT", "use", target);
  const ip = parseIp(target.address);
  if (ip === undefined) throw failure("EINVAL", "use", target);
  const family = ip.length === 4 ? c.AF_INET : c.AF_INET6;
  const fd = c.libc.socket(family, c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, IPPROTO_SCTP);
  if (fd < 0) throw failure(errnoName(c.libc.errno()), "use", target);
  // So that an IPv4 listener on the same port is none of this one's business.
  if (family === c.AF_INET6) c.libc.setsockopt(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, Int32Array.of(1), 4);
  const room = new Uint8Array(SOCKADDR_IN6_BYTES);
  return { fd, library: c.libc, sockaddr: room.slice(0, writeSockaddr(ip, target.port, room)) };
}

function boundPort(library: c.Libc, fd: number): number {
  const sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);
  library.getsockname(fd, sockaddr, Uint32Array.of(sockaddr.length));
  return readSockaddr(sockaddr).port;
}

function check(result: number, verb: string, target: Target): void {
  if (result !== 0) throw failure(errnoName(c.libc?.errno() ?? 0), verb, target);
}

function failure(code: string, verb: string, { address, port }: Target): SctpError {
  return new SctpError(code, `Cannot ${verb} SCTP port ${port} of ${address}: ${code}`);
}

function codeOf(error: Error | undefined): string {
  return error !== undefined && "code" in error && typeof error.code === "string" ? error.code : "ECONNREFUSED";
}
