/** What the kernel's routing table says. */
export interface Routes {
  /**
   * The address from which this machine would speak to `ip`: 4 or 16 bytes, like `ip`. "unreachable" where there is no
   * way to it; `undefined` where the system cannot be asked.
   */
  sourceFor(ip: Uint8Array): Uint8Array | "unreachable" | undefined;
}
