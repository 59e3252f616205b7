/**
 * Whether the kernel speaks SCTP. Found out by asking for a socket, which also makes Linux load the module where it may:
 * what stands in /proc says less.
 */

import { errnoName } from "./errno.ts";
import { AF_INET, libc, SOCK_CLOEXEC, SOCK_STREAM } from "./libc.ts";

export const IPPROTO_SCTP = 132;

export type KernelSctp = { readonly available: true } | { readonly available: false; readonly code: string };

/** For an operator who would rather have the kernel's. */
export const NO_KERNEL_SCTP_HINT: string =
  "Clients on IP protocol 132 need the kernel's: try `modprobe sctp` on the host. Debian and Ubuntu keep the module " +
  "in linux-modules-extra-$(uname -r) on some kernels, Fedora and RHEL in kernel-modules-extra; containers use the host's.";

/**
 * Asks for a socket, and for a listening one where it is to listen: a kernel whose HMAC module is missing has the first
 * and answers the second with ENOSYS.
 */
export function probeKernelSctp(use: "listen" | "connect"): KernelSctp {
  if (libc === undefined) return { available: false, code: "EPROTONOSUPPORT" };
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
  if (fd < 0) return { available: false, code: errnoName(libc.errno()) };
  // Never bound: the port is one of the ephemeral ones, for the blink of an eye.
  const listening = use === "connect" ? 0 : libc.listen(fd, 1);
  const code = errnoName(libc.errno());
  libc.close(fd);
  return listening === 0 ? { available: true } : { available: false, code };
}
