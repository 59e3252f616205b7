/** Listening and connecting, whoever speaks SCTP. */

import { connectKernelSctp, listenKernelSctp } from "./sctp-kernel.ts";
import type {
  Accept,
  Association,
  AssociationHandler,
  ConnectOptions,
  ListenOptions,
  SctpListener,
} from "./sctp-listener.ts";
import { connectUdpSctp, listenUdpSctp } from "./sctp-udp.ts";

/** Listens on one address. @throws SctpError */
export async function listenSctp(options: ListenOptions, accept: Accept): Promise<SctpListener> {
  return options.transport === "kernel" ? listenKernelSctp(options, accept) : await listenUdpSctp(options, accept);
}

/** Opens an association. @throws SctpError */
export async function connectSctp(options: ConnectOptions, handler: AssociationHandler): Promise<Association> {
  return options.transport === "kernel"
    ? await connectKernelSctp(options, handler)
    : await connectUdpSctp(options, handler);
}
