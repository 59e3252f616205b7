/** The ways in which a tunnel ends. */

/** Why a tunnel ended, as the access log says it. */
export type TunnelEnd =
  /** Both sides sent FIN and everything was delivered. */
  | "finished"
  | "client-reset"
  | "target-reset"
  /** The kernel gave the peer up: no answer to keep-alives or to retransmissions. */
  | "client-lost"
  | "target-lost"
  /** The proxy ended it: a time limit, the end of the program, an administrator. */
  | "idle-timeout"
  | "half-closed-timeout"
  | "shutdown"
  | "killed";

/** How a connection ended that was closed without a FIN, by the error that closed it. */
export function endOfClose(side: "client" | "target", code: string | undefined): TunnelEnd {
  return `${side}-${code === undefined || isReset(code) ? "reset" : "lost"}`;
}

function isReset(code: string): boolean {
  return code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED";
}
