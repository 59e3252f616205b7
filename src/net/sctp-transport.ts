/** Who speaks SCTP on this machine: what the operator chose, met with what the kernel has. */

import { SctpError } from "./sctp-error.ts";
import type { SctpTransport, SctpTransportChoice } from "./sctp-listener.ts";
import { type KernelSctp, NO_KERNEL_SCTP_HINT, probeKernelSctp } from "./sctp-probe.ts";

/** What the operator's choice comes to on this machine. */
export interface ResolvedTransport {
  readonly transport: SctpTransport;
  /** For the log: why it is not the kernel's SCTP, and how to get that. */
  readonly hint: string | undefined;
}

/**
 * Decides which transport `choice` means here.
 *
 * @throws SctpError with the hint when the kernel's SCTP is demanded and absent.
 */
export function resolveTransport(
  choice: SctpTransportChoice,
  use: "listen" | "connect",
  probe: (use: "listen" | "connect") => KernelSctp = probeKernelSctp,
): ResolvedTransport {
  if (choice === "udp") return { transport: "udp", hint: undefined };
  const kernel = probe(use);
  if (kernel.available) return { transport: "kernel", hint: undefined };
  if (choice === "kernel") {
    throw new SctpError(kernel.code, `The kernel has no SCTP (${kernel.code}). ${NO_KERNEL_SCTP_HINT}`);
  }
  return {
    transport: "udp",
    hint: `The kernel has no SCTP (${kernel.code}), so SCTP runs in UDP. ${NO_KERNEL_SCTP_HINT}`,
  };
}
