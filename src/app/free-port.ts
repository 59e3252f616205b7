/** What listeners have in common that share a port chosen by the system, or may lack IPv6. */

/** How often another free port is looked for, when the one that the first address took is in use on the next. */
const FREE_PORT_ATTEMPTS = 16;

/** What a machine without IPv6 says when it is asked to listen on `::1`. */
const NO_IPV6: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Whether opening all listeners anew, with another port free, may do better than the attempt that ended with `fault`.
 *
 * @param takesFreePort - The system chooses the port, so that another one is as good.
 * @param attempt - Counted from 1.
 */
export function isWorthAnotherPort(fault: { readonly code: string }, takesFreePort: boolean, attempt: number): boolean {
  return fault.code === "EADDRINUSE" && takesFreePort && attempt < FREE_PORT_ATTEMPTS;
}

/**
 * Whether the proxy may go on without a listener. The default is to listen on both loopback addresses, and a machine
 * without IPv6 has only one of them.
 *
 * @param addresses - All that the configuration names.
 */
export function isOptional(addresses: readonly string[], address: string, fault: { readonly code: string }): boolean {
  const isDefault = addresses.length === 2 && addresses.includes("127.0.0.1");
  return isDefault && address === "::1" && NO_IPV6.has(fault.code);
}
