import type { SocketOwner } from "../../ports/socket.ts";

/** Hears what a socket says that nobody owns yet, or any more. */
export const NOBODY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};
